//! A clock that is set ahead must not empty the history or the audit log.

use std::time::Duration;

use fargate_history::{AuditEntry, JournalIngest};

use crate::place::{DAWN, JobShape, TestHistory, TestJournals, fill, journal_text, read_all};

const DAY_MS: u64 = 24 * 3600 * 1000;
const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn the_clock_of_pruning_follows_a_host_that_is_years_ahead_slowly_and_back_at_once() {
    for history in TestHistory::each().await {
        // PostgreSQL's own clock is right, and may lie before these jobs.
        let is_file = history.folder.path().join("history.db").exists();
        fill(&history.store, 10).await;
        let begun = history.store.pruning_time(DAWN + 400 * DAY_MS, Duration::ZERO).await.unwrap();
        assert!(begun.trusted_ms < DAWN + 2 * DAY_MS, "{begun:?}");
        assert!(begun.ahead > Duration::from_hours(24 * 390));
        // A restart, again and again, moves it nowhere.
        for _ in 0..5 {
            let again = history.store.pruning_time(DAWN + 400 * DAY_MS, Duration::ZERO).await;
            assert_eq!(again.unwrap().trusted_ms, begun.trusted_ms);
        }
        let later = history.store.pruning_time(DAWN + 400 * DAY_MS, HOUR).await.unwrap();
        if is_file {
            assert_eq!(later.trusted_ms, begun.trusted_ms + DAY_MS);
        }
        let right = DAWN - 3 * DAY_MS;
        let back = history.store.pruning_time(right, HOUR).await.unwrap();
        assert_eq!((back.trusted_ms, back.ahead), (right, Duration::ZERO));
    }
}

#[tokio::test]
async fn an_empty_history_begins_with_the_clock_of_its_host() {
    let history = TestHistory::in_file().await;
    let time = history.store.pruning_time(DAWN, Duration::ZERO).await.unwrap();
    assert_eq!((time.trusted_ms, time.ahead), (DAWN, Duration::ZERO));
}

/// The jobs end long before now as the host's clock has it: as if it had been set ahead by so much.
#[tokio::test]
async fn a_daemon_whose_clock_is_ahead_by_more_than_the_retention_removes_nothing_and_says_so() {
    for history in TestHistory::each().await {
        let journals = TestJournals::in_folder(history.folder.path());
        let begun = DAWN - 1000 * DAY_MS;
        for number in 0..20 {
            let shape = JobShape {
                received_ms: begun + u64::from(number) * 60_000,
                ..JobShape::numbered(number)
            };
            journals.append(number, &journal_text(&shape.entries()));
        }
        let entry = AuditEntry { at_ms: begun, who: "kim".to_owned(), ..AuditEntry::default() };
        history.store.add_audit(&entry).await.unwrap();
        let mut settings = journals.settings("ci-1");
        (settings.keep, settings.keep_audit) = (Duration::from_hours(24), Duration::from_hours(24));
        let mut ingest = JournalIngest::claim(history.store.clone(), settings).unwrap();
        let condition = ingest.condition();
        read_all(&mut ingest).await;
        assert_eq!(history.store.find("gl-4007").await.unwrap().len(), 1);
        assert!(history.store.audit_after(0, 100).await.unwrap().len() > 20);
        let words = condition.borrow().words().unwrap();
        assert!(
            words.starts_with("this host's clock is ") && words.contains("days ahead"),
            "{words}"
        );
    }
}
