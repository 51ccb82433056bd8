//! Jobs whose last words are missing, and jobs of which only a record or ECS knows.

use std::time::{Duration, SystemTime};

use fargate_events::TaskFact;
use fargate_history::{HistoryLocation, KnownTask};
use fargate_job_journal::{JobState, JobVerdict};
use fargate_model::moment::unix_ms;
use fargate_state::StateFolder;

use crate::jobs::HistoryContent;
use crate::place::{DAWN, JobShape, TestHistory, TestJournals, journal_text, key, read_all};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// As jobs leave the state folder: with its parts.
fn make_parts(journals: &TestJournals) {
    StateFolder::open(&journals.state_dir, Duration::ZERO).expect("a folder of ours");
}

#[tokio::test]
async fn d5_a_job_that_ended_without_a_word_is_closed_and_goes_on_if_it_speaks_again() {
    for history in TestHistory::each().await {
        let journals = TestJournals::in_folder(history.folder.path());
        make_parts(&journals);
        let entries = JobShape::numbered(1).entries();
        let text = journal_text(&entries);
        let in_script = journal_text(&entries[..12]);
        journals.append(1, &in_script);
        let mut ingest = journals.ingest(&history.store, "ci-1");
        read_all(&mut ingest).await;
        let silent_since = entries[11].time_ms;
        ingest.close_unheard(silent_since + 9 * MINUTE).await.unwrap();
        let story = history.store.find("gl-4001").await.unwrap().remove(0);
        assert_eq!((story.state, story.ended_ms), (JobState::Running, None));
        ingest.close_unheard(silent_since + 11 * MINUTE).await.unwrap();
        let story = history.store.find("gl-4001").await.unwrap().remove(0);
        assert_eq!(
            (story.state, story.verdict, story.ended_ms),
            (JobState::Finished, Some(JobVerdict::SystemFailure), Some(silent_since))
        );
        assert!(story.tries[0].cost_micro_usd.is_some());
        assert_eq!(history.store.live().await.unwrap(), []);
        journals.append(1, &text[in_script.len()..]);
        drop(ingest);
        read_all(&mut journals.ingest(&history.store, "ci-1")).await;
        let story = history.store.find("gl-4001").await.unwrap().remove(0);
        let whole = JobShape::numbered(1).update("ci-1").story;
        assert_eq!(story, whole);
    }
}

/// The daemon asks ECS at each start, and ECS may show the task of a closed job for another hour.
#[tokio::test]
async fn a_closed_job_whose_task_ecs_still_shows_stays_closed_and_is_audited_once() {
    for history in TestHistory::each().await {
        let journals = TestJournals::in_folder(history.folder.path());
        make_parts(&journals);
        let entries = JobShape::numbered(1).entries();
        journals.append(1, &journal_text(&entries[..12]));
        let mut ingest = journals.ingest(&history.store, "ci-1");
        read_all(&mut ingest).await;
        let silent_since = entries[11].time_ms;
        ingest.close_unheard(silent_since + 11 * MINUTE).await.unwrap();
        let closed = history.store.find("gl-4001").await.unwrap().remove(0);
        let stopped_ms = silent_since + 12 * MINUTE;
        let mut seen = known_task(1, "STOPPED");
        seen.task.task = closed.tries[0].task.clone().unwrap();
        seen.task.stopped_ms = Some(stopped_ms);
        for _ in 0..2 {
            ingest.rebuild_from_tasks(std::slice::from_ref(&seen)).await.unwrap();
            assert_eq!(history.store.live().await.unwrap(), []);
            ingest.close_unheard(silent_since + 30 * MINUTE).await.unwrap();
        }
        let story = history.store.find("gl-4001").await.unwrap().remove(0);
        assert_eq!((story.state, story.verdict), (closed.state, closed.verdict));
        assert_eq!(story.tries[0].times.stopped_ms, Some(stopped_ms));
        let records = history.store.audit_after(0, 100).await.unwrap();
        let ends = records.iter().filter(|record| record.entry.action == "job.ended").count();
        assert_eq!(ends, 1);
    }
}

#[tokio::test]
async fn a_silent_job_with_a_record_and_a_state_folder_that_is_gone_close_nothing() {
    let history = TestHistory::in_file().await;
    let journals = TestJournals::in_folder(history.folder.path());
    journals.append(1, &journal_text(&JobShape::numbered(1).entries()[..12]));
    let mut ingest = journals.ingest(&history.store, "ci-1");
    read_all(&mut ingest).await;
    // Without its parts nobody knows whether the folder held a record.
    ingest.close_unheard(DAWN + 20 * HOUR).await.unwrap();
    assert_eq!(history.store.live().await.unwrap().len(), 1);
    make_parts(&journals);
    let record = journals.state_dir.join("jobs").join(format!("{}.json", key(1)));
    std::fs::write(&record, "of a newer version").unwrap();
    ingest.close_unheard(DAWN + 20 * HOUR).await.unwrap();
    assert_eq!(history.store.live().await.unwrap().len(), 1);
    std::fs::remove_file(&record).unwrap();
    ingest.close_unheard(DAWN + 20 * HOUR).await.unwrap();
    assert_eq!(history.store.live().await.unwrap(), []);
}

