//! A whole job on an installation of GitLab's driver.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use fargate_tests::{BUILD_FAILURE, until};

use crate::{CONTAINER, FAMILY, OldStyleHost, call};

#[tokio::test]
async fn a_job_runs_with_their_file_and_their_command_line_and_true_verdicts() {
    let old = OldStyleHost::open().await;
    let job = old.job();
    let config = job.config().await.with_code(0);
    let json: serde_json::Value = serde_json::from_str(&config.out()).expect("JSON and no more");
    assert!(json["hostname"].is_string() && json.get("builds_dir").is_none(), "{json}");
    assert_eq!(config.err(), "");
    let prepared = job.prepare().await.with_code(0);
    assert!(!prepared.all().contains("arning"), "{}", prepared.all());
    let ran = job.run("echo out; echo err >&2").await.with_code(0);
    assert_eq!((ran.out().as_str(), ran.err().as_str()), ("out\n", "err\n"));
    job.run("exit 3").await.with_code(BUILD_FAILURE);
    assert_eq!(job.exit_code().as_deref(), Some("3\n"));
    job.cleanup().await.passed();
    old.site.close().await;
}

#[tokio::test]
async fn the_call_is_the_one_that_their_driver_makes() {
    let old = OldStyleHost::open().await;
    let job = old.job();
    job.prepare().await.passed();
    let requests = old.site.cloud().requests();
    let asked = requests.iter().find(|r| r.operation == "RunTask").expect("a RunTask");
    assert_eq!(asked.body["taskDefinition"], FAMILY);
    assert!(asked.body.get("launchType").is_none(), "{}", asked.body);
    assert!(asked.body.get("capacityProviderStrategy").is_none(), "{}", asked.body);
    let network = &asked.body["networkConfiguration"]["awsvpcConfiguration"];
    assert_eq!(network["subnets"].as_array().map(Vec::len), Some(1), "{network}");
    let overrides = &asked.body["overrides"]["containerOverrides"][0];
    assert_eq!(overrides["name"], CONTAINER);
    // `TaskMetadata.Directory` holds the state of the job, for nobody else to read.
    assert!(job.state_file().starts_with(old.site.state_dir()));
    let mode = fs::metadata(job.state_file()).expect("a state file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    job.cleanup().await.passed();
    old.site.close().await;
}

#[tokio::test]
async fn a_link_by_their_name_finds_its_file_in_the_working_directory() {
    let old = OldStyleHost::open().await;
    old.site.without_policies("no argument names the file: it lies in the folder of the call");
    let link = old.link();
    let job = old.job();
    fs::copy(old.file(), job.folder.join("config.toml")).expect("a copy");
    let path = job.script("echo ran");
    let script = path.display().to_string();
    for words in [
        vec!["custom", "config"],
        vec!["-debug=false", "c", "p"],
        vec!["--debug=false", "c", "r", script.as_str(), "build_script", "more"],
        vec!["c", "cl"],
    ] {
        let ended = call(&job, &link, &words).await.with_code(0);
        if words.contains(&"r") {
            assert_eq!(ended.out(), "ran\n");
        }
    }
    until("its task stopped", || old.site.cloud().live_tasks() == 0).await;
    // Under its own name the product does not read that file.
    let own = fargate_tests::runner();
    let ended = call(&job, &own, &["custom", "config"]).await;
    assert!(!ended.all().contains("\"driver\""), "{}", ended.all());
    old.site.close().await;
}

#[tokio::test]
async fn both_ways_to_call_it_may_be_mixed_within_one_job() {
    let old = OldStyleHost::open().await;
    let job = old.job();
    job.prepare().await.passed();
    let file = old.file();
    let ours = old.site.same_job(&job, |job| {
        job.arguments = vec!["custom".into(), "-c".into(), file.into()];
    });
    let ran = ours.run("echo same").await.with_code(0);
    assert_eq!(ran.out(), "same\n");
    job.cleanup().await.passed();
    old.site.close().await;
}
