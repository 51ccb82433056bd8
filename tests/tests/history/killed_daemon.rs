//! A daemon that is killed at any moment, again and again, while jobs write.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use fargate_history::{HistoryLocation, HistoryStore};
use fargate_tests::until;

use crate::jobs::HistoryContent;
use crate::place::{JobShape, TestHistory, TestJournals, journal_text, read_all};

/// Tells this program to be the daemon of that folder.
const FOLDER: &str = "FARGATE_TEST_HISTORY_FOLDER";
const URL: &str = "FARGATE_TEST_HISTORY_URL";
const JOBS: u32 = 60;
/// Few enough that each brings at least one whole entry of some job.
const ROUNDS: usize = 6;

/// Not a test: the daemon that the tests below start and kill.
#[tokio::test]
async fn daemon_of_the_folder_in_the_environment() {
    let Some(folder) = std::env::var_os(FOLDER).map(std::path::PathBuf::from) else { return };
    let location = match std::env::var(URL) {
        Ok(url) => HistoryLocation::Postgres(url),
        Err(_) => HistoryLocation::Sqlite(folder.join("history.db")),
    };
    let journals = TestJournals::in_folder(&folder);
    // The name of the host is free again once the killed one was silent, so each has its owner.
    let opened = HistoryStore::open(&location).await.expect("the history");
    journals.ingest(&opened.store, "ci-1").run(std::future::pending()).await;
}

fn start_daemon(folder: &Path, location: &HistoryLocation) -> Child {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.args(["--exact", "killed_daemon::daemon_of_the_folder_in_the_environment"]);
    command.env(FOLDER, folder);
    if let HistoryLocation::Postgres(url) = location {
        command.env(URL, url);
    }
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("this program")
}

/// G11, G13 for the history: nothing is lost and nothing doubled, whenever the daemon is killed.
#[tokio::test]
async fn g13_a_daemon_that_is_killed_in_a_loop_loses_and_doubles_no_event() {
    for history in TestHistory::each().await {
        let journals = TestJournals::in_folder(history.folder.path());
        let texts: Vec<String> =
            (0..JOBS).map(|job| journal_text(&JobShape::numbered(job).entries())).collect();
        let mut daemon = start_daemon(history.folder.path(), &history.location);
        let mut sequence = 0;
        for round in 0..ROUNDS {
            for (job, text) in (0..).zip(&texts) {
                let (from, to) = (text.len() * round / ROUNDS, text.len() * (round + 1) / ROUNDS);
                journals.append(job, &text[from..to]);
            }
            // It is killed at different moments of its work: after some of this round was stored.
            let store = &history.store;
            let seen = fargate_tests::until_found("something of this round is stored", || async {
                store.look_for_news().await.map_err(|error| error.to_string())?;
                let now = *store.sequence().borrow();
                if now > sequence { Ok(now) } else { Err(format!("still {now}")) }
            })
            .await;
            sequence = seen;
            daemon.kill().expect("a process of ours");
            daemon.wait().expect("a process of ours");
            daemon = start_daemon(history.folder.path(), &history.location);
        }
        daemon.kill().expect("a process of ours");
        daemon.wait().expect("a process of ours");
        read_all(&mut journals.ingest(&history.store, "ci-1")).await;
        let content = HistoryContent::of(&history.store).await;
        let clean = TestHistory::in_file().await;
        let again = TestJournals::in_folder(clean.folder.path());
        for (job, text) in (0..).zip(&texts) {
            again.append(job, text);
        }
        read_all(&mut again.ingest(&clean.store, "ci-1")).await;
        assert_eq!(content, HistoryContent::of(&clean.store).await);
        assert_eq!(history.store.verify_audit().await.unwrap().broken_at, None);
    }
}

/// H2: a migration that is killed leaves no schema or a whole one.
#[tokio::test]
async fn h2_a_killed_migration_is_done_by_the_next_daemon() {
    for written in [0, 1, 4_096, 16_384, 65_536] {
        let folder = tempfile::tempdir().unwrap();
        let location = HistoryLocation::Sqlite(folder.path().join("history.db"));
        let mut daemon = start_daemon(folder.path(), &location);
        let log = folder.path().join("history.db-wal");
        let length = || std::fs::metadata(&log).map(|file| file.len());
        until("the daemon writes", || length().is_ok_and(|length| length >= written)).await;
        daemon.kill().expect("a process of ours");
        daemon.wait().expect("a process of ours");
        let opened = HistoryStore::open(&location).await.unwrap();
        assert_eq!(opened.moved_aside, None);
        opened.store.put(vec![JobShape::numbered(1).update("ci-1")]).await.unwrap();
        assert_eq!(opened.store.find("gl-4001").await.unwrap().len(), 1);
    }
}
