//! A task stops by itself, in each state that ECS can show and during each stage: eight states and
//! three stages.

use fargate_local_cloud::CloudFault;
use fargate_tests::{
    BUILD_FAILURE, CheckedHost, SYSTEM_FAILURE, TestJob, TestProcessResult, scenes, until,
};
use nix::sys::signal::Signal;

use crate::fault_rules::give;

/// Source: Amazon ECS Developer Guide, "Task lifecycle".
const STATES: [&str; 8] = [
    "PROVISIONING",
    "PENDING",
    "ACTIVATING",
    "RUNNING",
    "DEACTIVATING",
    "STOPPING",
    "DEPROVISIONING",
    "STOPPED",
];

/// The state in which the cloud holds a task that is shown in `state`.
fn holding(state: &str) -> &str {
    match state {
        "PROVISIONING" => "PROVISIONING",
        "PENDING" | "ACTIVATING" => "PENDING",
        _ => "RUNNING",
    }
}

/// From now on tasks do not get beyond `state`, and ECS shows them in it.
fn hold_in(site: &CheckedHost, state: &str) {
    let hold = format!("every task at {}: hold", holding(state));
    // A task that is shown as STOPPED before it stops has no reason yet.
    let shown = Some(shown(state)).filter(|_| state != "STOPPED").unwrap_or_default();
    give(site, &format!("{shown}\n{hold}"));
}

/// The rule by which ECS shows every task in `state`.
fn shown(state: &str) -> String {
    format!("DescribeTasks: set /tasks/*/lastStatus = \"{state}\"")
}

fn stop(site: &CheckedHost, job: &TestJob, (code, reason): (&str, &str)) {
    let arn = site.task_of(job).arn;
    assert!(site.cloud().stop_task_from_outside(&arn, code, reason));
}

/// Returns once the task of `job` was seen by a question that was asked after this call.
async fn seen_again(site: &CheckedHost) {
    let asked = site.calls("DescribeTasks");
    until("ECS was asked again", || site.calls("DescribeTasks") > asked + 1).await;
}

/// `prepare` of a job whose first task stops while it is shown in `state`; the next one would start.
async fn stopped_during_prepare(
    site: &CheckedHost,
    state: &str,
    stopping: (&str, &str),
) -> TestProcessResult {
    let job = site.job();
    hold_in(site, state);
    let running = job.start(&["prepare"]);
    until("the task is there", || site.tasks_of(&job).len() == 1).await;
    if state != "STOPPED" {
        seen_again(site).await;
    }
    stop(site, &job, stopping);
    give(site, "");
    let ended = job.heard(running).await;
    let tasks = site.tasks_of(&job);
    let expected = if ended.code == 0 { 2 } else { 1 };
    assert_eq!(tasks.len(), expected, "{state} {stopping:?}: {}", ended.all());
    if ended.code == 0 {
        job.run("true").await.passed();
    }
    job.cleanup().await.passed();
    ended
}

#[tokio::test]
async fn in_prepare_what_passes_is_tried_again_and_all_else_is_told() {
    let late = "Timeout waiting for network interface provisioning to complete.";
    let reasons = [
        (("TaskFailedToStart", late), None),
        (
            ("SpotInterruption", "Your Spot Task was interrupted."),
            Some("AWS took the Spot task back"),
        ),
        (("UserInitiated", "Task stopped by alice"), Some("someone stopped the task in AWS")),
    ];
    let site = CheckedHost::open().await;
    for state in STATES {
        for (stopping, headline) in reasons {
            let ended = stopped_during_prepare(&site, state, stopping).await;
            match headline {
                None => {
                    assert_eq!(ended.code, 0, "{state}: {}", ended.all());
                    let told = ended.out().contains(": starting another task (1 of 3)");
                    assert!(told, "{state}: {}", ended.out());
                }
                Some(headline) => {
                    assert_eq!(ended.code, SYSTEM_FAILURE, "{state}: {}", ended.all());
                    assert_eq!(ended.error_line(), format!("error: {headline}"), "{state}");
                }
            }
        }
    }
    site.close().await;
}

