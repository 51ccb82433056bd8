//! The jobs of a host as a person sees them: all that have a record, and those that were cleaned up a
//! short time ago. One of them is found by its name or by the beginning of its key.
//!
//! It reads the state folder and nothing else: it asks no service, takes no lock for longer than a
//! look, and changes nothing. What became of a job that is over, only its forge knows.

use std::path::Path;
use std::time::{Duration, SystemTime};

use fargate_model::job::JobKey;
use fargate_model::moment::time_of_unix_ms;
use fargate_state::{JobRecord, JobTombstone, KeptTask, RecordState, StateError, StateFolder};

/// Fewest characters of a key that name a job.
pub(crate) const SHORTEST_PREFIX: usize = 4;
/// Most names that an error lists.
const MOST_NEAR: usize = 3;
/// Shown characters of a key.
const SHORT_KEY: usize = 8;

/// Where a job of this host stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobPhase {
    /// Its `prepare` is running.
    Starting,
    /// Its task answers, and stages run in it.
    Running,
    /// Its job failed, and its task is kept for a person.
    Kept(KeptTask),
    /// Its task is being stopped, or its `prepare` ended before the task answered.
    Stopping,
    /// It was cleaned up.
    Finished,
    /// Its record cannot be read.
    Unreadable {
        /// Whether a newer version wrote it.
        is_newer: bool,
    },
}

impl JobPhase {
    /// One word. Programs read it, so it is never renamed.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Kept(_) => "kept",
            Self::Stopping => "stopping",
            Self::Finished => "finished",
            Self::Unreadable { .. } => "unreadable",
        }
    }
}

/// What this host knows of one job.
#[derive(Clone, Debug)]
pub struct KnownJob {
    /// Its key.
    pub key: JobKey,
    /// Where it stands.
    pub phase: JobPhase,
    /// Its record, if it has one that can be read.
    pub record: Option<Box<JobRecord>>,
    /// What an earlier clean-up left.
    pub tombstone: Option<JobTombstone>,
    /// When it was cleaned up last.
    pub cleaned_up: Option<SystemTime>,
}

impl KnownJob {
    /// The job's id on its forge, or the beginning of its key if nothing else is known.
    #[must_use]
    pub fn name(&self) -> String {
        let of_record = self.record.as_ref().map(|record| record.job_id.clone());
        let of_tombstone = || self.tombstone.as_ref()?.job_id.clone();
        of_record.or_else(of_tombstone).unwrap_or_else(|| self.short_key())
    }

    /// The beginning of its key.
    #[must_use]
    pub fn short_key(&self) -> String {
        self.key.as_str().chars().take(SHORT_KEY).collect()
    }

    /// When its first task was asked for; of a job that is over, when it was cleaned up.
    #[must_use]
    pub fn since(&self) -> Option<SystemTime> {
        let Some(record) = &self.record else { return self.cleaned_up };
        let sent = record.launches.first().map(|launch| launch.sent_unix_s);
        let sent = sent.filter(|seconds| *seconds > 0)?;
        Some(time_of_unix_ms(sent.saturating_mul(1000)))
    }
}

/// Why a job is not found, in words for the person who named it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobLookupError {
    /// No job has this name.
    #[error("no job {given} on this host{}", near_names(near))]
    Unknown {
        /// What was given.
        given: String,
        /// The names that are nearest to it.
        near: Vec<String>,
    },
    /// Several jobs have this name, or keys that begin so.
    #[error("{given} names {} jobs of this host: {}; give more of the key", names.len(), names.join(", "))]
    Ambiguous {
        /// What was given.
        given: String,
        /// Names and keys of the jobs, at most a few.
        names: Vec<String>,
    },
}

fn near_names(near: &[String]) -> String {
    match near {
        [] => "; `fargate-runner jobs list` shows all".to_owned(),
        [one] => format!("; did you mean {one}?"),
        [some @ .., last] => format!("; did you mean {} or {last}?", some.join(", ")),
    }
}

/// The jobs of one host.
#[derive(Debug)]
pub struct HostJobs {
    folder: StateFolder,
    jobs: Vec<KnownJob>,
}

