//! A command of almost 24 hours, run by `exec`: one process of the driver, whose credentials end many
//! times before it needs them again to stop its task.

use std::time::Duration;

use fargate_tests::{MovedClock, pass, until, wait_at};

use crate::count;
use crate::moved_day::{clocked_host, gate_of, gate_of_host, show_to_the_agent};

const HOUR: Duration = Duration::from_secs(3600);
/// Lines of the command, one each hour. The task of an `exec` lives for 24 hours at most.
const LINES: usize = 23;

#[tokio::test]
async fn a_command_of_a_day_whose_credentials_end_each_hour_stops_its_task() {
    let Some((site, mut clock)) = clocked_host(MovedClock::all_time).await else { return };
    let role = site.cloud().add_role("eu-west-1", "ci", None);
    site.set("defaults.assume_role_arn", role);
    let job = site.job_with(|job| {
        job.environment.retain(|name, _| !name.to_string_lossy().starts_with("JOB_"));
        job.set("AWS_ENDPOINT_URL", site.cloud().endpoint());
        job.set("FARGATE_RUNNER_CONFIG", site.config());
    });
    let gate = gate_of_host(&site);
    let wait = wait_at(&format!("{gate}$n."));
    let command =
        format!("n=1; while [ $n -le {LINES} ]; do {wait}; echo $n; n=$((n+1)); done; exit 5");
    let running = clock.start(&job, &["exec", "-q", "--", "bash", "-c", &command]);
    until("the command runs", || count(&site, "script.started") == 1).await;
    show_to_the_agent(&site, &mut clock);
    let before = site.calls("AssumeRole");
    let mut expected = String::new();
    for n in 1..=LINES {
        clock.set(&format!("+{n}h"));
        site.cloud().advance(HOUR);
        pass(&gate_of(&gate, n)).await;
        expected += &format!("{n}\n");
        until("its line arrives", || running.received() == expected.len()).await;
    }
    let ended = job.heard(running).await.with_code(5);
    assert_eq!((ended.out(), ended.err()), (expected, String::new()));
    assert_eq!(site.calls("AssumeRole"), before + 1, "the role was assumed again");
    let tasks = site.cloud().tasks();
    assert!(tasks.iter().all(|task| task.desired_status == "STOPPED"), "{tasks:?}");
    site.close().await;
}
