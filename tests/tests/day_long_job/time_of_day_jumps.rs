//! The time of day jumps in mid-job, on the host and in the task, as when a wrong clock is set right.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fargate_tests::{BUILD_FAILURE, MovedClock};

use crate::moved_day::MovedDay;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn a_time_of_day_that_jumps_by_a_month_ends_no_script_and_no_task() {
    let Some(day) = MovedDay::begin(MovedClock::time_of_day).await else { return };
    let jumps = ["+1d", "-1d", "+30d", "-30d", "+0"];
    let running = day.start(jumps.len()).await;
    for (n, jump) in jumps.into_iter().enumerate() {
        day.clock.set(jump);
        day.write_line(&running, n + 1).await;
    }
    let ended = day.job.heard(running).await.with_code(BUILD_FAILURE);
    assert!(ended.out() == MovedDay::expected(jumps.len()), "{} bytes", ended.stdout.len());
    assert_eq!((ended.err(), day.job.exit_code().as_deref()), (String::new(), Some("7\n")));
    // The task's time of day has really moved, and the next stage finds nothing wrong with it.
    day.clock.set("+30d");
    let seen = day.job.heard(day.clock.run(&day.job, "date +%s")).await.with_code(0);
    let since_1970 = Duration::from_secs(seen.out().trim().parse().expect("seconds"));
    let ahead = (UNIX_EPOCH + since_1970).duration_since(SystemTime::now()).expect("ahead");
    assert!(ahead > 29 * DAY, "{ahead:?}");
    assert_eq!((day.relay.accepted(), day.site.cloud().live_tasks()), (2, 1));
    day.site.close().await;
}