impl HostJobs {
    /// Reads all records and tombstones. The newest job comes first, and jobs that are over come last.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if the folder does not exist, cannot be read or is not to be trusted.
    pub fn read(root: &Path, lock_within: Duration) -> Result<Self, StateError> {
        let folder = StateFolder::existing(root, lock_within)?;
        // The order matters: a job that ends between the looks leaves a tombstone, and a `prepare`
        // that ends leaves a record.
        let mut keys = folder.preparing()?;
        keys.extend(folder.keys()?);
        keys.extend(folder.buried()?);
        keys.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        keys.dedup();
        let mut jobs: Vec<KnownJob> =
            keys.into_iter().filter_map(|key| known_job(&folder, key)).collect();
        jobs.sort_by_key(|job| {
            (job.phase == JobPhase::Finished, std::cmp::Reverse(job.since()), job.name())
        });
        Ok(Self { folder, jobs })
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[KnownJob] {
        &self.jobs
    }

    /// The folder in which they were found.
    #[must_use]
    pub fn folder(&self) -> &StateFolder {
        &self.folder
    }

    /// The one job of this name, or whose key begins so. A job that is not over goes before one of the
    /// same name that is.
    ///
    /// # Errors
    ///
    /// Returns [`JobLookupError`] if there is none, or more than one.
    pub fn find(&self, given: &str) -> Result<&KnownJob, JobLookupError> {
        let named: Vec<&KnownJob> = self.jobs.iter().filter(|job| job.name() == given).collect();
        let alive: Vec<&KnownJob> =
            named.iter().copied().filter(|job| job.phase != JobPhase::Finished).collect();
        let prefixed = || {
            let is_prefix = given.len() >= SHORTEST_PREFIX;
            let begins = |job: &&KnownJob| is_prefix && job.key.as_str().starts_with(given);
            self.jobs.iter().filter(begins).collect()
        };
        let found = match (alive.is_empty(), named.is_empty()) {
            (false, _) => alive,
            (true, false) => named,
            (true, true) => prefixed(),
        };
        match found[..] {
            [one] => Ok(one),
            [] => Err(JobLookupError::Unknown { given: shown(given), near: self.near(given) }),
            _ => {
                let name = |job: &&KnownJob| format!("{} ({})", job.name(), job.short_key());
                let mut names: Vec<String> = found.iter().map(name).collect();
                names.sort();
                names.truncate(MOST_NEAR);
                Err(JobLookupError::Ambiguous { given: shown(given), names })
            }
        }
    }

    /// The names that differ least from `given`, if any of them is near.
    fn near(&self, given: &str) -> Vec<String> {
        let given: String = given.chars().take(64).collect();
        let farthest = given.chars().count().div_ceil(3);
        let distance = |job: &KnownJob| strsim::levenshtein(&job.name(), &given);
        let mut near: Vec<(usize, String)> =
            self.jobs.iter().map(|job| (distance(job), job.name())).collect();
        near.retain(|(distance, _)| *distance <= farthest);
        near.sort();
        near.dedup();
        near.into_iter().take(MOST_NEAR).map(|(_, name)| name).collect()
    }
}

fn shown(given: &str) -> String {
    fargate_model::text::escape_within(given, 80)
}

/// `None` if the job is gone since its key was read.
fn known_job(folder: &StateFolder, key: JobKey) -> Option<KnownJob> {
    let state = folder.known(&key);
    let tombstone = folder.tombstone(&key);
    let (phase, record) = match state {
        RecordState::Nothing => return None,
        RecordState::Buried => (JobPhase::Finished, None),
        // A `prepare` has a record as soon as it has drawn its keys.
        RecordState::Preparing => {
            (JobPhase::Starting, folder.record(&key).ok().flatten().map(Box::new))
        }
        RecordState::Record(record) => (phase_of(&record), Some(record)),
        RecordState::Unreadable { is_newer } => (JobPhase::Unreadable { is_newer }, None),
    };
    let cleaned_up = tombstone.as_ref().and_then(|_| folder.cleaned_up_at(&key));
    Some(KnownJob { key, phase, record, tombstone, cleaned_up })
}

fn phase_of(record: &JobRecord) -> JobPhase {
    match record.kept {
        Some(kept) if kept.time_left(SystemTime::now()).is_some() => JobPhase::Kept(kept),
        Some(_) => JobPhase::Stopping,
        None if record.ready => JobPhase::Running,
        None => JobPhase::Stopping,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: char, last: char) -> String {
        format!("{}{last}", digit.to_string().repeat(63))
    }

    /// A folder with one tombstone for each key and name.
    fn folder(jobs: &[(String, &str)]) -> (tempfile::TempDir, HostJobs) {
        let root = tempfile::tempdir().unwrap();
        let folder = StateFolder::open(root.path(), Duration::from_secs(1)).unwrap();
        drop(folder);
        for (key, name) in jobs {
            let path = root.path().join("tombstones").join(format!("{key}.json"));
            std::fs::write(path, format!(r#"{{"tries": 1, "job_id": "{name}"}}"#)).unwrap();
        }
        let jobs = HostJobs::read(root.path(), Duration::from_secs(1)).unwrap();
        (root, jobs)
    }

    fn found(jobs: &HostJobs, given: &str) -> String {
        jobs.find(given).map_or_else(|error| error.to_string(), KnownJob::name)
    }

    #[test]
    fn a_job_is_found_by_its_name_or_by_a_beginning_of_its_key_that_no_other_has() {
        let (_root, jobs) = folder(&[
            (key('a', '1'), "gl-4410"),
            (key('a', '2'), "gl-4412"),
            (key('b', '1'), "gl-9"),
            (key('c', '1'), "gl-9"),
        ]);
        assert_eq!(found(&jobs, "gl-4410"), "gl-4410");
        assert_eq!(found(&jobs, "bbbb"), "gl-9");
        insta::assert_snapshot!(found(&jobs, "gl-4411"), @"no job gl-4411 on this host; did you mean gl-4410 or gl-4412?");
        insta::assert_snapshot!(found(&jobs, "aaaa"), @"aaaa names 2 jobs of this host: gl-4410 (aaaaaaaa), gl-4412 (aaaaaaaa); give more of the key");
        insta::assert_snapshot!(found(&jobs, "gl-9"), @"gl-9 names 2 jobs of this host: gl-9 (bbbbbbbb), gl-9 (cccccccc); give more of the key");
        insta::assert_snapshot!(found(&jobs, "bbb"), @"no job bbb on this host; `fargate-runner jobs list` shows all");
        insta::assert_snapshot!(found(&jobs, "\x1b[2J"), @r"no job \x1b[2J on this host; `fargate-runner jobs list` shows all");
        assert_eq!(found(&jobs, &key('a', '2')), "gl-4412");
    }

    #[test]
    fn a_record_that_cannot_be_read_is_a_job_all_the_same() {
        let (root, _) = folder(&[]);
        let path = root.path().join("jobs").join(format!("{}.json", key('d', '1')));
        std::fs::write(path, "{").unwrap();
        let jobs = HostJobs::read(root.path(), Duration::from_secs(1)).unwrap();
        let phases: Vec<_> = jobs.all().iter().map(|job| job.phase).collect();
        assert_eq!(phases, [JobPhase::Unreadable { is_newer: false }]);
        assert_eq!(found(&jobs, "dddd"), "dddddddd");
    }
}
