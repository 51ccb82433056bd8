//! What is known of one script across its connections, and how each of them ended.
//!
//! It only remembers; it sends and waits for nothing.

use std::cell::Cell;
use std::net::SocketAddr;

use tokio::time::Instant;

use super::cancel::CancelRequest;
use super::login::LoginError;
use super::run_script::ScriptOutcome;

/// How a script is taken up.
#[derive(Clone, Copy, Debug)]
pub(super) enum ScriptStartMode {
    /// It is sent.
    Send,
    /// It may run already, and the former connection was lost at that time.
    Attach {
        /// The time.
        cut_at: Instant,
    },
}

/// How one conversation about a script ended.
pub(super) enum ConnectionOutcome {
    /// Nothing is left to say.
    Done(ScriptOutcome),
    /// The connection was lost; in words.
    Cut(String),
}

/// What is known of a script across its connections.
#[derive(Default)]
pub(super) struct ScriptProgress {
    /// Both its streams go into one file here, so they are one in the task as well.
    pub(super) join_streams: bool,
    pub(super) received: Cell<u64>,
    /// All of it was sent, so it may run.
    pub(super) sent: Cell<bool>,
    /// The agent said that it runs.
    pub(super) started: Cell<bool>,
    /// When the agent took it up on the present connection.
    pub(super) attached_at: Cell<Option<Instant>>,
    /// The agent said how it ended.
    pub(super) has_ended: Cell<bool>,
    pub(super) stop: Cell<Option<CancelRequest>>,
    leave_at: Cell<Option<Instant>>,
    pub(super) terminating: Cell<bool>,
    pub(super) output_left: Cell<bool>,
}

impl ScriptProgress {
    /// Nothing is known yet.
    pub(super) fn new(join_streams: bool) -> Self {
        Self { join_streams, ..Self::default() }
    }

    /// Bytes of output that have arrived.
    pub(super) fn received(&self) -> u64 {
        self.received.get()
    }

    /// The agent said that it runs, on the present connection.
    pub(super) fn set_started(&self) {
        self.started.set(true);
        self.attached_at.set(Some(Instant::now()));
    }

    /// True if the script may have been started.
    pub(super) fn may_run(&self) -> bool {
        self.sent.get() || self.started.get()
    }

    /// True if the agent said that its task is being ended from outside.
    pub(super) fn is_terminating(&self) -> bool {
        self.terminating.get()
    }

    /// When nobody waits any more, once somebody asked for an end.
    pub(super) fn leave_at(&self) -> Option<Instant> {
        self.leave_at.get()
    }

    /// Takes a wish to end the script; `false` if it is the second one.
    pub(super) fn wish(&self, stop: CancelRequest) -> bool {
        let first = self.leave_at.get().is_none();
        if first {
            self.stop.set(Some(stop));
            self.leave_at.set(Some(Instant::now() + stop.leave_after));
        }
        first
    }

    /// The end that nobody saw.
    pub(super) fn lost(&self, how: impl Into<String>) -> ScriptOutcome {
        let received = self.received();
        let warned = self.is_terminating();
        ScriptOutcome::Lost { how: how.into(), received, started: self.may_run(), warned }
    }

    /// The end by another `run`.
    pub(super) fn superseded(&self) -> ScriptOutcome {
        ScriptOutcome::Superseded { received: self.received(), started: self.may_run() }
    }

    /// The end behind a door that stays shut.
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
