//! A history that is lost together with the journals: `fargate-runner serve` fills it again from the records of
//! jobs and from what ECS says of their tasks, in a file and in PostgreSQL.

use fargate_history::{HistoryLocation, HistoryStore};
use fargate_job_journal::{JobState, JobStory};
use fargate_tests::{CheckedHost, TestProcess, until_found};
use nix::sys::signal::Signal;

use crate::postgres::{new_database, run_sql};

async fn daemon(site: &CheckedHost) -> TestProcess {
    let mut process = site.start(&["serve", "--listen", "127.0.0.1:0"]);
    process.wrote("http://").await;
    process
}

async fn end(process: TestProcess) {
    process.signal(Signal::SIGTERM);
    process.ended().await.with_code(0);
}

/// The story of a job once it is as `wanted` says.
async fn story_once(
    location: &HistoryLocation,
    key: &str,
    wanted: impl Fn(&JobStory) -> bool,
) -> JobStory {
    until_found("the job's story", async || {
        let store =
            HistoryStore::open_to_read(location).await.map_err(|error| error.to_string())?;
        let found = store.find(key).await.map_err(|error| error.to_string())?;
        store.close().await;
        match found.into_iter().next() {
            Some(story) if wanted(&story) => Ok(story),
            other => Err(format!("{other:?}")),
        }
    })
    .await
}

async fn play(site: &CheckedHost, location: &HistoryLocation, lose: impl Fn()) {
    let job = site.prepared().await;
    let key = job.key();
    let first = daemon(site).await;
    let whole = story_once(location, key.as_str(), |story| story.tries[0].ready_ms.is_some()).await;
    end(first).await;
    lose();
    std::fs::remove_dir_all(site.state_dir().join("journals")).expect("the journals");

    let second = daemon(site).await;
    // The record tells the job and its task, ECS the times.
    let has_times = |story: &JobStory| story.tries[0].times.started_ms.is_some();
    let story = story_once(location, key.as_str(), has_times).await;
    assert_eq!(story.description.id, whole.description.id);
    assert_eq!(
        (story.state, story.tries[0].task.as_ref()),
        (JobState::Starting, whole.tries[0].task.as_ref())
    );
    assert_eq!(story.tries[0].times.started_ms, whole.tries[0].times.started_ms);
    // The job goes on, and what it writes from now on counts.
    job.run("echo still here").await.passed();
    job.cleanup().await.passed();
    let is_over = |story: &JobStory| story.state == JobState::Finished;
    story_once(location, key.as_str(), is_over).await;
    end(second).await;
}

#[tokio::test]
async fn h2_a_history_lost_with_its_journals_is_filled_from_records_and_from_ecs() {
    let site = CheckedHost::open().await;
    let file = site.state_dir().join("history.db");
    let location = HistoryLocation::Sqlite(file.clone());
    play(&site, &location, || {
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{ending}", file.display()));
        }
        assert!(!file.exists());
    })
    .await;
    site.close().await;
}

#[tokio::test]
async fn h2_a_postgresql_history_lost_with_its_journals_is_filled_from_records_and_from_ecs() {
    let Some(location) = new_database().await else { return };
    let HistoryLocation::Postgres(url) = &location else { panic!("{location}") };
    let site = CheckedHost::open().await;
    site.set("history.url", url.as_str());
    play(&site, &location, || {
        let empty = "DROP SCHEMA public CASCADE; CREATE SCHEMA public";
        run_sql(&location, empty).expect("an empty database");
    })
    .await;
    site.close().await;
}
