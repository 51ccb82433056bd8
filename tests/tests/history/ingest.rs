//! Reading the journals of a host.

use std::time::Duration;

use fargate_history::{JobFilter, JournalIngest, PageRequest};
use fargate_job_journal::{JobState, JobVerdict};
use fargate_tests::until;

use crate::jobs::HistoryContent;
use crate::place::{JobShape, TestHistory, TestJournals, journal_text, key, read_all};

#[tokio::test]
async fn what_jobs_write_appears_while_they_write_it() {
    for history in TestHistory::each().await {
        let journals = TestJournals::in_folder(history.folder.path());
        let mut sequence = history.store.sequence();
        let ingest = journals.ingest(&history.store, "ci-1");
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(ingest.run(async {
            let _ = ended.await;
        }));
        let entries = JobShape::numbered(1).entries();
        for (number, entry) in entries.iter().enumerate() {
            journals.append(1, &journal_text(std::slice::from_ref(entry)));
            // Some come in alone, some together.
            if number % 3 == 0 {
                sequence.wait_for(|sequence| *sequence == number as u64 + 1).await.unwrap();
            }
        }
        sequence.wait_for(|sequence| *sequence == entries.len() as u64).await.unwrap();
        let found = history.store.find("gl-4001").await.unwrap();
        assert_eq!(
            (found[0].state, found[0].verdict),
            (JobState::Finished, Some(JobVerdict::Passed))
        );
        assert!(found[0].tries[0].cost_micro_usd.is_some());
        end.send(()).unwrap();
        running.await.unwrap();
        let hosts = history.store.hosts().await.unwrap();
        assert_eq!((hosts[0].host.as_str(), hosts[0].owner.as_str()), ("ci-1", ""));
    }
}

#[tokio::test]
async fn a_half_line_waits_for_its_end_and_a_damaged_one_costs_itself_alone() {
    let history = TestHistory::in_file().await;
    let journals = TestJournals::in_folder(history.folder.path());
    let mut ingest = journals.ingest(&history.store, "ci-1");
    let entries = JobShape::numbered(1).entries();
    let text = journal_text(&entries);
    let (half, rest) = text.split_at(text.len() / 2);
    journals.append(1, half);
    read_all(&mut ingest).await;
    let before = history.store.events_of(key(1).as_str()).await.unwrap();
    assert!(entries.starts_with(&before) && before.len() < entries.len());
    journals.append(1, rest);
    journals.append(1, "00000000 {\"torn\n");
    read_all(&mut ingest).await;
    assert_eq!(history.store.events_of(key(1).as_str()).await.unwrap(), entries);
    let story = history.store.find("gl-4001").await.unwrap().remove(0);
    assert_eq!(story.damaged_after_ms, Some(story.changed_ms));
}

#[tokio::test]
async fn a_link_in_the_place_of_a_journal_is_not_followed_and_holds_nothing_up() {
    let history = TestHistory::in_file().await;
    let journals = TestJournals::in_folder(history.folder.path());
    journals.append(2, &journal_text(&JobShape::numbered(2).entries()));
    let (path, other) = (journals.folder.journal(&key(1)), history.folder.path().join("other"));
    std::fs::write(&other, journal_text(&JobShape::numbered(1).entries())).unwrap();
    std::os::unix::fs::symlink(&other, &path).unwrap();
    let mut ingest = journals.ingest(&history.store, "ci-1");
    read_all(&mut ingest).await;
    assert_eq!(history.store.find("gl-4001").await.unwrap(), []);
    assert_eq!(history.store.find("gl-4002").await.unwrap().len(), 1);
    std::fs::rename(&other, &path).unwrap();
    drop(ingest);
    read_all(&mut journals.ingest(&history.store, "ci-1")).await;
    assert_eq!(history.store.find("gl-4001").await.unwrap().len(), 1);
}

