//! H2: a database that is damaged, torn, no database at all, or on a full disk.

use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use fargate_history::{HistoryError, HistoryLocation, HistoryStore};
use fargate_tests::{have, skip};

use crate::jobs::HistoryContent;
use crate::place::{JobShape, TestHistory, TestJournals, journal_text, key, read_all};
use crate::postgres::run_sql;

const JOBS: u32 = 60;
/// Tells this program which folder is on a disk that is soon full.
const SMALL_DISK: &str = "FARGATE_TEST_SMALL_DISK";

/// A history that holds what the journals beside it tell.
async fn read_history() -> (TestHistory, TestJournals, HistoryContent) {
    let history = TestHistory::in_file().await;
    let journals = TestJournals::in_folder(history.folder.path());
    for number in 0..JOBS {
        journals.append(number, &journal_text(&JobShape::numbered(number).entries()));
    }
    read_all(&mut journals.ingest(&history.store, "ci-1")).await;
    let content = HistoryContent::of(&history.store).await;
    (history, journals, content)
}

/// Overwrites some pages of 4 KiB.
fn damage_pages(path: &Path, pages: impl Iterator<Item = u64>) {
    let file = std::fs::File::options().write(true).open(path).unwrap();
    pages.for_each(|page| file.write_all_at(&[0xa5; 4096], page * 4096).unwrap());
}

#[tokio::test]
async fn h2_a_damaged_database_is_moved_aside_and_filled_again_from_the_journals() {
    for pages in [0..1, 3..4, 20..40] {
        let (history, journals, content) = read_history().await;
        history.store.close().await;
        damage_pages(history.file(), pages.clone());
        let opened = HistoryStore::open(&history.location).await.unwrap();
        let aside = opened.moved_aside.expect("it is damaged");
        let name = aside.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("history.db.damaged-20") && aside.exists(), "{name}");
        assert_eq!(opened.store.live().await.unwrap(), []);
        read_all(&mut journals.ingest(&opened.store, "ci-1")).await;
        assert_eq!(HistoryContent::of(&opened.store).await, content, "{pages:?}");
    }
}