/// ECS may know why a task ends long before it calls it STOPPED.
#[tokio::test]
async fn in_prepare_what_ecs_knows_counts_however_far_its_state_is_behind() {
    for (state, (code, reason), headline) in [
        ("PENDING", ("UserInitiated", "Task stopped by alice"), "someone stopped the task in AWS"),
        (
            "DEPROVISIONING",
            ("SpotInterruption", "Your Spot Task was interrupted."),
            "AWS took the Spot task back",
        ),
        (
            "PROVISIONING",
            ("TaskFailedToStart", "CannotPullContainerError: pull access denied for acme/ci"),
            "the registry refused the image",
        ),
    ] {
        let site = CheckedHost::open().await;
        let job = site.job();
        hold_in(&site, state);
        let running = job.start(&["prepare"]);
        until("the task is there", || site.tasks_of(&job).len() == 1).await;
        seen_again(&site).await;
        stop(&site, &job, (code, reason));
        // Its state is behind for as long as anybody asks.
        give(&site, &shown(state));
        let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
        assert_eq!(ended.error_line(), format!("error: {headline}"), "{state}");
        assert!(ended.out().contains(reason), "{}", ended.out());
        assert_eq!(site.tasks_of(&job).len(), 1);
        give(&site, "");
        site.close().await;
    }
}

/// A second task is started only once ECS says that the former one has stopped; till then the reason
/// is known, and told if nothing more comes.
#[tokio::test]
async fn in_prepare_a_passing_reason_is_told_where_the_state_stays_behind_to_the_end() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.task_start", "4s");
    site.set("defaults.timeouts.prepare", "5s");
    let job = site.job();
    hold_in(&site, "PENDING");
    let running = job.start(&["prepare"]);
    until("the task is there", || site.tasks_of(&job).len() == 1).await;
    seen_again(&site).await;
    let late = "Timeout waiting for network interface provisioning to complete.";
    stop(&site, &job, ("TaskFailedToStart", late));
    give(&site, &shown("PENDING"));
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    let headline = "error: AWS did not attach a network interface in time";
    assert_eq!(ended.error_line(), headline);
    assert!(!ended.out().contains("gave no reason"), "{}", ended.out());
    assert_eq!(site.tasks_of(&job).len(), 1);
    give(&site, "");
    site.close().await;
}

/// `run` of a job whose task stops, of which ECS still shows `state` for a while.
async fn stopped_during_run(
    site: &CheckedHost,
    state: &str,
    stopping: (&str, &str),
) -> (TestProcessResult, Option<String>) {
    let job = site.prepared().await;
    let mut running = job.start_run("echo up; exec sleep 1000");
    running.wrote("up").await;
    if state != "STOPPED" {
        give(site, &shown(state));
    }
    let asked = site.calls("DescribeTasks");
    stop(site, &job, stopping);
    until("the verdict asked ECS", || site.calls("DescribeTasks") > asked).await;
    give(site, "");
    let ended = job.heard(running).await;
    assert_eq!(ended.out(), "up\n", "{state}");
    let code = job.exit_code();
    job.cleanup().await.passed();
    (ended, code)
}

#[tokio::test]
async fn in_run_the_stop_code_decides_whatever_state_is_shown() {
    let spot = ("SpotInterruption", "Your Spot Task was interrupted.");
    for state in STATES {
        let site = CheckedHost::open().await;
        let (ended, code) = stopped_during_run(&site, state, spot).await;
        assert_eq!((ended.code, code), (SYSTEM_FAILURE, None), "{state}: {}", ended.all());
        let line = ended.error_line();
        let told = "fargate-runner: error: AWS took the Spot task back";
        assert!(line.starts_with(told), "{state}: {line}");
        site.close().await;
        let site = CheckedHost::open().await;
        let (ended, code) = stopped_during_run(&site, state, scenes::OUT_OF_MEMORY).await;
        assert_eq!(ended.code, BUILD_FAILURE, "{state}: {}", ended.all());
        assert_eq!(code.as_deref(), Some("137\n"), "{state}");
        let line = ended.error_line();
        assert!(line.starts_with("fargate-runner: error: out of memory"), "{state}: {line}");
        site.close().await;
    }
}

