//! The journals of a host's jobs: the stories that they tell, who adds to them when an orphan was stopped, and when
//! old ones go. Files are all that it knows: no daemon is asked, so it gives no usual times.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use fargate_events::EventSink;
use fargate_job_journal::{JobStory, JournalFolder, JournalSink, ToldStory};
use fargate_mask::SharedMasker;
use fargate_model::job::JobKey;
use fargate_model::price::TaskPrices;
use fargate_state::StateFolder;

use crate::host_jobs::{JobPhase, KnownJob, SHORTEST_PREFIX};
use crate::report::{OrphanOutcome, OrphanReport};
use crate::stop_orphans::orphan_event;

/// The stories of jobs, as far as they have journals that can be read.
pub type JobStories = HashMap<JobKey, JobStory>;

/// The stories of these jobs at `now_ms` (milliseconds since 1970). One whose journal cannot be read has none.
#[must_use]
pub fn stories_of(
    state_dir: &Path,
    jobs: &[KnownJob],
    prices: &TaskPrices,
    now_ms: u64,
) -> JobStories {
    let story = |job: &KnownJob| {
        let told = ToldStory::read(state_dir, &job.key, prices, now_ms).ok()??;
        Some((job.key.clone(), told.story))
    };
    jobs.iter().filter_map(story).collect()
}

/// The job that only a journal knows: its process ended before it wrote a record. `given` is its id, or the
/// beginning of its key.
#[must_use]
pub fn journaled_job(state_dir: &Path, given: &str) -> Option<KnownJob> {
    let is_prefix = given.len() >= SHORTEST_PREFIX;
    let prices = TaskPrices::default();
    let is_it = |key: &JobKey| {
        let told = || ToldStory::read(state_dir, key, &prices, 0).ok().flatten();
        is_prefix && key.as_str().starts_with(given)
            || told().is_some_and(|told| told.story.description.id == given)
    };
    let key = JournalFolder::of(state_dir).keys().ok()?.into_iter().find(is_it)?;
    Some(KnownJob {
        key,
        phase: JobPhase::Finished,
        record: None,
        tombstone: None,
        cleaned_up: None,
    })
}

/// Adds to the journals of jobs whose tasks were stopped as orphans that this happened. Jobs without a journal
/// get none.
pub fn tell_orphans(state_dir: &Path, orphans: &[OrphanReport], masker: &SharedMasker) {
    let folder = JournalFolder::of(state_dir);
    let is_stopped = |orphan: &&OrphanReport| {
        matches!(orphan.done, OrphanOutcome::Stopped | OrphanOutcome::Settled)
    };
    for orphan in orphans.iter().filter(is_stopped) {
        if folder.journal(&orphan.job).exists() {
            let (folder, key) = (folder.clone(), orphan.job.clone());
            let sink = JournalSink::new(folder, key, "reap".to_owned(), masker.clone());
            sink.take(&orphan_event(orphan));
        }
    }
}

/// Removes journals of jobs that have no record and were quiet for `age`. Returns how many are gone.
pub fn sweep_journals(
    state_dir: &Path,
    lock_within: Duration,
    age: Duration,
    now: SystemTime,
) -> usize {
    let Ok(folder) = StateFolder::existing(state_dir, lock_within) else { return 0 };
    let lives = |key: &JobKey| folder.record_path(key).exists();
    JournalFolder::of(state_dir).sweep(age, now, lives)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orphan_reason::OrphanReason;
    use fargate_events::JobEvent;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn key(byte: u8) -> JobKey {
        JobKey::from_bits([byte; 32])
    }

    fn orphan(job: &JobKey, done: OrphanOutcome) -> OrphanReport {
        OrphanReport {
            task: None,
            job: job.clone(),
            job_id: None,
            cluster: "ci".to_owned(),
            region: "eu-west-1".to_owned(),
            age: None,
            reason: OrphanReason::Overdue,
            done,
        }
    }

    /// A state folder in which these jobs have a journal.
    fn host(journaled: &[u8]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        drop(StateFolder::open(root.path(), Duration::from_secs(1)).unwrap());
        for byte in journaled {
            let folder = JournalFolder::of(root.path());
            let masker = SharedMasker::default();
            let sink = JournalSink::new(folder, key(*byte), "prepare".to_owned(), masker);
            sink.take(&JobEvent::JobReceived { project: 7, timeout_s: None });
        }
        root
    }

    #[test]
    fn a_stopped_orphan_is_told_in_the_journal_of_its_job_and_in_no_new_one() {
        let root = host(&[1, 2]);
        let stopped = [1, 3].map(|byte| orphan(&key(byte), OrphanOutcome::Stopped));
        let seen = orphan(&key(2), OrphanOutcome::SeenOnce);
        let orphans = [&stopped[..], &[seen]].concat();
        tell_orphans(root.path(), &orphans, &SharedMasker::default());
        let prices = TaskPrices::default();
        let entries = |byte: u8| {
            let told = ToldStory::read(root.path(), &key(byte), &prices, 0).unwrap();
            told.map(|told| told.entries.len())
        };
        assert_eq!([1, 2, 3].map(entries), [Some(2), Some(1), None]);
    }

    #[test]
    fn a_job_without_a_record_is_found_by_the_beginning_of_its_key() {
        let root = host(&[0xab]);
        let given = key(0xab).as_str()[..8].to_owned();
        assert_eq!(journaled_job(root.path(), &given).map(|job| job.key), Some(key(0xab)));
        assert!(journaled_job(root.path(), "abc").is_none(), "too short to name a job");
        let job = journaled_job(root.path(), &given).unwrap();
        let stories = stories_of(root.path(), &[job], &TaskPrices::default(), 1);
        assert!(stories.contains_key(&key(0xab)));
    }

    #[test]
    fn the_journal_of_a_job_with_a_record_stays_however_old_it_is() {
        let root = host(&[1, 2]);
        let folder = StateFolder::existing(root.path(), Duration::from_secs(1)).unwrap();
        std::fs::write(folder.record_path(&key(1)), "").unwrap();
        let later = SystemTime::now() + 2 * DAY;
        assert_eq!(sweep_journals(root.path(), Duration::from_secs(1), DAY, later), 1);
        assert_eq!(JournalFolder::of(root.path()).keys().unwrap(), [key(1)]);
    }
}
