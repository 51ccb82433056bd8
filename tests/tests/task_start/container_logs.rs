//! B5: the last lines of a container that ended before its agent answered.

use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, LogConfiguration, LogDriver, NetworkMode,
};
use fargate_local_cloud::CloudFault;
use fargate_tests::{CheckedHost, SYSTEM_FAILURE, TestJob};
use std::rc::Rc;

use crate::fault_rules::give;
use crate::{block, exception};

/// A job whose container runs `script` and has its output kept.
async fn logged(site: &CheckedHost, script: &str) -> Rc<TestJob> {
    let log = LogConfiguration::builder()
        .log_driver(LogDriver::Awslogs)
        .options("awslogs-group", "/ci/jobs")
        .options("awslogs-region", "eu-west-1")
        .options("awslogs-stream-prefix", "job-log")
        .build();
    let container = ContainerDefinition::builder()
        .name("job")
        .image("registry.example/job:2")
        .stop_timeout(2)
        .set_command(Some(["sh", "-c", script].map(str::to_owned).to_vec()))
        .log_configuration(log.expect("it has a driver"));
    site.ecs()
        .register_task_definition()
        .family("logged")
        .network_mode(NetworkMode::Awsvpc)
        .requires_compatibilities(Compatibility::Fargate)
        .execution_role_arn("arn:aws:iam::123456789012:role/execution")
        .cpu("1024")
        .memory("2048")
        .container_definitions(container.build())
        .send()
        .await
        .expect("a definition that the cloud takes");
    site.set("defaults.task_definition", "logged");
    beside(site)
}

/// A job that finds CloudWatch Logs in the cloud of its site.
fn beside(site: &CheckedHost) -> Rc<TestJob> {
    let endpoint = site.cloud().endpoint();
    site.job_with(|job| job.set("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", endpoint))
}