#[tokio::test]
async fn h2_a_database_that_is_damaged_while_it_is_used_is_replaced_and_the_daemon_goes_on() {
    let (history, journals, content) = read_history().await;
    let mut ingest = journals.ingest(&history.store, "ci-1");
    run_sql(&history.location, "PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let pages = std::fs::metadata(history.file()).unwrap().len() / 4096;
    damage_pages(history.file(), 1..pages);
    let moved_aside = history.store.moved_aside();
    let late = JobShape::numbered(JOBS);
    journals.append(JOBS, &journal_text(&late.entries()));
    read_all(&mut ingest).await;
    read_all(&mut ingest).await;
    assert!(moved_aside.borrow().as_ref().is_some_and(|aside| aside.exists()));
    let after = HistoryContent::of(&history.store).await;
    assert!(content.stories.iter().all(|story| after.stories.contains(story)));
    assert_eq!(history.store.find("gl-4060").await.unwrap(), [late.update("ci-1").story]);
    let mode = std::fs::metadata(history.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Statements that damage what counts jobs, events and entries of the audit log.
const COUNTER_DAMAGE: [&str; 6] = [
    "DELETE FROM counters",
    "UPDATE counters SET jobs = 0, events = 3",
    "INSERT INTO counters VALUES (1, 1)",
    "UPDATE counters SET jobs = -5",
    "DELETE FROM audit_state",
    "UPDATE audit_state SET last_sequence = 1",
];

#[tokio::test]
async fn h2_a_counter_that_is_lost_or_wrong_is_counted_again_without_a_restart() {
    for history in TestHistory::each().await {
        let journals = TestJournals::in_folder(history.folder.path());
        let mut ingest = journals.ingest(&history.store, "ci-1");
        journals.append(0, &journal_text(&JobShape::numbered(0).entries()));
        read_all(&mut ingest).await;
        for (number, damage) in (1..).zip(COUNTER_DAMAGE) {
            run_sql(&history.location, damage).unwrap();
            journals.append(number, &journal_text(&JobShape::numbered(number).entries()));
            read_all(&mut ingest).await;
            let shape = JobShape::numbered(number);
            let found = history.store.find(key(number).as_str()).await.unwrap();
            assert_eq!(found, [shape.update("ci-1").story], "{}: {damage}", history.location);
            let events = history.store.events_of(key(number).as_str()).await.unwrap();
            assert_eq!(events, shape.entries(), "{}: {damage}", history.location);
        }
        assert_eq!(history.store.moved_aside().borrow().clone(), None, "nothing was replaced");
        let verified = history.store.verify_audit().await.unwrap();
        assert_eq!(verified.broken_at, None, "{verified:?}");
        let numbers: Vec<u64> = history
            .store
            .events_after(0, 10_000)
            .await
            .unwrap()
            .iter()
            .map(|event| event.sequence)
            .collect();
        assert!(numbers.is_sorted_by(|one, other| one < other), "{numbers:?}");
    }
}

#[tokio::test]
async fn h2_damage_that_nothing_mends_is_an_error_each_time_and_spins_nobody() {
    for history in TestHistory::each().await {
        let journals = TestJournals::in_folder(history.folder.path());
        let mut ingest = journals.ingest(&history.store, "ci-1");
        read_all(&mut ingest).await;
        run_sql(&history.location, "ALTER TABLE jobs RENAME COLUMN is_spot TO was_spot").unwrap();
        journals.append(1, &journal_text(&JobShape::numbered(1).entries()));
        let condition = ingest.condition();
        for _ in 0..3 {
            let refused = ingest.step().await;
            assert!(refused.is_err(), "{}: {refused:?}", history.location);
        }
        assert!(condition.borrow().words().is_some());
        let location = history.location.clone();
        let mended = tokio::task::spawn_blocking(move || {
            run_sql(&location, "ALTER TABLE jobs RENAME COLUMN was_spot TO is_spot")
        });
        // Meanwhile the connection of the last try is closed, which held the database.
        mended.await.unwrap().unwrap();
        read_all(&mut ingest).await;
        assert_eq!(condition.borrow().words(), None);
        assert_eq!(history.store.find("gl-4001").await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn h2_tables_of_postgresql_that_are_gone_are_made_again_and_the_others_kept_aside() {
    let each = TestHistory::each().await;
    let Some(history) = each.get(1) else { return };
    let journals = TestJournals::in_folder(history.folder.path());
    let mut ingest = journals.ingest(&history.store, "ci-1");
    let mut jobs = 20;
    for number in 1..=jobs {
        journals.append(number, &journal_text(&JobShape::numbered(number).entries()));
    }
    read_all(&mut ingest).await;
    for gone in
        ["DROP TABLE events", "DROP TABLE history_schema", "DROP TABLE counters, audit_state"]
    {
        run_sql(&history.location, gone).unwrap();
        jobs += 1;
        journals.append(jobs, &journal_text(&JobShape::numbered(jobs).entries()));
        read_all(&mut ingest).await;
        read_all(&mut ingest).await;
        let after = HistoryContent::of(&history.store).await;
        assert_eq!(after.rows.len(), jobs as usize, "{gone}");
        assert!(history.store.moved_aside().borrow().is_some(), "{gone}");
    }
    let aside = history.store.moved_aside().borrow().clone().unwrap();
    let count = format!("SELECT COUNT(*) FROM {}.jobs", aside.display());
    run_sql(&history.location, &count).unwrap();
    assert_eq!(history.store.verify_audit().await.unwrap().broken_at, None);
}

#[tokio::test]
async fn h2_a_database_whose_file_is_gone_while_it_is_used_is_made_and_filled_again() {
    let (history, journals, content) = read_history().await;
    let mut ingest = journals.ingest(&history.store, "ci-1");
    for ending in ["", "-wal", "-shm"] {
        std::fs::remove_file(with_ending(history.file(), ending)).unwrap();
    }
    // The first step notices it.
    read_all(&mut ingest).await;
    read_all(&mut ingest).await;
    assert!(history.file().exists());
    assert_eq!(HistoryContent::of(&history.store).await, content);
}

#[tokio::test]
async fn h2_a_damaged_database_that_cannot_be_moved_now_is_replaced_once_it_can() {
    let (history, journals, content) = read_history().await;
    run_sql(&history.location, "PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let pages = std::fs::metadata(history.file()).unwrap().len() / 4096;
    damage_pages(history.file(), 1..pages);
    let mut ingest = journals.ingest(&history.store, "ci-1");
    // Its log cannot be renamed: a folder with something in it stands in the place of the new name.
    let log = with_ending(history.file(), "-shm");
    let is_there = log.exists();
    let _ = std::fs::remove_file(&log);
    std::fs::create_dir(&log).unwrap();
    std::fs::write(log.join("in the way"), "").unwrap();
    let mut refused = 0;
    while ingest.step().await.is_err() && refused < 3 {
        refused += 1;
    }
    assert!(refused >= 1, "{is_there}");
    std::fs::remove_dir_all(&log).unwrap();
    for _ in 0..3 {
        while ingest.step().await.unwrap_or(false) {}
    }
    assert_eq!(HistoryContent::of(&history.store).await, content);
}

#[tokio::test]
async fn h2_while_the_folder_of_the_database_is_away_nothing_is_made_in_its_place() {
    let (history, journals, content) = read_history().await;
    let mut ingest = journals.ingest(&history.store, "ci-1");
    let folder = history.folder.path();
    let away = folder.with_extension("away");
    std::fs::rename(folder, &away).unwrap();
    let refused = ingest.step().await.unwrap_err();
    assert!(refused.to_string().contains("is lost; check its disk"), "{refused}");
    assert!(!folder.exists());
    std::fs::rename(&away, folder).unwrap();
    read_all(&mut ingest).await;
    assert_eq!(HistoryContent::of(&history.store).await, content);
}

#[tokio::test]
async fn h2_a_torn_log_of_the_database_loses_only_what_is_read_again() {
    let (history, journals, content) = read_history().await;
    let log = std::fs::read(with_ending(history.file(), "-wal")).unwrap();
    assert!(log.len() > 100_000, "{}", log.len());
    for kept in [0, 1, 31, 5_000, log.len() / 3, log.len() / 2, log.len() - 1] {
        let copy = tempfile::tempdir().unwrap();
        let path = copy.path().join("history.db");
        std::fs::copy(history.file(), &path).unwrap();
        std::fs::write(with_ending(&path, "-wal"), &log[..kept]).unwrap();
        let opened = HistoryStore::open(&HistoryLocation::Sqlite(path)).await.unwrap();
        assert_eq!(opened.moved_aside, None, "{kept}");
        read_all(&mut journals.ingest(&opened.store, "ci-1")).await;
        assert_eq!(HistoryContent::of(&opened.store).await, content, "{kept}");
    }
}

#[tokio::test]
async fn h2_a_file_that_is_no_database_is_moved_aside_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    std::fs::write(&path, "this is no database, and somebody may miss it").unwrap();
    let opened = HistoryStore::open(&HistoryLocation::Sqlite(path)).await.unwrap();
    let aside = std::fs::read_to_string(opened.moved_aside.unwrap()).unwrap();
    assert_eq!(aside, "this is no database, and somebody may miss it");
}

#[tokio::test]
async fn a_database_in_a_folder_that_cannot_be_made_is_refused_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file/history.db");
    std::fs::write(folder.path().join("file"), "").unwrap();
    let refused = HistoryStore::open(&HistoryLocation::Sqlite(path.clone())).await.unwrap_err();
    assert!(matches!(refused, HistoryError::File { .. }), "{refused:?}");
    assert!(refused.to_string().ends_with(path.to_str().unwrap()), "{refused}");
}

/// H2: while the disk is full, the ingest waits and says so; once there is room, nothing is missing.
#[tokio::test]
async fn h2_a_full_disk_makes_the_ingest_wait_and_loses_nothing() {
    let Some(disk) = std::env::var_os(SMALL_DISK).map(PathBuf::from) else {
        play_on_small_disk();
        return;
    };
    let (history, journals, content) = read_history().await;
    let location = HistoryLocation::Sqlite(disk.join("history.db"));
    let store = HistoryStore::open(&location).await.unwrap().store;
    let filler = disk.join("filler");
    fill_up(&filler);
    let mut ingest = journals.ingest(&store, "ci-1");
    let condition = ingest.condition();
    let refused = ingest.step().await.unwrap_err();
    assert!(matches!(refused, HistoryError::Full { .. }), "{refused:?}");
    assert!(condition.borrow().trouble.as_deref().is_some_and(|said| said.contains("is full")));
    assert!(ingest.step().await.is_err());
    // Pages are answered meanwhile, and jobs write on.
    assert_eq!(store.live().await.unwrap(), []);
    std::fs::remove_file(&filler).unwrap();
    read_all(&mut ingest).await;
    assert_eq!(condition.borrow().trouble, None);
    assert_eq!(HistoryContent::of(&store).await, content);
    drop(history);
}

/// Leaves no room at all.
fn fill_up(path: &Path) {
    use std::io::Write;
    let mut filler = std::fs::File::create(path).unwrap();
    while filler.write_all(&[0; 1024]).is_ok() {}
    drop(filler);
    let mut last = std::fs::File::options().append(true).open(path).unwrap();
    while last.write_all(&[0]).is_ok() {}
}

/// Runs the same test again in a mount namespace with a disk of 4 MiB.
fn play_on_small_disk() {
    if !have("bwrap") {
        return;
    }
    let disk = tempfile::tempdir().unwrap();
    let size = (4 * 1024 * 1024).to_string();
    let played = Command::new("bwrap")
        .args(["--bind", "/", "/", "--dev", "/dev", "--size", &size, "--tmpfs"])
        .arg(disk.path())
        .arg("--")
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", "damage::h2_a_full_disk_makes_the_ingest_wait_and_loses_nothing"])
        .env(SMALL_DISK, disk.path())
        .output()
        .expect("bwrap");
    let said = String::from_utf8_lossy(&played.stderr);
    if said.contains("bwrap:") && said.contains("namespace") {
        skip(&format!("this machine has no namespaces: {said}"));
        return;
    }
    assert!(played.status.success(), "{said}\n{}", String::from_utf8_lossy(&played.stdout));
    assert!(String::from_utf8_lossy(&played.stdout).contains("1 passed"));
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
