//! 24 hours with the agent: output, keys, a cut, the verdict, and the deadline.

use std::time::{Duration, Instant};

use fargate_tests::{BUILD_FAILURE, ConnectionCut, MovedClock, PATIENCE, SYSTEM_FAILURE, until};
use serde_json::json;

use crate::count;
use crate::moved_day::{MARGIN, MovedDay, STEP, TIMEOUT};

/// Lines of the first script: up to five minutes before the job's time-out.
const LINES: usize = 286;
/// The line in hour 13 before which the connection is cut.
const CUT_BEFORE: usize = 160;
/// The lines after which the host looks for orphans.
const REAPED_AFTER: [usize; 3] = [72, 200, 286];

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

#[tokio::test]
async fn a_job_of_a_day_keeps_every_byte_its_verdict_and_its_deadline() {
    let Some(mut day) = MovedDay::begin(MovedClock::all_time).await else { return };
    let running = day.start(LINES).await;
    for n in 1..=LINES {
        if n == CUT_BEFORE {
            day.relay.cut(ConnectionCut::Rst);
            let site = &day.site;
            until("the driver is back", || count(site, "session.resumed") == 1).await;
            day.has_new_connection();
        }
        day.step(&running, n, STEP).await;
        if REAPED_AFTER.contains(&n) {
            let seen = day.reap().await;
            assert_eq!((&seen["needed"], &seen["orphans"]), (&json!(1), &json!([])), "{seen}");
        }
    }
    let ended = day.job.heard(running).await.with_code(BUILD_FAILURE);
    assert!(ended.out() == MovedDay::expected(LINES), "{} bytes", ended.stdout.len());
    assert_eq!((ended.err(), day.job.exit_code().as_deref()), (String::new(), Some("7\n")));
    assert_eq!(day.relay.accepted(), 2, "one connection until the cut, and one after it");
    assert!(count(&day.site, "session.rekeyed") >= 22, "keys of an hour at most");
    the_task_ends_at_its_deadline_and_not_before(day).await;
}

/// Ten minutes before the job's time-out, with no stage that runs.
async fn the_task_ends_at_its_deadline_and_not_before(mut day: MovedDay) {
    // Just before nobody has been there for too long, the next stage comes.
    day.move_to(TIMEOUT - minutes(1));
    let starts = day.job.heard(day.clock.run(&day.job, "cat /builds/starts")).await.with_code(0);
    assert_eq!(starts.out(), "start\n", "the script started once");
    let running = day.start(2).await;
    day.move_to(TIMEOUT + MARGIN - Duration::from_secs(20));
    day.write_line(&running, 1).await;
    assert_eq!(day.site.cloud().live_tasks(), 1, "its deadline is to come");
    day.move_to(TIMEOUT + MARGIN + Duration::from_secs(1));
    let deadline = Instant::now();
    day.wake_the_agent().await;
    let ended = day.job.heard(running).await.with_code(SYSTEM_FAILURE);
    let line = ended.error_line();
    let expected = "fargate-runner: error: the task reached its maximum lifetime";
    assert!(line.starts_with(expected), "{line}");
    assert!(deadline.elapsed() < PATIENCE, "{:?} late", deadline.elapsed());
    until("the task ended", || day.site.cloud().live_tasks() == 0).await;
    assert_eq!(day.site.calls("StopTask"), 0, "nobody but the agent ended it");
    day.move_to(TIMEOUT + MARGIN + minutes(11));
    let seen = day.reap().await;
    assert_eq!(seen["orphans"][0]["reason"], "overdue", "{seen}");
    assert!(!day.job.state_file().exists() && day.job.tombstone().exists());
    day.site.close().await;
}
