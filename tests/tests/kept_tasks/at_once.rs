//! A person, the sweep and the clean-up of the runner end a kept task at the same time.

use fargate_tests::{BUILD_FAILURE, until};

use crate::{keep_until, kept, name_of, prepared, site};

/// Tries, because each meets another order.
const TRIES: usize = 6;

#[tokio::test]
async fn release_sweep_and_clean_up_at_once_leave_no_task_and_no_key() {
    let site = site().await;
    for _ in 0..TRIES {
        let job = kept(&site, "20m").await;
        let name = name_of(&job);
        job.change_state(|state| state["kept"]["keep_until_unix_s"] = 1_700_000_000.into());
        let sweeps = [(); 2].map(|()| site.start(&["tasks", "reap"]));
        let releases = [(); 2].map(|()| site.start(&["jobs", "release", &name]));
        job.cleanup().await.passed();
        for command in sweeps.into_iter().chain(releases) {
            let ended = command.ended().await;
            assert!(!ended.err().contains("panicked"), "{}", ended.err());
        }
        assert_eq!(site.task_of(&job).desired_status, "STOPPED");
        assert!(!job.state_file().exists(), "{:?}", job.state());
    }
    site.close().await;
}

#[tokio::test]
async fn a_release_and_a_sweep_while_the_clean_up_keeps_the_task_leave_it_kept_or_stopped() {
    let site = site().await;
    for _ in 0..TRIES {
        let job = prepared(&site, "20m").await;
        let name = name_of(&job);
        job.run("exit 3").await.with_code(BUILD_FAILURE);
        let sweep = site.start(&["tasks", "reap"]);
        let release = site.start(&["jobs", "release", &name]);
        let hold = site.start(&["jobs", "hold", &name, "--for", "25m"]);
        let (one, other) = tokio::join!(job.cleanup(), job.cleanup());
        for ended in [one, other, sweep.ended().await, release.ended().await, hold.ended().await] {
            assert!(!ended.err().contains("panicked"), "{}", ended.err());
        }
        if keep_until(&job).is_some() {
            assert_eq!(site.task_of(&job).desired_status, "RUNNING");
            site.start(&["jobs", "release", &name]).ended().await.with_code(0);
        }
        until("the task is told to end", || site.task_of(&job).desired_status == "STOPPED").await;
        assert!(!job.state_file().exists(), "{:?}", job.state());
    }
    site.close().await;
}
