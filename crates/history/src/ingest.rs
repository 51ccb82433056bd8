//! Reads the journals of this host and keeps the history up to date, while jobs write on.
//!
//! The place up to which a journal was read is stored in one transaction with what was read. So this can be
//! killed at any moment, and whoever comes next goes on there. If the history cannot be written, nothing is
//! lost: the journals wait. It stops no task and changes no record.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fargate_events::{JobEvent, emit};
use fargate_files::{FileError, FileLock};
use fargate_job_journal::JournalFolder;
use fargate_model::backoff::RetryBackoff;
use fargate_model::job::JobKey;
use fargate_model::price::TaskPrices;
use fargate_model::text::error_chain;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::hosts::HEARD_EACH;
use crate::journal_fold::{FoldedJournals, JournalPlace, fold_journals};
use crate::journal_scan::JournalScan;
use crate::moments::{millis, now_ms, run_blocking};
use crate::rebuild_due::RebuildDue;
use crate::{HistoryError, HistoryRepair, HistoryStore, KnownTask};

/// Time between two looks at the journals. Ours: pages follow within half a second.
const LOOK_EACH: Duration = Duration::from_millis(250);
/// The longest pause after failures. Ours.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often old things are removed, and journals are claimed.
const TIDY_EACH: Duration = Duration::from_secs(3600);
/// How often jobs are looked for that ended without a word.
const CLOSE_EACH: Duration = Duration::from_secs(60);
/// Journals that one transaction takes in. Ours: some ten milliseconds.
const JOURNALS_AT_ONCE: usize = 100;

/// What the ingest of one host must know.
#[derive(Clone, Debug)]
pub struct IngestSettings {
    /// This host's name.
    pub host: String,
    /// The owner of the state folder.
    pub owner: String,
    /// The state folder.
    pub state_dir: PathBuf,
    /// Prices for the costs of jobs.
    pub prices: TaskPrices,
    /// How long jobs are kept.
    pub keep: Duration,
    /// How long entries of the audit log are kept.
    pub keep_audit: Duration,
}

/// How the ingest does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngestCondition {
    /// Journals in which something stands that the history does not hold yet, at the last look.
    pub waiting_journals: u64,
    /// Why the history cannot be written, if it cannot.
    pub trouble: Option<String>,
    /// Since when: milliseconds since 1970.
    pub trouble_since_ms: Option<u64>,
    /// When all journals were read last.
    pub current_ms: Option<u64>,
    /// How far the host's clock is ahead of the time by which old jobs are removed.
    pub clock_ahead: Duration,
}

/// A clock that is ahead by so much is told to people. Ours: hosts are off for a night.
const CLOCK_AHEAD: Duration = Duration::from_hours(48);

impl IngestCondition {
    /// What people should know of it, in one sentence; `None` if all is well.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        if let Some(trouble) = &self.trouble {
            return Some(trouble.clone());
        }
        let days = self.clock_ahead.as_secs() / (24 * 3600);
        let is_ahead = self.clock_ahead >= CLOCK_AHEAD;
        is_ahead.then(|| {
            format!(
                "this host's clock is {days} days ahead of the newest entries: old jobs leave the history slowly, \
                 in case it is wrong"
            )
        })
    }
}

/// Keeps the history of one host up to date.
#[derive(Debug)]
pub struct JournalIngest {
    pub(crate) store: HistoryStore,
    pub(crate) settings: IngestSettings,
    pub(crate) journals: JournalFolder,
    scan: JournalScan,
    /// Journals that cannot be read, and what the log was told.
    unreadable: HashMap<JobKey, String>,
    beginnings: watch::Receiver<u64>,
    pub(crate) rebuild: RebuildDue,
    condition: watch::Sender<IngestCondition>,
    due: DueTimes,
    _lock: FileLock,
}

/// When something is due next. Everything is due at the start.
#[derive(Debug)]
struct DueTimes {
    hear: Instant,
    tidy: Instant,
    /// When it was tidied last; the beginning, before the first time.
    tidied: Instant,
    close: Instant,
}

