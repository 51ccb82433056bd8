//! The daemon is killed again and again while jobs run.

use std::collections::HashMap;
use std::rc::Rc;

use fargate_history::{HistoryLocation, HistoryStore};
use fargate_job_journal::{JobVerdict, JournalFolder, read_journal};
use fargate_tests::{BUILD_FAILURE, CheckedHost, TestJob, until_found};
use tokio::task::{JoinSet, LocalSet};

use crate::{RunningDaemon, used_site};

/// A few at a time.
const JOBS: usize = 200;
const AT_ONCE: usize = 8;

/// One job, which fails if its number is odd.
async fn play(job: Rc<TestJob>, fails: bool) {
    job.prepare().await.passed();
    match fails {
        true => drop(job.run("echo no; exit 3").await.with_code(BUILD_FAILURE)),
        false => job.run("echo yes").await.passed(),
    }
    job.cleanup().await.passed();
}

async fn jobs_in_crowds(jobs: &[Rc<TestJob>]) {
    for (crowd, some) in jobs.chunks(AT_ONCE).enumerate() {
        let all_played = async {
            let mut playing = JoinSet::new();
            for (place, job) in some.iter().enumerate() {
                playing.spawn_local(play(Rc::clone(job), (crowd * AT_ONCE + place) % 2 == 1));
            }
            // Panics if one of them did.
            playing.join_all().await;
        };
        LocalSet::new().run_until(all_played).await;
    }
}

/// G11 and D5 for a whole host.
#[tokio::test]
async fn a_daemon_killed_in_a_loop_costs_no_job_no_event_and_no_stop() {
    let _alone = crate::CROWD.lock().await;
    let site = used_site().await;
    // The subject is the daemon and not the rate of an account, which would make the jobs wait.
    site.set("defaults.limits.ecs_reads_per_second", 1000);
    let jobs: Vec<_> = (0..JOBS).map(|_| site.job()).collect();
    let mut kills = 0;
    let killing = async {
        loop {
            let daemon = RunningDaemon::of(&site).await;
            daemon.kill().await;
            kills += 1;
        }
    };
    tokio::select! {
        () = jobs_in_crowds(&jobs) => {}
        () = killing => {}
    }
    assert!(kills >= 3, "{kills} kills");
    let daemon = RunningDaemon::of(&site).await;
    let journals = JournalFolder::of(&site.state_dir());
    let written: HashMap<_, _> = jobs
        .iter()
        .map(|job| {
            let part = read_journal(&journals, &job.key(), 0).expect("a journal");
            assert_eq!(part.damaged_lines, 0);
            (job.key(), part.entries)
        })
        .collect();
    let location = HistoryLocation::Sqlite(site.state_dir().join("history.db"));
    let store = HistoryStore::open(&location).await.expect("the history").store;
    for (number, job) in jobs.iter().enumerate() {
        let key = job.key();
        let stored = until_found("all events of a job", async || {
            let stored = store.events_of(key.as_str()).await.map_err(|error| error.to_string())?;
            let (have, want) = (stored.len(), written[&key].len());
            if have >= want { Ok(stored) } else { Err(format!("{have} of {want}")) }
        })
        .await;
        assert_eq!(stored, written[&key], "each event once, in order");
        let stories = store.find(key.as_str()).await.expect("the history");
        let verdict = if number % 2 == 1 { JobVerdict::Failed } else { JobVerdict::Passed };
        assert_eq!(stories[0].verdict, Some(verdict), "job {number}");
    }
    store.close().await;
    daemon.close().await;
    no_double_stop(&site, &jobs);
    site.close().await;
}

fn no_double_stop(site: &CheckedHost, jobs: &[Rc<TestJob>]) {
    let requests = site.cloud().requests();
    for job in jobs {
        let task = site.task_of(job).arn;
        let is_its = |one: &&fargate_local_cloud::RequestRecord| {
            one.operation == "StopTask" && one.body["task"] == task.as_str()
        };
        assert_eq!(requests.iter().filter(is_its).count(), 1, "{task}");
    }
}