#[tokio::test]
async fn many_journals_at_once_are_all_read() {
    let history = TestHistory::in_file().await;
    let journals = TestJournals::in_folder(history.folder.path());
    for number in 0..250 {
        journals.append(number, &journal_text(&JobShape::numbered(number).entries()));
    }
    let mut ingest = journals.ingest(&history.store, "ci-1");
    let condition = ingest.condition();
    assert!(ingest.step().await.unwrap());
    assert_eq!(condition.borrow().waiting_journals, 250);
    read_all(&mut ingest).await;
    assert_eq!(condition.borrow().waiting_journals, 0);
    assert!(condition.borrow().current_ms.is_some());
    let page = history.store.jobs(&JobFilter::default(), &PageRequest::default()).await.unwrap();
    assert_eq!(page.total, 250);
}

#[tokio::test]
async fn an_old_journal_is_removed_only_after_all_of_it_was_read() {
    let history = TestHistory::in_file().await;
    let journals = TestJournals::in_folder(history.folder.path());
    for number in 1..=3 {
        let entries = JobShape::numbered(number).entries();
        // The second job is not over.
        let entries = if number == 2 { &entries[..9] } else { &entries[..] };
        journals.append(number, &journal_text(entries));
    }
    let age = |number: u32, days: u64| {
        let file =
            std::fs::File::options().append(true).open(journals.folder.journal(&key(number)));
        let then = std::time::SystemTime::now() - Duration::from_secs(days * 24 * 3600);
        file.unwrap().set_modified(then).unwrap();
    };
    for (number, days) in [(1, 8), (2, 8), (3, 6)] {
        age(number, days);
    }
    // What is due at the first step comes after all was read.
    let mut settings = journals.settings("ci-1");
    settings.keep = Duration::from_secs(100_000 * 24 * 3600);
    let mut ingest = JournalIngest::claim(history.store.clone(), settings).unwrap();
    read_all(&mut ingest).await;
    let left: Vec<_> =
        (1..=3).filter(|number| journals.folder.journal(&key(*number)).exists()).collect();
    assert_eq!(left, [2, 3]);
    assert_eq!(history.store.find("gl-4001").await.unwrap().len(), 1);
}

/// H1: another process holds the database. Pages are read on, and nothing that jobs write is lost.
#[tokio::test]
async fn h1_while_another_process_holds_the_database_pages_are_read_and_nothing_is_lost() {
    let history = TestHistory::in_file().await;
    let journals = TestJournals::in_folder(history.folder.path());
    let mut ingest = journals.ingest(&history.store, "ci-1");
    journals.append(1, &journal_text(&JobShape::numbered(1).entries()));
    read_all(&mut ingest).await;
    let script = "import sqlite3, sys\n\
                  base = sqlite3.connect(sys.argv[1]); base.execute('BEGIN IMMEDIATE')\n\
                  print('held', flush=True); sys.stdin.read()";
    let mut holder = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(history.file())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = holder.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
    let condition = ingest.condition();
    journals.append(2, &journal_text(&JobShape::numbered(2).entries()));
    let refused = ingest.step().await.unwrap_err();
    assert_eq!(refused.to_string(), "writing to the history: another process holds the database");
    assert!(condition.borrow().trouble.is_some());
    assert_eq!(history.store.find("gl-4001").await.unwrap().len(), 1);
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    read_all(&mut ingest).await;
    assert_eq!(condition.borrow().trouble, None);
    assert_eq!(history.store.find("gl-4002").await.unwrap().len(), 1);
}

/// H3: PostgreSQL hangs up on everybody. The ingest goes on by itself.
#[tokio::test]
async fn h3_connections_that_the_server_ended_are_made_again() {
    let each = TestHistory::each().await;
    let Some(history) = each.get(1) else { return };
    let journals = TestJournals::in_folder(history.folder.path());
    let ingest = journals.ingest(&history.store, "ci-1");
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(ingest.run(async {
        let _ = ended.await;
    }));
    let hang_up = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for number in 1..=5 {
        crate::postgres::run_sql(&history.location, hang_up).unwrap();
        journals.append(number, &journal_text(&JobShape::numbered(number).entries()));
    }
    let total: u64 = (1..=5).map(|number| JobShape::numbered(number).entries().len() as u64).sum();
    let sequence = history.store.sequence();
    until("all events are stored", || *sequence.borrow() == total).await;
    end.send(()).unwrap();
    running.await.unwrap();
    assert_eq!(HistoryContent::of(&history.store).await.rows.len(), 5);
}
