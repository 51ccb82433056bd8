//! What is known of one script over all its connections, and how each connection ended.
//!
//! It only remembers. It sends nothing and waits for nothing.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::net::SocketAddr;

use tokio::sync::Notify;
use tokio::time::Instant;

use std::time::Duration;

use super::cancel::CancelRequest;
use super::login::LoginError;
use super::script_outcome::ScriptOutcome;

/// Longest time from the last byte of a script to its start, in addition to the grace of a former
/// script.
pub(super) const START_WITHIN: Duration = Duration::from_secs(30);

/// How a session begins with the script.
#[derive(Clone, Copy, Debug)]
pub(super) enum ScriptStartMode {
    /// Send it.
    Send,
    /// Attach to it: it may already run, because a former connection was lost.
    Attach {
        /// When that connection was lost.
        cut_at: Instant,
    },
}

/// How one conversation about a script ended.
pub(super) enum ConnectionOutcome {
    /// Everything is said.
    Done(ScriptOutcome),
    /// The connection was lost, for this reason.
    Cut(String),
}

/// What is known of a script over all its connections.
#[derive(Default)]
pub(super) struct ScriptProgress {
    /// Whether both streams go into one file here. Then the script must have one stream as well.
    pub(super) join_streams: bool,
    pub(super) received: Cell<u64>,
    /// Whether the whole script was sent, so that it may run.
    pub(super) sent: Cell<bool>,
    /// Whether the agent said that it runs.
    pub(super) started: Cell<bool>,
    /// When the agent attached it to the present connection.
    pub(super) attached_at: Cell<Option<Instant>>,
    /// Whether the agent said how it ended.
    pub(super) has_ended: Cell<bool>,
    pub(super) stop: Cell<Option<CancelRequest>>,
    leave_at: Cell<Option<Instant>>,
    terminating: Cell<bool>,
    /// Hears that the task was told to end.
    told_to_end: Notify,
    /// A line of ours about it.
    notice: RefCell<Option<String>>,
    /// Hears that there is such a line.
    has_notice: Notify,
    pub(super) output_left: Cell<bool>,
}

impl ScriptProgress {
    /// Makes one of which nothing is known.
    pub(super) fn new(join_streams: bool) -> Self {
        Self { join_streams, ..Self::default() }
    }

    /// Bytes of output that have arrived.
    pub(super) fn received(&self) -> u64 {
        self.received.get()
    }

    /// Notes that the agent said, on the present connection, that the script runs.
    pub(super) fn set_started(&self) {
        self.started.set(true);
        self.attached_at.set(Some(Instant::now()));
    }

    /// Notes that the agent said that the task was told to end.
    pub(super) fn set_terminating(&self) {
        self.terminating.set(true);
        self.told_to_end.notify_one();
    }

    /// Asks for a line of ours as soon as the task was told to end. It never returns.
    pub(super) async fn ask_for_notice(
        &self,
        notice: &impl AsyncFn() -> Option<String>,
    ) -> Infallible {
        loop {
            self.told_to_end.notified().await;
            if let Some(line) = notice().await {
                self.notice.replace(Some(line));
                self.has_notice.notify_one();
            }
        }
    }

    /// Returns that line once it is there.
    pub(super) async fn notice(&self) -> String {
        loop {
            if let Some(line) = self.notice.take() {
                return line;
            }
            self.has_notice.notified().await;
        }
    }

    /// Whether the script may have started.
    pub(super) fn may_run(&self) -> bool {
        self.sent.get() || self.started.get()
    }

    /// Whether the agent said that its task is being ended from outside.
    pub(super) fn is_terminating(&self) -> bool {
        self.terminating.get()
    }

    /// When to stop waiting, if somebody cancelled the script.
    pub(super) fn leave_at(&self) -> Option<Instant> {
        self.leave_at.get()
    }

    /// Notes a cancel. Returns `false` if it is the second one.
    pub(super) fn wish(&self, stop: CancelRequest) -> bool {
        let first = self.leave_at.get().is_none();
        if first {
            self.stop.set(Some(stop));
            self.leave_at.set(Some(Instant::now() + stop.leave_after));
        }
        first
    }

    /// The outcome if nobody saw the end.
    pub(super) fn lost(&self, how: impl Into<String>) -> ScriptOutcome {
        let received = self.received();
        let warned = self.is_terminating();
        ScriptOutcome::Lost { how: how.into(), received, started: self.may_run(), warned }
    }

    /// The outcome if another `run` replaced this one.
    pub(super) fn superseded(&self) -> ScriptOutcome {
        ScriptOutcome::Superseded { received: self.received(), started: self.may_run() }
    }

    /// The outcome if the server no longer lets us in.
    pub(super) fn shut(
        &self,
        how: String,
        error: LoginError,
        address: SocketAddr,
    ) -> ScriptOutcome {
        ScriptOutcome::Shut {
            error,
            address,
            how,
            received: self.received(),
            started: self.may_run(),
        }
    }
}
