//! D18: several hosts share one database, and two daemons of one host do not.

use fargate_history::{HistoryError, HistoryLocation, HistoryStore, JobFilter};

use crate::jobs::HistoryContent;
use crate::place::{DAWN, JobShape, TestHistory, TestJournals, journal_text, key, read_all};
use crate::postgres::run_sql;

#[tokio::test]
async fn d18_hosts_with_one_database_keep_apart_what_is_theirs() {
    for history in TestHistory::each().await {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let journals = folders.each_ref().map(|folder| TestJournals::in_folder(folder.path()));
        let stores = [history.store.clone(), history.reopened().await];
        let mut ingests = Vec::new();
        for (host, (journals, store)) in
            ["ci-1", "ci-2"].into_iter().zip(journals.iter().zip(&stores))
        {
            // A restored host may bring the journal of a job that another one has.
            for number in 0..60 {
                journals.append(number, &journal_text(&JobShape::numbered(number).entries()));
            }
            ingests.push(journals.ingest(store, host));
        }
        let (one, other) = ingests.split_at_mut(1);
        tokio::join!(read_all(&mut one[0]), read_all(&mut other[0]));
        for host in ["ci-1", "ci-2"] {
            let filter = JobFilter { hosts: vec![host.to_owned()], ..JobFilter::default() };
            let page = stores[0].jobs(&filter, &Default::default()).await.unwrap();
            assert_eq!(page.total, 60);
        }
        let events = stores[1].events_after(0, 1_000_000).await.unwrap();
        let expected: usize =
            (0..60).map(|number| JobShape::numbered(number).entries().len()).sum();
        assert_eq!(events.len(), 2 * expected);
        let last = events.last().unwrap().sequence;
        assert_eq!(last, 2 * expected as u64, "numbers have no gaps");
        let hosts: Vec<_> =
            stores[0].hosts().await.unwrap().into_iter().map(|row| row.host).collect();
        assert_eq!(hosts, ["ci-1", "ci-2"]);
        assert_eq!(stores[0].verify_audit().await.unwrap().broken_at, None);
        assert_eq!(stores[0].find(key(7).as_str()).await.unwrap().len(), 2);
    }
}

/// A follower that remembers the last number misses no event, whoever writes meanwhile.
#[tokio::test]
async fn d18_a_follower_sees_each_event_of_two_hosts_once() {
    for history in TestHistory::each().await {
        let other = history.reopened().await;
        let write = |store: HistoryStore, host: &'static str| async move {
            for number in 0..40 {
                let mut update = JobShape::numbered(number).update(host);
                update.new_entries.truncate(3);
                // SQLite lets one process write at a time; who waits for too long tries again.
                while store.put(vec![update.clone()]).await.is_err() {}
            }
        };
        let writers = [
            tokio::spawn(write(history.store.clone(), "ci-1")),
            tokio::spawn(write(other, "ci-2")),
        ];
        let (mut last, mut seen) = (0, 0);
        while seen < 2 * 40 * 3 {
            for event in history.store.events_after(last, 50).await.unwrap() {
                assert_eq!(event.sequence, last + 1);
                last = event.sequence;
                seen += 1;
            }
            tokio::task::yield_now().await;
        }
        for writer in writers {
            writer.await.unwrap();
        }
    }
}

#[tokio::test]
async fn d18_a_second_daemon_of_a_state_folder_is_refused() {
    let history = TestHistory::in_file().await;
    let journals = TestJournals::in_folder(history.folder.path());
    let first = journals.ingest(&history.store, "ci-1");
    let settings = journals.settings("ci-1");
    let refused =
        fargate_history::JournalIngest::claim(history.store.clone(), settings).unwrap_err();
    let path = journals.folder.path().join("ingest.lock");
    assert_eq!(refused.to_string(), format!("another process holds {}", path.display()));
    drop(first);
    journals.ingest(&history.store, "ci-1");
}

#[tokio::test]
async fn d18_a_hosts_name_belongs_to_one_state_folder_until_it_is_silent_or_leaves() {
    for history in TestHistory::each().await {
        let store = &history.store;
        store.hear_host("ci-1", "one", "1.0.0", DAWN).await.unwrap();
        store.hear_host("ci-1", "one", "1.0.1", DAWN + 1_000).await.unwrap();
        let refused = store.hear_host("ci-1", "two", "1.0.0", DAWN + 59_000).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "another daemon with the state folder of owner one keeps the history of host ci-1: it was \
             heard 58 s ago. Give one of the two hosts another name, or stop one"
        );
        store.hear_host("ci-1", "two", "1.0.0", DAWN + 62_000).await.unwrap();
        assert!(store.hear_host("ci-1", "one", "1.0.0", DAWN + 63_000).await.is_err());
        store.leave_host("ci-1", "two").await.unwrap();
        let refused = store.hear_host("ci-1", "one", "1.0.0", DAWN + 64_000).await;
        assert!(matches!(refused, Ok(())), "{refused:?}");
    }
}

#[tokio::test]
async fn a_schema_of_a_newer_version_is_refused_and_left_as_it_is() {
    for history in TestHistory::each().await {
        history.store.put(vec![JobShape::numbered(1).update("ci-1")]).await.unwrap();
        let before = HistoryContent::of(&history.store).await;
        run_sql(&history.location, "UPDATE history_schema SET version = 99").unwrap();
        let refused = HistoryStore::open(&history.location).await.unwrap_err();
        assert!(matches!(refused, HistoryError::NewerSchema { found: 99, .. }), "{refused:?}");
        let said = refused.to_string();
        assert!(said.contains("has schema 99, which a newer fargate-runner made"), "{said}");
        assert!(!said.contains("password"), "{said}");
        assert_eq!(HistoryContent::of(&history.store).await, before);
    }
}

#[tokio::test]
async fn two_daemons_that_begin_at_once_make_one_schema() {
    let Some(location) = crate::postgres::new_database().await else { return };
    let opened: Vec<_> = (0..4)
        .map(|_| {
            let location = location.clone();
            tokio::spawn(
                async move { HistoryStore::open(&location).await.map(|opened| opened.store) },
            )
        })
        .collect();
    for opened in opened {
        opened.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_refused_in_time_and_without_its_password() {
    let url = "postgres://ci:s3cret@127.0.0.1:1/ci".to_owned();
    let started = std::time::Instant::now();
    let refused = HistoryStore::open(&HistoryLocation::Postgres(url)).await.unwrap_err();
    assert!(started.elapsed().as_secs() < 20);
    assert!(matches!(refused, HistoryError::Refused { .. }), "{refused:?}");
    assert!(!format!("{refused:?}").contains("s3cret"));
}
