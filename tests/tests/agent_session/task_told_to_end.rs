//! A task is told to end while a script runs. If the script reacts to that, its exit code is not
//! the verdict. If the script ends before it can know, its exit code is the verdict.

use fargate_tests::{
    BUILD_FAILURE, CheckedHost, PATIENCE, SYSTEM_FAILURE, TestJob, TestProcessResult, until,
};

use crate::openssh_client::DebugLogin;

/// Saves its work when it is told to end, and leaves with 0.
const SAVES: &str = "trap 'echo saving; exit 0' TERM; echo begin; sleep 60 & wait; echo end";
const SPOT: (&str, &str) = ("SpotInterruption", "Your Spot Task was interrupted.");

/// Runs `script`, and `end`s its task as soon as it says `begin`.
async fn told_to_end(job: &TestJob, script: &str, end: impl FnOnce()) -> TestProcessResult {
    let mut running = job.start_run(script);
    running.wrote("begin").await;
    end();
    job.heard(running).await
}

fn stop(site: &CheckedHost, job: &TestJob, (code, reason): (&str, &str)) {
    let arn = site.task_of(job).arn;
    assert!(site.cloud().stop_task_from_outside(&arn, code, reason));
}

#[tokio::test]
async fn a_script_that_saves_its_work_and_leaves_with_0_when_spot_ends_its_task_has_not_passed() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let rule = "task 1 at RUNNING: interrupt 20s";
    let spot = || site.cloud().set_faults(rule.parse().expect("a rule"));
    let ended = told_to_end(&job, SAVES, spot).await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.out(), "begin\nsaving\n");
    let line = ended.error_line();
    let expected = "fargate-runner: error: AWS took the Spot task back (ECS: \"Your Spot Task was \
                    interrupted.\")";
    assert!(line.starts_with(expected), "{line}");
    assert_eq!(job.exit_code(), None);
    site.close().await;
}

/// As gitlab-runner writes scripts.
#[tokio::test]
async fn neither_has_one_of_gitlab_runner_s_form_whose_task_a_person_stops() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let script = "#!/usr/bin/env bash\n\n\
        trap exit 1 TERM\n\n\
        if set -o | grep pipefail > /dev/null; then set -o pipefail; fi; set -o errexit\n\
        set +o noclobber\n\
        : | eval $'trap \"echo saving; exit 0\" TERM\\necho begin\\nsleep 60 & wait\\necho end\\n'\n\
        exit 0\n";
    let person = || stop(&site, &job, ("UserInitiated", "Task stopped by alice"));
    let ended = told_to_end(&job, script, person).await.with_code(SYSTEM_FAILURE);
    assert!(!ended.out().contains("end\n"), "{}", ended.out());
    let line = ended.error_line();
    assert!(line.starts_with("fargate-runner: error: someone stopped the task in AWS"), "{line}");
    assert_eq!(job.exit_code(), None);
    site.close().await;
}

#[tokio::test]
async fn a_script_that_ends_by_itself_before_it_hears_of_the_end_has_its_own_verdict() {
    let heard =
        "trap 'echo heard; exit 0' TERM; echo begin; until [ -e /tmp/go ]; do sleep 0.1; done";
    for (end, code, status) in [("exit 0", 0, None), ("exit 3", BUILD_FAILURE, Some("3\n"))] {
        let site = CheckedHost::open().await;
        let job = site.prepared().await;
        // The script sees that its task is told to end, because the agent accepts no connection any more.
        let script = format!(
            "(until ! (exec 3<>/dev/tcp/$FR_HOST/$FR_PORT) 2>/dev/null; do sleep 0.1; done; \
             touch /tmp/go) & {heard}; echo done; {end}"
        );
        let state = job.state().expect("a state file");
        let address = state["address"].as_str().and_then(|address| address.parse().ok());
        let place: std::net::SocketAddr = address.expect("an address");
        let script = format!("FR_HOST={} FR_PORT={}\n{script}", place.ip(), place.port());
        let ended = told_to_end(&job, &script, || stop(&site, &job, SPOT)).await.with_code(code);
        assert_eq!((ended.out().as_str(), ended.err().as_str()), ("begin\ndone\n", ""));
        assert_eq!(job.exit_code().as_deref(), status);
        until("it stopped", || site.task_of(&job).last_status == "STOPPED").await;
        assert_eq!(site.task_of(&job).containers[0].exit_code, Some(143));
        site.close().await;
    }
}

#[tokio::test]
async fn a_command_of_ssh_itself_ends_without_a_status() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let ssh = DebugLogin::to(&site, &job);
    let mut running = ssh.start(&[], &[SAVES]);
    running.wrote("begin").await;
    stop(&site, &job, SPOT);
    let ended = running.ended().await;
    // What `ssh` says of a connection that ended under a command.
    assert_eq!((ended.code, ended.out().as_str()), (255, "begin\n"));
    site.close().await;
}

#[tokio::test]
async fn a_script_without_a_listener_is_told_at_once() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let mut running = job.start_run(SAVES);
    running.wrote("begin").await;
    running.signal(nix::sys::signal::Signal::SIGKILL);
    job.heard(running).await.with_code(137);
    let began = std::time::Instant::now();
    job.cleanup().await.passed();
    until("it stopped", || site.task_of(&job).last_status == "STOPPED").await;
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    site.close().await;
}
