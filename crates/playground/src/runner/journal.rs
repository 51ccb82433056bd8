//! What happened while a job was played: every call, and the log as GitLab would show it.
//!
//! The log is cut at a limit, as gitlab-runner cuts it; the count of its bytes goes on.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::process::{DriverOutputStream, DriverProcessExit, EndedCall, SentSignal};
use crate::first_bytes::keep;

/// Which of the four programs a call starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverCallKind {
    /// `config_exec`
    Config,
    /// `prepare_exec`
    Prepare,
    /// `run_exec`
    Run,
    /// `cleanup_exec`
    Cleanup,
}

impl DriverCallKind {
    /// The word in gitlab-runner's configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Prepare => "prepare",
            Self::Run => "run",
            Self::Cleanup => "cleanup",
        }
    }
}

impl fmt::Display for DriverCallKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One call of the driver.
#[derive(Clone, Debug)]
pub struct DriverCall {
    /// Which program.
    pub verb: DriverCallKind,
    /// The stage's name, for `run`.
    pub stage: Option<String>,
    /// The script's file, for `run`.
    pub script: Option<PathBuf>,
    /// Working directory.
    pub folder: PathBuf,
    /// What the contract adds to the runner's own environment.
    pub environment: Vec<(String, String)>,
    /// Start of the call, counted from the start of the job.
    pub started: Duration,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub exit: DriverProcessExit,
    /// The signals that its group was sent.
    pub signals: Vec<SentSignal>,
    /// Its standard output, cut at the log's limit.
    pub stdout: Vec<u8>,
    /// Its standard error, cut at the log's limit.
    pub stderr: Vec<u8>,
}

impl DriverCall {
    /// `config`, `prepare`, `cleanup`, or the stage's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.stage.as_deref().unwrap_or(self.verb.as_str())
    }
}

/// Something that just happened, for whoever looks on.
#[derive(Debug)]
pub enum DriverCallEvent<'a> {
    /// A call begins.
    Began {
        /// Its name, as [`DriverCall::name`] gives it.
        name: &'a str,
    },
    /// A call wrote something.
    Output {
        /// Its name.
        name: &'a str,
        /// Where it wrote.
        stream: DriverOutputStream,
        /// What it wrote.
        bytes: &'a [u8],
    },
    /// A call is over.
    Ended {
        /// The call.
        call: &'a DriverCall,
    },
    /// The job's log goes on: with output of a stage, or with a line of the runner.
    Logged {
        /// What comes next in the log.
        bytes: &'a [u8],
    },
}

/// Looks on while a job is played. It must return at once.
pub type DriverCallObserver = Arc<dyn Fn(&DriverCallEvent) + Send + Sync>;

/// The record of one job.
pub(super) struct JobJournal {
    begun: Instant,
    limit: usize,
    watch: DriverCallObserver,
    pages: Mutex<JobJournalContent>,
}

#[derive(Default)]
struct JobJournalContent {
    calls: Vec<DriverCall>,
    trace: Vec<u8>,
    trace_bytes: u64,
}

impl JobJournal {
    pub(super) fn new(limit: usize, watch: DriverCallObserver) -> Self {
        Self { begun: Instant::now(), limit, watch, pages: Mutex::default() }
    }

    fn pages(&self) -> MutexGuard<'_, JobJournalContent> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    pub(super) fn see(&self, event: &DriverCallEvent) {
        (self.watch)(event);
    }

    /// How many calls of this name are over.
    pub(super) fn count(&self, name: &str) -> usize {
        self.pages().calls.iter().filter(|call| call.name() == name).count()
    }

    pub(super) fn add(&self, call: DriverCall) {
        self.see(&DriverCallEvent::Ended { call: &call });
        self.pages().calls.push(call);
    }

    /// Adds bytes of a stage to the log.
    pub(super) fn log(&self, bytes: &[u8]) {
        self.see(&DriverCallEvent::Logged { bytes });
        let mut pages = self.pages();
        pages.trace_bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        keep(&mut pages.trace, bytes, self.limit);
    }

    /// Adds a line of the runner's own to the log.
    pub(super) fn say(&self, line: &str) {
        self.log(format!("{line}\n").as_bytes());
    }

    /// Keeps what a call wrote, up to the limit.
    pub(super) fn keep(&self, kept: &mut Vec<u8>, bytes: &[u8]) {
        keep(kept, bytes, self.limit);
    }

    /// Everything that was recorded: the calls, the log and the count of its bytes.
    pub(super) fn close(self) -> (Vec<DriverCall>, Vec<u8>, u64, Duration) {
        let took = self.begun.elapsed();
        let pages = self.pages.into_inner().unwrap_or_else(PoisonError::into_inner);
        (pages.calls, pages.trace, pages.trace_bytes, took)
    }
}

/// A call that begins.
pub(super) struct StartedCall {
    pub(super) verb: DriverCallKind,
    pub(super) stage: Option<String>,
    pub(super) script: Option<PathBuf>,
    pub(super) folder: PathBuf,
    pub(super) environment: Vec<(String, String)>,
    pub(super) started: Duration,
}

impl StartedCall {
    pub(super) fn name(&self) -> &str {
        self.stage.as_deref().unwrap_or(self.verb.as_str())
    }

    /// The record of this call, now that it is over.
    pub(super) fn close(self, ended: &EndedCall, stdout: Vec<u8>, stderr: Vec<u8>) -> DriverCall {
        DriverCall {
            verb: self.verb,
            stage: self.stage,
            script: self.script,
            folder: self.folder,
            environment: self.environment,
            started: self.started,
            took: ended.took,
            exit: ended.exit.clone(),
            signals: ended.signals.clone(),
            stdout,
            stderr,
        }
    }
}
