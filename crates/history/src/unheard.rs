//! Jobs whose last words were never written: their process was killed, or their host is gone. They are closed
//! with what is known. If their journal goes on after all, it counts.

use std::time::{Duration, SystemTime};

use fargate_events::JobEvent;
use fargate_job_journal::{JobState, JobStory, JournalContent, JournalEntry, estimate_costs};
use fargate_model::job::JobKey;
use fargate_model::price::TaskPrices;
use fargate_state::{RecordState, StateFolder};

use crate::database::{DataRow, SqlStatement};
use crate::ingest::JournalIngest;
use crate::lookup::story_of;
use crate::moments::{millis, now_ms, run_blocking};
use crate::{HistoryError, StoryUpdate};

/// A job without a record that was silent for so long is over. Ours: gitlab-runner itself may wait 5 min
/// between its tries.
const SILENT_JOB: Duration = Duration::from_secs(10 * 60);
/// Jobs of a host that was silent for so long are over: each task ends at its job's time limit. Ours.
const SILENT_HOST: Duration = Duration::from_secs(24 * 3600);
/// A journal that was read and that nothing was added to for so long is removed. Until then a lost history
/// can be rebuilt from it. Ours.
const JOURNAL_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Jobs that one look closes at most. Ours.
const MOST_AT_ONCE: u64 = 500;

/// A job that is not over in the history.
struct OpenJob {
    host: String,
    offset: u64,
    story: JobStory,
}

impl JournalIngest {
    /// Closes the jobs of this host that have no record and were silent for 10 minutes at `now_ms`, and those
    /// of hosts that were silent for a day. The ingest does so each minute by itself.
    ///
    /// # Errors
    ///
    /// [`HistoryError`]; then none is closed.
    pub async fn close_unheard(&self, now_ms: u64) -> Result<(), HistoryError> {
        let ours = self.silent_jobs(now_ms).await?;
        let state_dir = self.settings.state_dir.clone();
        let without_record = run_blocking(move || {
            // Without the folder nobody knows whether the records are there.
            let Ok(folder) = StateFolder::existing(&state_dir, Duration::ZERO) else {
                return Vec::new();
            };
            let is_gone = |job: &OpenJob| {
                let key = JobKey::try_from(job.story.key.clone()).ok();
                key.is_some_and(|key| {
                    matches!(folder.known(&key), RecordState::Nothing | RecordState::Buried)
                })
            };
            ours.into_iter().filter(is_gone).collect()
        })
        .await;
        let of_gone_hosts = self.jobs_of_silent_hosts(now_ms).await?;
        let closed = without_record.into_iter().chain(of_gone_hosts);
        self.store.put(closed.map(|job| self.closed(job)).collect()).await
    }

    fn closed(&self, job: OpenJob) -> StoryUpdate {
        let OpenJob { host, offset, mut story } = job;
        close_story(&mut story, &self.settings.prices);
        let new_entries = Vec::new();
        StoryUpdate {
            host,
            story,
            new_entries,
            journal_from: offset,
            journal_offset: offset,
            is_closed: true,
        }
    }

    async fn silent_jobs(&self, now_ms: u64) -> Result<Vec<OpenJob>, HistoryError> {
        let mut read = SqlStatement::new(OPEN_JOBS);
        read.push(" AND changed_ms < ").bind(now_ms.saturating_sub(millis(SILENT_JOB)));
        read.push(" AND host = ").bind(self.settings.host.as_str());
        read.push(" ORDER BY number LIMIT ").bind(MOST_AT_ONCE);
        self.open_jobs(&read).await
    }

    async fn jobs_of_silent_hosts(&self, now_ms: u64) -> Result<Vec<OpenJob>, HistoryError> {
        // The other hosts' times stand there by their clocks: one clock that runs ahead must not close their jobs.
        let server_ms = self.store.database().await.server_ms().await?;
        let now_ms = now_ms.min(server_ms.unwrap_or(u64::MAX));
        let since_ms = now_ms.saturating_sub(millis(SILENT_HOST));
        let mut read = SqlStatement::new(OPEN_JOBS);
        read.push(" AND changed_ms < ").bind(since_ms);
        read.push(" AND host IN (SELECT host FROM hosts WHERE heard_ms < ").bind(since_ms);
        read.push(") ORDER BY number LIMIT ").bind(MOST_AT_ONCE);
        self.open_jobs(&read).await
    }

    async fn open_jobs(&self, read: &SqlStatement) -> Result<Vec<OpenJob>, HistoryError> {
        let database = self.store.database().await;
        let rows = database.rows("looking for jobs that ended without a word", read).await?;
        let open = |row: &DataRow| {
            let (host, offset) = (row.text(1)?, row.number(2)?);
            Ok(story_of(row)?.map(|story| OpenJob { host, offset, story }))
        };
        rows.iter().filter_map(|row| open(row).transpose()).collect()
    }

    /// Removes journals that are old at `now_ms` and that the history holds.
    pub(crate) async fn remove_read_journals(&self, now_ms: u64) {
        let (journals, keep) = (self.journals.clone(), self.settings.keep.min(JOURNAL_AGE));
        let old = run_blocking(move || {
            let keys = journals.keys().unwrap_or_default();
            let written = |key: &JobKey| {
                let metadata = std::fs::symlink_metadata(journals.journal(key)).ok()?;
                let now = SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms);
                now.duration_since(metadata.modified().ok()?).ok()
            };
            keys.into_iter()
                .filter(|key| written(key).is_some_and(|age| age > keep))
                .collect::<Vec<_>>()
        })
        .await;
        for keys in old.chunks(100) {
            // What cannot be asked now is asked again in an hour.
            let Ok(finished) = self.finished_of(keys).await else { return };
            let journals = self.journals.clone();
            run_blocking(move || {
                for (key, offset) in finished {
                    let length =
                        std::fs::symlink_metadata(journals.journal(&key)).map(|file| file.len());
                    if length.is_ok_and(|length| length <= offset) {
                        let _ = journals.remove(&key);
                    }
                }
            })
            .await;
        }
    }

    async fn finished_of(&self, keys: &[JobKey]) -> Result<Vec<(JobKey, u64)>, HistoryError> {
        let mut read = SqlStatement::new(
            "SELECT key, journal_offset FROM jobs WHERE ended_ms >= 0 AND host = ",
        );
        read.bind(self.settings.host.as_str());
        read.push(" AND key IN ").bind_list(keys.iter().map(JobKey::as_str));
        let database = self.store.database().await;
        let rows = database.rows("looking for journals that were read", &read).await?;
        let mut finished = Vec::new();
        for row in &rows {
            let offset = row.number(1)?;
            finished.extend(JobKey::try_from(row.text(0)?).ok().map(|key| (key, offset)));
        }
        Ok(finished)
    }
}

/// Ends a story with what is known.
pub(crate) fn close_story(story: &mut JobStory, prices: &TaskPrices) {
    story.apply(&JournalEntry {
        time_ms: story.changed_ms,
        attempt: 0,
        stage: "history".to_owned(),
        pid: 0,
        content: JournalContent::Event(JobEvent::CleanupDone { undone: 0 }),
    });
    debug_assert_eq!(story.state, JobState::Finished, "a clean-up that is done ends a story");
    estimate_costs(story, prices, now_ms());
}

const OPEN_JOBS: &str = "SELECT story, host, journal_offset FROM jobs JOIN stories USING (number) \
     WHERE ended_ms < 0";
