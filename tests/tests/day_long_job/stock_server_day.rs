//! 24 hours with a stock `sshd`. Only the driver's clock is moved, so the driver alone asks for new
//! keys. The server ends no such job by itself: the watchdog of the task sleeps in real time.

use std::time::Duration;

use fargate_tests::{BUILD_FAILURE, CheckedHost, MovedClock, SshdSetup};

use crate::count;
use crate::moved_day::MovedDay;

/// Lines of the script, one each half an hour and a little more: a moved clock is right to a second.
const LINES: usize = 47;
const STEP: Duration = Duration::from_secs(30 * 60 + 2);

#[tokio::test]
async fn a_day_with_a_stock_server_keeps_every_byte_and_the_verdict() {
    if !SshdSetup::can_run() {
        return;
    }
    let site = CheckedHost::open().await;
    let Some(clock) = MovedClock::all_time(&site) else { return site.close().await };
    SshdSetup::open_ssh().serve(&site).await;
    let mut day = MovedDay::with(site, clock).await;
    let running = day.start(LINES).await;
    for n in 1..=LINES {
        day.step(&running, n, STEP).await;
    }
    let ended = day.job.heard(running).await.with_code(BUILD_FAILURE);
    assert!(ended.out() == MovedDay::expected(LINES), "{} bytes", ended.stdout.len());
    assert_eq!((ended.err(), day.job.exit_code().as_deref()), (String::new(), Some("7\n")));
    assert_eq!(day.relay.accepted(), 1);
    assert!(count(&day.site, "session.rekeyed") >= 23);
    day.site.close().await;
}
