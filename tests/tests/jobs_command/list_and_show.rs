//! `jobs list` and `jobs show`: what a person reads, what a program reads, and that no secret is in it.

use fargate_tests::{CheckedHost, redacted};
use serde_json::Value;

use crate::name_of;

/// What the command writes to stdout.
async fn printed(site: &CheckedHost, words: &[&str]) -> String {
    site.start(words).ended().await.with_code(0).out()
}

/// The text without what differs from run to run.
fn usual(text: &str, site: &CheckedHost, key: &str) -> String {
    let owner = std::fs::read_to_string(site.state_dir().join("owner")).unwrap_or_default();
    let text = text.replace(key, "KEY").replace(&key[..8], "KEY").replace(owner.trim(), "OWNER");
    let text = redacted(&text);
    let lines = text.lines().map(|line| match line.split_once("ends itself  in ") {
        Some(_) => "ends itself  in T",
        None => line.trim_end(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_person_sees_the_jobs_and_what_is_known_of_one() {
    let site = CheckedHost::open().await;
    let empty = site.start(&["jobs", "list", "--format", "table"]).ended().await;
    assert!(empty.code == 1 && empty.err().contains("state"), "no job has made the folder yet");
    let (first, second) = (site.prepared().await, site.prepared().await);
    let key = first.key().as_str().to_owned();
    let shown = printed(&site, &["jobs", "show", &name_of(&first), "--format", "table"]).await;
    let clock = regex::Regex::new(r"\d\d:\d\d:\d\d UTC").expect("a pattern of ours");
    let shown = clock.replace_all(&usual(&shown, &site, &key), "CLOCK").into_owned();
    // The bars of the start differ from run to run.
    let (bars, parts): (Vec<&str>, Vec<&str>) =
        shown.split("\n\n").partition(|part| part.starts_with("start "));
    assert!(bars.len() == 1 && bars[0].contains("runner  Host proven"), "{shown}");
    insta::assert_snapshot!(parts.join("\n\n"), @"
    ~ test  gl-4000  group/project  main  starting  CLOCK  lived T  about $0.0008 (estimate)

    task             arn:aws:ecs:eu-west-1:123456789012:task/ci/TASK
    state            RUNNING
    subnet           subnet-0a1b2c3d4e5f60718 (eu-west-1a)
    address          ADDRESS
    security groups  sg-0c3d4e5f60718293b
    cluster          ci
    region           eu-west-1
    image            ci-job
    architecture     x86_64
    task definition  ci-job
    platform         1.4.0
    disk             20 GiB
    host key         seed
    server           fargate-agent T.0
    client token     TASK
    started by       OWNER

    key          KEY
    pipeline     71
    address      PLACE
    user         root
    host key     SHA256:FINGERPRINT
    ends itself  in T
    ");
    let by_key = printed(&site, &["jobs", "show", &key[..8], "--format", "tsv"]).await;
    assert!(by_key.starts_with("state\trunning\nkey\t"), "{by_key}");
    second.cleanup().await.passed();
    let list = printed(&site, &["jobs", "list", "--format", "table"]).await;
    let spaces = regex::Regex::new(" +").expect("a pattern of ours");
    let ids = regex::Regex::new(r"\b[0-9a-f]{8}\b").expect("a pattern of ours");
    let list = ids.replace_all(&usual(&list, &site, &key), "SHORT").into_owned();
    insta::assert_snapshot!(spaces.replace_all(&list, " "), @"
    STATE FOR JOB PROJECT TASK SIZE NOTE
    > running T gl-4000 group/project SHORT 1 vCPU, 2 GB -
    - cancelled T gl-4001 group/project SHORT 1 vCPU, 2 GB cancelled
    ");
    site.close().await;
}

#[tokio::test]
async fn a_program_reads_json_without_any_secret() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let state = job.state().expect("a state file");
    let text = printed(&site, &["jobs", "show", &name_of(&job)]).await;
    let shown: Value = serde_json::from_str(&text).expect("JSON in a pipe");
    assert_eq!(shown["state"], "running");
    assert_eq!(shown["key"], job.key().as_str());
    assert_eq!(shown["task"], state["core"]["task"]);
    assert_eq!(shown["address"], state["address"]);
    let list = printed(&site, &["jobs", "list"]).await;
    let listed: Value = serde_json::from_str(&list).expect("JSON in a pipe");
    let mut of_record = shown.clone();
    let history = of_record.as_object_mut().expect("a document").remove("history");
    assert_eq!(listed["jobs"][0], of_record);
    assert_eq!(history.expect("a history")["id"], shown["job"]);
    let seed = site.task_of(&job).environment["FARGATE_RUNNER_HOST_KEY_SEED"].clone();
    let key = state["client_key"].as_str().expect("a key").lines().nth(3).expect("its middle");
    for secret in [seed.as_str(), key, &job.token] {
        assert!(!text.contains(secret) && !list.contains(secret), "{secret}");
    }
    site.close().await;
}
