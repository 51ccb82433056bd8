//! The disk of the state folder goes away while the daemon looks after live jobs.

use std::time::{Duration, Instant};

use fargate_tests::{CheckedHost, MovedClock, until};

use crate::{RunningDaemon, used_site};

/// Lets sweeps be due until ECS was asked for all tasks so many times more. A wait in the kernel goes on in real
/// time, so a connection wakes the daemon.
async fn sweeps(site: &CheckedHost, clock: &MovedClock, passed_s: &mut u32, more: usize) {
    let socket_at = ["state", "away"].map(|name| site.folder().join(name).join("daemon.sock"));
    for _ in 0..more {
        let (asked, mut set) = (site.calls("ListTasks"), None::<Instant>);
        until("a sweep", || {
            // The daemon may have begun to wait only after the clock was set.
            if set.is_none_or(|set| set.elapsed() > Duration::from_secs(2)) {
                *passed_s += 31;
                clock.set(&format!("+{passed_s}s"));
                set = Some(Instant::now());
            }
            for socket in &socket_at {
                drop(std::os::unix::net::UnixStream::connect(socket));
            }
            site.calls("ListTasks") > asked
        })
        .await;
    }
}

/// H2: without its records, each live task would look like an orphan.
#[tokio::test]
async fn live_tasks_are_no_orphans_while_the_state_folder_is_away_or_another_one() {
    let site = used_site().await;
    let job = site.prepared().await;
    let Some(clock) = MovedClock::all_time(&site) else {
        return fargate_tests::skip("faketime is missing");
    };
    let config = site.config();
    let serve = ["-c", config.to_str().expect("a path"), "serve", "--listen", "127.0.0.1:0"];
    let daemon = RunningDaemon::listening(&site, clock.start(&job, &serve)).await;
    assert_eq!(site.state_dir(), site.folder().join("state"), "where the socket is looked for");
    let (away, mut passed_s) = (site.folder().join("away"), 0);
    sweeps(&site, &clock, &mut passed_s, 1).await;

    std::fs::rename(site.state_dir(), &away).expect("a state folder");
    sweeps(&site, &clock, &mut passed_s, 3).await;
    until("the log says so", || site.log().contains("is lost, so no task is judged")).await;

    // A disk that comes up empty.
    for part in ["jobs", "locks", "tombstones"] {
        std::fs::create_dir_all(site.state_dir().join(part)).expect("an empty folder");
    }
    std::fs::write(site.state_dir().join("owner"), "host-new").expect("a name");
    sweeps(&site, &clock, &mut passed_s, 3).await;
    until("the log says so", || site.log().contains("it is another folder than at the start"))
        .await;
    assert_eq!(
        (site.calls("StopTask"), site.task_of(&job).desired_status.as_str()),
        (1, "RUNNING")
    );

    std::fs::remove_dir_all(site.state_dir()).expect("the empty folder");
    std::fs::rename(&away, site.state_dir()).expect("it is still there");
    sweeps(&site, &clock, &mut passed_s, 2).await;
    assert_eq!(site.task_of(&job).desired_status, "RUNNING");
    job.run("echo still here").await.passed();
    job.cleanup().await.passed();
    daemon.close().await;
    site.close().await;
}
