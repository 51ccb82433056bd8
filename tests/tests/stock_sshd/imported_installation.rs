//! An installation of GitLab's own driver in which only the binary was replaced: its configuration
//! file, its command line, its container.

use std::fs;
use std::rc::Rc;

use aws_sdk_ecs::types::CapacityProviderStrategyItem;
use fargate_tests::{BUILD_FAILURE, CheckedHost, SshdSetup, TestJob};

/// A job that is called as that driver was, with a file as its documentation shows it.
async fn old_installation(server: SshdSetup) -> Option<(CheckedHost, Rc<TestJob>)> {
    if !SshdSetup::can_run() {
        return None;
    }
    let site = CheckedHost::open().await;
    let family = server.container("ci-coordinator").register(site.cloud(), "old-image").await;
    // That driver says neither launch type nor strategy, so its clusters have one of their own.
    let strategy = CapacityProviderStrategyItem::builder().capacity_provider("FARGATE").weight(1);
    site.ecs()
        .put_cluster_capacity_providers()
        .cluster("ci")
        .capacity_providers("FARGATE")
        .default_capacity_provider_strategy(strategy.build().expect("it names a provider"))
        .send()
        .await
        .expect("a cluster of the cloud's");
    let endpoint = site.cloud().endpoint();
    let port = endpoint.trim_end_matches('/').rsplit(':').next().expect("a port").to_owned();
    let text = format!(
        "LogLevel = \"info\"\n\
         LogFormat = \"json\"\n\
         LogFile = {:?}\n\
         \n\
         [Fargate]\n\
         Cluster = \"ci\"\n\
         Region = \"eu-west-1\"\n\
         Subnet = \"subnet-0a1b2c3d4e5f60718\"\n\
         SecurityGroup = \"sg-0c3d4e5f60718293b\"\n\
         TaskDefinition = \"{family}\"\n\
         EnablePublicIP = false\n\
         \n\
         [TaskMetadata]\n\
         Directory = {:?}\n\
         \n\
         [SSH]\n\
         Username = \"root\"\n\
         Port = {port}\n",
        site.log_file(),
        site.state_dir(),
    );
    let file = site.folder().join("fargate.toml");
    fs::write(&file, text).expect("a writable folder");
    let job = site.job_with(|job| {
        job.arguments = vec!["--config".into(), file.into_os_string(), "custom".into()];
    });
    Some((site, job))
}

#[tokio::test]
async fn a_whole_job_runs_with_the_old_file_and_the_old_command_line() {
    let Some((site, job)) = old_installation(SshdSetup::open_ssh()).await else { return };
    let config = job.config().await.with_code(0);
    let answer: serde_json::Value = serde_json::from_slice(&config.stdout).expect("JSON");
    assert!(answer["driver"]["name"].is_string() && answer["hostname"].is_string(), "{answer}");
    job.prepare().await.passed();
    let ended = job.run("echo out; echo err >&2; exit 3").await.with_code(BUILD_FAILURE);
    assert_eq!((ended.out().as_str(), ended.err().as_str()), ("out\n", "err\n"));
    assert_eq!(job.exit_code().as_deref(), Some("3\n"));
    let request = site.cloud().requests().into_iter().find(|call| call.operation == "RunTask");
    let body = request.expect("it was asked for").body;
    for key in ["launchType", "capacityProviderStrategy"] {
        assert!(body.get(key).is_none(), "the cluster's own strategy decides: {body}");
    }
    assert_eq!(body["overrides"]["containerOverrides"][0]["name"], "ci-coordinator");
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn that_the_first_host_key_is_believed_is_told_to_the_operator_once_and_never_to_the_job() {
    let Some((site, job)) = old_installation(SshdSetup::open_ssh()).await else { return };
    job.prepare().await.passed();
    for n in 0..3 {
        job.run(format!("echo {n}")).await.passed();
    }
    job.cleanup().await.passed();
    let log = site.log();
    let told: Vec<_> = log.lines().filter(|line| line.contains("first_use")).collect();
    assert_eq!(told.len(), 1, "{log}");
    assert!(told[0].to_lowercase().contains("\"warn\""), "{}", told[0]);
    let said = job.said();
    assert!(said.iter().all(|ended| !ended.all().contains("first_use")), "{said:?}");
    site.close().await;
}