impl JournalIngest {
    /// Claims the journals of this host.
    ///
    /// # Errors
    ///
    /// [`FileError::Held`] if another daemon of this host has them, and [`FileError`] if their folder cannot be
    /// used.
    pub fn claim(store: HistoryStore, settings: IngestSettings) -> Result<Self, FileError> {
        let journals = JournalFolder::of(&settings.state_dir);
        journals.make()?;
        let lock = FileLock::take_now(&lock_path(&journals))?;
        journals.note_ingest()?;
        let now = Instant::now();
        Ok(Self {
            scan: JournalScan::new(journals.clone()),
            unreadable: HashMap::new(),
            beginnings: store.beginnings(),
            rebuild: RebuildDue::default(),
            store,
            settings,
            journals,
            condition: watch::Sender::default(),
            due: DueTimes { hear: now, tidy: now, tidied: now, close: now + CLOSE_EACH },
            _lock: lock,
        })
    }

    /// Also learns from what ECS says of this host's tasks, once it is known: a job that has neither a journal
    /// nor a story gets one.
    #[must_use]
    pub fn learning_from(mut self, tasks: watch::Receiver<Option<Vec<KnownTask>>>) -> Self {
        self.rebuild.tasks = Some(tasks);
        self
    }

    /// How the ingest does, for pages and metrics.
    #[must_use]
    pub fn condition(&self) -> watch::Receiver<IngestCondition> {
        self.condition.subscribe()
    }

