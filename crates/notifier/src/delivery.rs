//! Sends the messages of one target, one after the other: again and again with growing pauses, until it is taken,
//! refused for good, or late.

use std::sync::Arc;
use std::time::Duration;

use fargate_model::backoff::{RetryBackoff, jittered};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use crate::notice::{NoticeKind, OperatorNotice};
use crate::notice_outbox::NoticeOutbox;
use crate::notice_target::{NoticeTarget, SendFailure};

/// How long one message is tried. Ours: a restart of the receiver takes less, and whoever is told an hour late
/// is misled.
pub const DELIVERY_TIME: Duration = Duration::from_mins(5);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryOutcome {
    /// The target: `webhook`, `sns`.
    pub target: &'static str,
    /// The condition.
    pub condition: String,
    /// Since when it was open: milliseconds since 1970.
    pub since_ms: u64,
    /// What the message said of it.
    pub kind: NoticeKind,
    /// How often it was tried.
    pub tries: u32,
    /// Why it was not taken; `None`: it was.
    pub failure: Option<String>,
}

/// Sends what comes into `outbox`, and tells `outcomes` what became of it. Ends when nobody wants to know any more.
pub async fn deliver(
    target: NoticeTarget,
    outbox: Arc<NoticeOutbox>,
    outcomes: mpsc::Sender<DeliveryOutcome>,
) {
    loop {
        let notice = outbox.take().await;
        let outcome = deliver_one(&target, &notice).await;
        if outcomes.send(outcome).await.is_err() {
            return;
        }
    }
}

async fn deliver_one(target: &NoticeTarget, notice: &OperatorNotice) -> DeliveryOutcome {
    let deadline = Instant::now() + DELIVERY_TIME;
    let mut backoff = RetryBackoff::doubling(FIRST_PAUSE, LONGEST_PAUSE);
    let mut last = SendFailure { words: "no answer".to_owned(), may_pass: true };
    let mut tries = 0;
    let failure = loop {
        tries += 1;
        last = match timeout_at(deadline, target.send(notice)).await {
            Ok(Ok(())) => break None,
            Ok(Err(failure)) => failure,
            Err(_) => break Some(last.words),
        };
        let pause = jittered(backoff.next_pause());
        if !last.may_pass || Instant::now() + pause >= deadline {
            break Some(last.words);
        }
        sleep(pause).await;
    };
    DeliveryOutcome::of(target.name(), notice, (tries, failure))
}

impl DeliveryOutcome {
    /// What became of `notice` after so many tries.
    pub(crate) fn of(
        target: &'static str,
        notice: &OperatorNotice,
        (tries, failure): (u32, Option<String>),
    ) -> Self {
        let OperatorNotice { kind, condition, .. } = notice;
        let (kind, condition, since_ms) = (*kind, condition.name.clone(), condition.since_ms);
        Self { target, condition, since_ms, kind, tries, failure }
    }
}