#[tokio::test]
async fn d5_jobs_of_a_host_that_is_gone_for_a_day_are_closed_by_another_one() {
    for history in TestHistory::each().await {
        let begun_ms = unix_ms(SystemTime::now()) - 48 * HOUR;
        put_open_job(&history, "ci-gone", begun_ms, begun_ms + HOUR).await;
        let journals = TestJournals::in_folder(history.folder.path());
        let ingest = journals.ingest(&history.store, "ci-1");
        ingest.close_unheard(begun_ms + 24 * HOUR).await.unwrap();
        assert_eq!(history.store.live().await.unwrap().len(), 1);
        ingest.close_unheard(begun_ms + 26 * HOUR).await.unwrap();
        assert_eq!(history.store.live().await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_host_whose_clock_is_days_ahead_closes_no_job_of_another_host() {
    for history in TestHistory::each().await {
        if matches!(history.location, HistoryLocation::Sqlite(_)) {
            // Hosts that share a file share its clock.
            continue;
        }
        let now_ms = unix_ms(SystemTime::now());
        put_open_job(&history, "ci-2", now_ms - HOUR, now_ms).await;
        let journals = TestJournals::in_folder(history.folder.path());
        let ingest = journals.ingest(&history.store, "ci-1");
        ingest.close_unheard(now_ms + 72 * HOUR).await.unwrap();
        assert_eq!(history.store.live().await.unwrap().len(), 1);
    }
}

/// A job of another host that is in its script, and when that host was heard last.
async fn put_open_job(history: &TestHistory, host: &str, received_ms: u64, heard_ms: u64) {
    let shape = JobShape { received_ms, ..JobShape::numbered(1) };
    let mut update = shape.update(host);
    update.story = fargate_job_journal::JobStory::new(key(1).as_str());
    shape.entries()[..12].iter().for_each(|entry| update.story.apply(entry));
    history.store.put(vec![update]).await.unwrap();
    history.store.hear_host(host, "another folder", "1.0.0", heard_ms).await.unwrap();
}

/// What ECS says of the task of a job.
fn known_task(number: u32, status: &str) -> KnownTask {
    KnownTask {
        key: key(number).as_str().to_owned(),
        id: Some(format!("gl-{}", 4000 + number)),
        task: TaskFact {
            task: format!("arn:aws:ecs:eu-west-1:111122223333:task/ci/{number:032x}"),
            status: status.to_owned(),
            created_ms: Some(DAWN),
            started_ms: Some(DAWN + 40_000),
            ..TaskFact::default()
        },
    }
}

#[tokio::test]
async fn what_ecs_knows_makes_a_story_only_where_no_journal_tells_one() {
    for history in TestHistory::each().await {
        let journals = TestJournals::in_folder(history.folder.path());
        let entries = JobShape::numbered(2).entries();
        journals.append(2, &journal_text(&entries));
        let mut ingest = journals.ingest(&history.store, "ci-1");
        read_all(&mut ingest).await;
        let before = HistoryContent::of(&history.store).await;
        // A job whose journal lies there unread is left to it.
        journals.append(5, &journal_text(&JobShape::numbered(5).entries()));
        let known = [known_task(1, "RUNNING"), known_task(5, "RUNNING")];
        ingest.rebuild_from_tasks(&known).await.unwrap();
        ingest.rebuild_from_tasks(&known).await.unwrap();
        let story = history.store.find("gl-4001").await.unwrap().remove(0);
        assert_eq!((story.state, story.received_ms), (JobState::Starting, DAWN));
        assert_eq!(story.tries[0].times.started_ms, Some(DAWN + 40_000));
        assert_eq!(history.store.find("gl-4005").await.unwrap(), []);
        // If a journal turns up after all, it alone counts.
        journals.append(1, &journal_text(&JobShape::numbered(1).entries()));
        read_all(&mut ingest).await;
        let story = history.store.find("gl-4001").await.unwrap().remove(0);
        assert_eq!(story, JobShape::numbered(1).update("ci-1").story);
        let after = HistoryContent::of(&history.store).await;
        assert!(before.stories.iter().all(|story| after.stories.contains(story)));
    }
}
