//! What the history of a job learns of one stage: when it began, and how it ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use fargate_events::{EventSink, JobEvent, JobFact, StageVerdict};
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::task::signal_name;
use fargate_model::text::{bytes, duration};
use tokio::time::Instant;

use super::StageError;
use crate::context::JobContext;

/// Statuses above are those of signals: 128 and the signal's number. Source: POSIX.1-2024, Shell Command
/// Language, 2.8.2, and what shells do.
const SIGNAL_BASE: u8 = 128;

/// Counts how often the connection was resumed.
#[derive(Default)]
struct ResumeCounter(AtomicU32);

impl EventSink for ResumeCounter {
    fn take(&self, event: &JobEvent) {
        if let JobEvent::SessionResumed { .. } = event {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// One stage that goes on.
pub(super) struct StageFacts {
    stage: String,
    began: Instant,
    resumed: Arc<ResumeCounter>,
}

impl StageFacts {
    /// Tells that the stage begins. Returns the context in which it runs.
    pub(super) fn begin(context: &JobContext, stage: &str) -> (Self, JobContext) {
        let resumed = Arc::new(ResumeCounter::default());
        let events = context.events.with(Arc::clone(&resumed) as Arc<dyn EventSink>);
        events.emit_fact(&JobFact::StageStarted { stage: stage.to_owned() });
        let facts = Self { stage: stage.to_owned(), began: Instant::now(), resumed };
        (facts, JobContext { events, ..context.clone() })
    }

    /// Tells how it ended, and why if it failed.
    pub(super) fn end(
        &self,
        context: &JobContext,
        result: &Result<(), StageError>,
        output_bytes: u64,
    ) {
        let (verdict, exit) = match result {
            Ok(()) => (StageVerdict::Passed, Some(0)),
            Err(StageError::Script { status } | StageError::Job { status, .. }) => {
                (StageVerdict::Failed, Some(*status))
            }
            Err(StageError::Cancelled { .. }) => (StageVerdict::Cancelled, None),
            Err(_) => (StageVerdict::SystemFailure, None),
        };
        let report = match result {
            Err(StageError::Script { status }) => Some(self.script_failed(*status, output_bytes)),
            Err(error) => error.why().cloned(),
            Ok(()) => None,
        };
        let (stage, resumed) = (self.stage.clone(), self.resumed.0.load(Ordering::Relaxed));
        if let Some(report) = report {
            let report = Box::new(report);
            context.events.emit_fact(&JobFact::Explained { report, is_final: true });
        }
        let ended = JobFact::StageEnded { stage, exit, output_bytes, resumed, verdict };
        context.events.emit_fact(&ended);
    }

    fn script_failed(&self, status: u8, output_bytes: u64) -> CauseReport {
        let took = duration(self.began.elapsed());
        let output = bytes(output_bytes);
        let stage = &self.stage;
        let signal = status.checked_sub(SIGNAL_BASE).and_then(signal_name);
        let (cause, meaning) = match signal {
            Some(_) => (FailureCause::ScriptSignal, format!(" with exit {status}")),
            None => (FailureCause::ScriptFailed, String::new()),
        };
        CauseReport::new(cause)
            .with("code", status.to_string())
            .with("stage", stage)
            .with("forge", "GitLab")
            .with("signal", signal.unwrap_or_default())
            .because(format!("{stage} ended{meaning} after {took}; {output} of output."))
    }
}