    /// Keeps the history up to date until `until` ends. It never gives up.
    pub async fn run(mut self, until: impl Future<Output = ()>) {
        tokio::pin!(until);
        let mut backoff = RetryBackoff::doubling(LOOK_EACH, LONGEST_PAUSE);
        loop {
            let pause = match self.step().await {
                Ok(has_more) => {
                    backoff = RetryBackoff::doubling(LOOK_EACH, LONGEST_PAUSE);
                    if has_more { Duration::ZERO } else { LOOK_EACH }
                }
                Err(_) => backoff.next_pause(),
            };
            tokio::select! {
                () = &mut until => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        // What cannot be noted now shows by the host's silence.
        let _ = self.store.leave_host(&self.settings.host, &self.settings.owner).await;
    }

    /// Takes in what is new, and does what is due. Returns whether more can be taken in at once.
    ///
    /// # Errors
    ///
    /// [`HistoryError`] if the history cannot be written. What is new stays where it is.
    pub async fn step(&mut self) -> Result<bool, HistoryError> {
        let stepped = match self.try_step().await {
            Err(damage) if damage.is_damage() => self.repair(damage).await.map(|()| true),
            stepped => stepped,
        };
        self.tell_condition(stepped.as_ref().err());
        stepped
    }

    async fn try_step(&mut self) -> Result<bool, HistoryError> {
        if self.beginnings.has_changed().unwrap_or(false) {
            self.beginnings.mark_unchanged();
            self.scan.forget();
            self.rebuild.begin_again();
        }
        self.hear_if_due().await?;
        self.take_in_actions().await?;
        let has_more = self.take_in().await?;
        self.store.look_for_news().await?;
        if !has_more {
            self.rebuild_if_due().await?;
            self.close_if_due().await?;
            self.tidy_if_due().await?;
        }
        Ok(has_more)
    }

    /// Reads journals that changed, at most [`JOURNALS_AT_ONCE`].
    async fn take_in(&mut self) -> Result<bool, HistoryError> {
        let mut scan = std::mem::replace(&mut self.scan, JournalScan::new(self.journals.clone()));
        let (scan, changed) = run_blocking(move || {
            let changed = scan.changed();
            (scan, changed)
        })
        .await;
        self.scan = scan;
        let waiting = changed.len();
        self.condition.send_if_modified(|condition| {
            std::mem::replace(&mut condition.waiting_journals, waiting as u64) != waiting as u64
        });
        let changed: Vec<_> = changed.into_iter().take(JOURNALS_AT_ONCE).collect();
        let keys: Vec<JobKey> = changed.iter().map(|(key, _)| key.clone()).collect();
        let places = self.store.journal_places(&self.settings.host, &keys).await?;
        let folded = self.fold(places).await;
        self.store.put(folded.updates).await?;
        for (key, length) in changed {
            if folded.unreadable.contains_key(&key) {
                // It is tried again with the journals that are looked at seldom.
                self.scan.note(&key, 0, true);
                continue;
            }
            self.unreadable.remove(&key);
            match folded.unread.get(&key) {
                // Read again at once, or when it changes.
                Some(next_offset) => self.scan.note(&key, *next_offset, false),
                None => self.scan.note(&key, length, folded.finished.contains(&key)),
            }
        }
        let has_more = waiting > JOURNALS_AT_ONCE || !folded.unread.is_empty();
        self.tell_unreadable(folded.unreadable);
        Ok(has_more)
    }

    /// The log hears of each once.
    fn tell_unreadable(&mut self, unreadable: HashMap<JobKey, String>) {
        for (key, message) in unreadable {
            if self.unreadable.get(&key) != Some(&message) {
                emit(JobEvent::JournalUnreadable { message: message.clone() });
                self.unreadable.insert(key, message);
            }
        }
    }

    async fn fold(&self, places: Vec<JournalPlace>) -> FoldedJournals {
        let (journals, host) = (self.journals.clone(), self.settings.host.clone());
        let prices = self.settings.prices.clone();
        run_blocking(move || fold_journals(&journals, &host, &prices, places)).await
    }

    async fn hear_if_due(&mut self) -> Result<(), HistoryError> {
        if Instant::now() < self.due.hear {
            return Ok(());
        }
        self.store.require_its_file().await?;
        let IngestSettings { host, owner, .. } = &self.settings;
        self.store.hear_host(host, owner, env!("CARGO_PKG_VERSION"), now_ms()).await?;
        self.due.hear = Instant::now() + HEARD_EACH;
        Ok(())
    }

    async fn close_if_due(&mut self) -> Result<(), HistoryError> {
        if Instant::now() < self.due.close {
            return Ok(());
        }
        // Each minute, so that a jump of the clock does not make it look old to whoever sweeps. That this fails
        // shows at the next writing.
        let _ = self.journals.note_ingest();
        self.close_unheard(now_ms()).await?;
        self.due.close = Instant::now() + CLOSE_EACH;
        Ok(())
    }

    async fn tidy_if_due(&mut self) -> Result<(), HistoryError> {
        if Instant::now() < self.due.tidy {
            return Ok(());
        }
        let begun = Instant::now();
        let passed = begun.duration_since(self.due.tidied);
        let time = self.store.pruning_time(now_ms(), passed).await?;
        self.due.tidied = begun;
        self.condition.send_if_modified(|condition| {
            std::mem::replace(&mut condition.clock_ahead, time.ahead) != time.ahead
        });
        self.remove_read_journals(time.trusted_ms).await;
        let ago = |age: Duration| time.trusted_ms.saturating_sub(millis(age));
        self.store.prune(ago(self.settings.keep)).await?;
        self.store.prune_audit(ago(self.settings.keep_audit)).await?;
        self.due.tidy = Instant::now() + TIDY_EACH;
        Ok(())
    }

    /// A damaged database is repaired, or replaced and filled again. What cannot be repaired stays an error, and
    /// is tried again after a pause.
    async fn repair(&mut self, damage: HistoryError) -> Result<(), HistoryError> {
        match self.store.repair().await? {
            HistoryRepair::Nothing => Err(damage),
            HistoryRepair::Counters => Ok(()),
            HistoryRepair::Anew { aside } => {
                let path = aside.map(|path| path.display().to_string()).unwrap_or_default();
                emit(JobEvent::HistoryReplaced { path, message: error_chain(&damage) });
                Ok(())
            }
        }
    }

    /// The log hears of trouble once, and once of its end.
    fn tell_condition(&self, trouble: Option<&HistoryError>) {
        let trouble = trouble.map(|error| error_chain(error));
        self.condition.send_if_modified(|condition| {
            match (&condition.trouble, &trouble) {
                (None, Some(message)) => {
                    emit(JobEvent::HistoryStalled { message: message.clone() })
                }
                (Some(_), None) => emit(JobEvent::HistoryGoesOn {}),
                _ => {}
            }
            if trouble.is_none() && condition.waiting_journals <= JOURNALS_AT_ONCE as u64 {
                condition.current_ms = Some(now_ms());
                condition.waiting_journals = 0;
            }
            let since = condition.trouble_since_ms.unwrap_or_else(now_ms);
            condition.trouble_since_ms = trouble.is_some().then_some(since);
            let is_new = condition.trouble != trouble;
            condition.trouble = trouble;
            is_new
        });
    }
}

/// The lock of the daemon that reads these journals.
fn lock_path(journals: &JournalFolder) -> PathBuf {
    Path::join(journals.path(), "ingest.lock")
}
