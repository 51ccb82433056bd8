//! What happened while a job was played: every call, and the log as GitLab would show it.
//!
//! The log is cut at a limit, as gitlab-runner cuts it; the count of its bytes goes on.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::process::{Ended, Exit, Sent, Stream};
use crate::kept::keep;

/// Which of the four programs a call starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `config_exec`
    Config,
    /// `prepare_exec`
    Prepare,
    /// `run_exec`
    Run,
    /// `cleanup_exec`
    Cleanup,
}

impl Verb {
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

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One call of the driver.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which program.
    pub verb: Verb,
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
    pub exit: Exit,
    /// The signals that its group was sent.
    pub signals: Vec<Sent>,
    /// Its standard output, cut at the log's limit.
    pub stdout: Vec<u8>,
    /// Its standard error, cut at the log's limit.
    pub stderr: Vec<u8>,
}

impl Call {
    /// `config`, `prepare`, `cleanup`, or the stage's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.stage.as_deref().unwrap_or(self.verb.as_str())
    }
}

/// Something that just happened, for whoever looks on.
#[derive(Debug)]
pub enum Event<'a> {
    /// A call begins.
    Began {
        /// Its name, as [`Call::name`] gives it.
        name: &'a str,
    },
    /// A call wrote something.
    Output {
        /// Its name.
        name: &'a str,
        /// Where it wrote.
        stream: Stream,
        /// What it wrote.
        bytes: &'a [u8],
    },
    /// A call is over.
    Ended {
        /// The call.
        call: &'a Call,
    },
}

/// Looks on while a job is played. It must return at once.
pub type Watch = Arc<dyn Fn(&Event) + Send + Sync>;

/// The record of one job.
pub(super) struct Journal {
    begun: Instant,
    limit: usize,
    watch: Watch,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    calls: Vec<Call>,
    trace: Vec<u8>,
    trace_bytes: u64,
}

impl Journal {
    pub(super) fn new(limit: usize, watch: Watch) -> Self {
        Self { begun: Instant::now(), limit, watch, pages: Mutex::default() }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    pub(super) fn see(&self, event: &Event) {
        (self.watch)(event);
    }

    /// How many calls of this name are over.
    pub(super) fn count(&self, name: &str) -> usize {
        self.pages().calls.iter().filter(|call| call.name() == name).count()
    }

    pub(super) fn add(&self, call: Call) {
        self.see(&Event::Ended { call: &call });
        self.pages().calls.push(call);
    }

    /// Adds bytes of a stage to the log.
    pub(super) fn log(&self, bytes: &[u8]) {
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
    pub(super) fn close(self) -> (Vec<Call>, Vec<u8>, u64, Duration) {
        let took = self.begun.elapsed();
        let pages = self.pages.into_inner().unwrap_or_else(PoisonError::into_inner);
        (pages.calls, pages.trace, pages.trace_bytes, took)
    }
}

/// A call that begins.
pub(super) struct Opened {
    pub(super) verb: Verb,
    pub(super) stage: Option<String>,
    pub(super) script: Option<PathBuf>,
    pub(super) folder: PathBuf,
    pub(super) environment: Vec<(String, String)>,
    pub(super) started: Duration,
}

impl Opened {
    pub(super) fn name(&self) -> &str {
        self.stage.as_deref().unwrap_or(self.verb.as_str())
    }

    /// The record of this call, now that it is over.
    pub(super) fn close(self, ended: &Ended, stdout: Vec<u8>, stderr: Vec<u8>) -> Call {
        Call {
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