#[tokio::test]
async fn in_run_what_ecs_knows_counts_however_far_its_state_is_behind() {
    let spot = ("SpotInterruption", "Your Spot Task was interrupted.");
    let behind = ["lastStatus = \"RUNNING\"", "desiredStatus = \"RUNNING\""];
    for field in behind {
        let site = CheckedHost::open().await;
        let job = site.prepared().await;
        let mut running = job.start_run("echo up; exec sleep 1000");
        running.wrote("up").await;
        give(&site, &format!("DescribeTasks: set /tasks/*/{field}"));
        stop(&site, &job, spot);
        let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
        let line = ended.error_line();
        let told = "fargate-runner: error: AWS took the Spot task back";
        assert!(line.starts_with(told), "{field}: {line}");
        give(&site, "");
        site.close().await;
    }
}

/// An exit code without any other word: ECS calls the task RUNNING and names no stop code.
#[tokio::test]
async fn in_run_an_exit_code_counts_while_the_state_is_behind() {
    let oom = ", \"reason\": \"OutOfMemoryError: Container killed due to memory usage\"";
    let own = "fargate-runner: error: the job ended its own environment";
    for (exit, reason, code, status, told) in [
        (137, oom, BUILD_FAILURE, Some("137\n"), "fargate-runner: error: out of memory"),
        (72, "", BUILD_FAILURE, Some("143\n"), own),
        (70, "", SYSTEM_FAILURE, None, "fargate-runner: error: no client connected to the task"),
        // Nobody said who ordered the stop.
        (143, "", SYSTEM_FAILURE, None, "fargate-runner: error: the task ended for a reason"),
    ] {
        let site = CheckedHost::open().await;
        site.set("defaults.timeouts.stop_reason", "8s");
        let job = site.prepared().await;
        let mut running = job.start_run("echo up; exec sleep 1000");
        running.wrote("up").await;
        let arn = site.task_of(&job).arn;
        let said = format!(
            "{{\"tasks\": [{{\"taskArn\": \"{arn}\", \"lastStatus\": \"RUNNING\", \"desiredStatus\": \
             \"RUNNING\", \"containers\": [{{\"name\": \"job\", \"lastStatus\": \"STOPPED\", \
             \"exitCode\": {exit}{reason}}}]}}]}}"
        );
        let fault = CloudFault::Answer { status: 200, body: said };
        site.cloud().fail_until_cleared("DescribeTasks", fault);
        let (stop_code, stopped) = scenes::OUT_OF_MEMORY;
        stop(&site, &job, (stop_code, stopped));
        let ended = job.heard(running).await.with_code(code);
        let line = ended.error_line();
        assert!(line.starts_with(told), "{exit}: {line}");
        assert_eq!(job.exit_code().as_deref(), status, "{exit}");
        site.close().await;
    }
}

#[tokio::test]
async fn in_cleanup_it_is_no_failure() {
    let site = CheckedHost::open().await;
    for state in STATES {
        let job = site.job();
        hold_in(&site, state);
        // Killed while its task starts, so that the clean-up is the first to do anything about it.
        let running = job.start(&["prepare"]);
        until("the task is there", || site.tasks_of(&job).len() == 1).await;
        until("its id is written down", || {
            job.state().is_some_and(|s| s["core"]["task"].is_string())
        })
        .await;
        running.signal(Signal::SIGKILL);
        job.heard(running).await.with_code(137);
        let stops = site.calls("StopTask");
        site.cloud().add_faults("StopTask: slow 200ms".parse().expect("a rule")).expect("room");
        let cleaning = job.start(&["cleanup"]);
        if state == "STOPPED" {
            stop(&site, &job, ("InfrastructureHealth", "Host is retired."));
            until("it stopped", || site.task_of(&job).last_status == "STOPPED").await;
        } else {
            until("the stop was asked for", || site.calls("StopTask") > stops).await;
            // It may have been accepted before.
            let arn = site.task_of(&job).arn;
            site.cloud().stop_task_from_outside(&arn, "InfrastructureHealth", "Host is retired.");
        }
        let ended = job.heard(cleaning).await.with_code(0);
        assert_eq!((ended.out(), ended.err()), (String::new(), String::new()), "{state}");
        assert!(!job.state_file().exists(), "{state}");
        give(&site, "");
        until("it stopped", || site.task_of(&job).last_status == "STOPPED").await;
    }
    site.close().await;
}