#[tokio::test]
async fn the_last_lines_of_a_container_that_ended_at_once_are_shown_and_harmless() {
    let site = CheckedHost::open().await;
    // What it writes holds the job's own token, which the definition does not: as it is, and in base64.
    let script = "for n in $(seq 19); do echo line $n; done; printf '\\033[2Jred\\r\\n'; \
                  t=glcbt-; t=${t}canary-4000-$PARENT; echo \"no $t here\"; \
                  printf %s \"user:$t\" | base64 -w0; echo; exit 126";
    let job = logged(&site, &script.replace("$PARENT", &std::process::id().to_string())).await;
    assert!(job.token.starts_with("glcbt-canary-4000-"));
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    let block = block(&ended);
    let (before, lines) = block.split_once("stream job-log/job/TASK):\n").expect("a log");
    insta::assert_snapshot!(before, @r#"
    error: the agent ended at once
      ECS: "Essential container in task exited"
      task ID is STOPPED: EssentialContainerExited, exit 126.
      Last lines of its log (group /ci/jobs, 
    "#);
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!((lines[0], lines[16]), ("    line 3", "    line 19"));
    assert_eq!(lines[17..19], ["    \\x1b[2Jred", "    no [MASKED] here"]);
    assert!(lines[19].contains("[MASKED]"), "{}", lines[19]);
    assert!(lines[20].starts_with("  Fix: "), "{}", lines[20]);
    // The tombstone keeps the cause and not the log.
    let kept = std::fs::read_to_string(job.tombstone()).expect("a tombstone");
    assert!(kept.contains("agent-exited") && !kept.contains("line 3"), "{kept}");
    assert_eq!((site.calls("DescribeTaskDefinition"), site.calls("GetLogEvents")), (1, 1));
    site.close().await;
}

/// What ECS says of a task is shown in a fold of the job's log, and could end that fold.
#[tokio::test]
async fn no_word_of_ecs_moves_a_cursor_in_the_jobs_log_or_in_the_operators() {
    let site = CheckedHost::open().await;
    let hostile =
        "\u{1b}[0Ksection_end:1:x\r\u{1b}[0K\u{9b}2J\u{202e}\u{2028}\u{200b}\u{feff}\u{e0041}\n";
    let value = serde_json::json!(hostile);
    give(&site, &format!("DescribeTasks: set /tasks/*/attachments/0/details/0/value = {value}"));
    let ended = site.job().prepare().await.with_code(0);
    let out = ended.out();
    assert!(out.contains("network   \\x1b[0Ksection_end:1:x\\x0d"), "{out:?}");
    assert_eq!((out.matches('\u{1b}').count(), out.matches('\r').count()), (4, 2), "{out:?}");
    let long = format!("{hostile}{}", "x".repeat(1_000_000));
    let refused = exception(400, "ClientException", &long);
    site.cloud().fail_until_cleared("DescribeTasks", refused);
    let ended = site.job().prepare().await.with_code(SYSTEM_FAILURE);
    for text in [out, ended.out(), site.log()] {
        let hidden = ['\u{9b}', '\u{202e}', '\u{2028}', '\u{200b}', '\u{feff}', '\u{e0041}'];
        assert!(!text.contains(hidden), "{text:?}");
    }
    assert!(!site.log().contains(['\u{1b}', '\r']), "{}", site.log());
    assert!(site.log().lines().all(|line| line.len() < 20_000));
    site.cloud().clear_faults();
    site.close().await;
}

#[tokio::test]
async fn a_right_that_is_missing_is_named_once_and_changes_nothing_else() {
    for (right, operation) in [
        ("logs:GetLogEvents", "GetLogEvents"),
        ("ecs:DescribeTaskDefinition", "DescribeTaskDefinition"),
    ] {
        let site = CheckedHost::open().await;
        let first = logged(&site, "echo canary; exit 3").await;
        let before = site.calls(operation);
        site.cloud().deny(right);
        let told = block(&first.prepare().await.with_code(SYSTEM_FAILURE));
        let line = format!("Its log was not read: this host's role may not {right}, which");
        assert_eq!((told.matches(&line).count(), told.matches("error:").count()), (1, 1), "{told}");
        assert!(told.contains("error: the agent ended at once"), "{told}");
        // The next job of this host does not ask for what was just refused.
        let next = beside(&site);
        let told = block(&next.prepare().await.with_code(SYSTEM_FAILURE));
        assert!(told.contains("error: the agent ended at once") && !told.contains(&line), "{told}");
        assert_eq!(site.calls(operation), before + 1);
        site.close().await;
    }
}

#[tokio::test]
async fn a_log_that_is_throttled_or_late_is_read_again_within_its_seconds() {
    let site = CheckedHost::open().await;
    let throttled = exception(400, "ThrottlingException", "Rate exceeded");
    site.cloud().fail("GetLogEvents", throttled);
    let missing = "The specified log stream does not exist.";
    site.cloud().fail("GetLogEvents", exception(400, "ResourceNotFoundException", missing));
    site.cloud().fail("GetLogEvents", CloudFault::LostAnswer);
    let job = logged(&site, "echo the last word; exit 3").await;
    let told = job.prepare().await.with_code(SYSTEM_FAILURE).out();
    assert!(told.contains("\n    the last word\n"), "{told}");
    assert_eq!(site.calls("GetLogEvents"), 4);
    site.close().await;
}

#[tokio::test]
async fn a_log_that_hangs_costs_no_more_than_what_is_left_of_prepare() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.task_start", "3s");
    site.set("defaults.timeouts.prepare", "3s");
    site.cloud().fail_until_cleared("GetLogEvents", CloudFault::Hang);
    let job = logged(&site, "exit 3").await;
    let told = block(&job.prepare().await.with_code(SYSTEM_FAILURE));
    assert!(told.contains("error: the agent ended at once"), "{told}");
    assert!(told.contains("Its log could not be read: \"no answer within "), "{told}");
    site.close().await;
}

#[tokio::test]
async fn nothing_is_asked_where_no_container_ended_or_its_output_goes_elsewhere() {
    let site = CheckedHost::open().await;
    // It runs, and has such a log; nobody reads it.
    let job = logged(&site, "exit 3").await;
    site.set("defaults.task_definition", "ci-job");
    job.prepare().await.passed();
    assert_eq!((site.calls("DescribeTaskDefinition"), site.calls("GetLogEvents")), (0, 0));
    let container = ContainerDefinition::builder().command("false");
    site.set("defaults.task_definition", site.register("unlogged", container).await);
    let told = block(&beside(&site).prepare().await.with_code(SYSTEM_FAILURE));
    assert!(told.contains("error: the agent ended at once") && !told.contains("log ("), "{told}");
    assert_eq!((site.calls("DescribeTaskDefinition"), site.calls("GetLogEvents")), (1, 0));
    site.close().await;
}
