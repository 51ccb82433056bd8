//! Tells people what they must act on: looks again and again what is open, and lets the notifier send messages.
//!
//! A target that is slow or dead delays neither a page nor a look. A message is kept in the state folder before it is
//! sent, and what became of it before it is counted. So a process that is killed leaves at most one message to be sent
//! again, with the same `id`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fargate_events::{JobEvent, emit};
use fargate_files::FileError;
use fargate_model::text::error_chain;
use fargate_notifier::{
    DeliveryOutcome, NoticeDesk, NoticeOutbox, NoticeRules, NoticeTarget, deliver,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::StatusService;
use crate::clock::now_ms;
use crate::open_conditions::ConditionMemory;
use crate::told_keeper::ToldKeeper;

/// How often is looked. Ours: whoever is woken up loses no more.
const LOOK_EACH: Duration = Duration::from_secs(5);
/// Longest time of one look.
const LOOK_TIME: Duration = Duration::from_secs(30);
/// Outcomes that wait for a look to end. A delivery whose outcome has no room waits.
const MOST_OUTCOMES: usize = 16;

/// Looks and tells until the service ends. Without targets it ends at once.
pub(crate) async fn watch_notices(
    service: Arc<StatusService>,
    rules: NoticeRules,
    (targets, state_dir): (Vec<NoticeTarget>, Option<PathBuf>),
) {
    if targets.is_empty() {
        return;
    }
    let mut until = service.until.clone();
    let mut deliveries = JoinSet::new();
    let telling = async {
        let mut outboxes = Vec::new();
        let (outcomes, incoming) = mpsc::channel(MOST_OUTCOMES);
        for target in targets {
            let outbox = Arc::new(NoticeOutbox::new(target.name()));
            outboxes.push(Arc::clone(&outbox));
            deliveries.spawn(deliver(target, outbox, outcomes.clone()));
        }
        let teller = NoticeTeller {
            service: Arc::clone(&service),
            desk: NoticeDesk::new(rules, outboxes),
            unclaimed: state_dir,
            keeper: None,
            memory: ConditionMemory::default(),
        };
        teller.run(incoming).await;
    };
    tokio::select! {
        () = telling => {}
        _ = until.wait_for(|is_over| *is_over) => {}
    }
    deliveries.shutdown().await;
}

/// Looks, and takes in what became of messages.
struct NoticeTeller {
    service: Arc<StatusService>,
    desk: NoticeDesk,
    /// The state folder, until its file of what was told is claimed. Until then all is kept in memory.
    unclaimed: Option<PathBuf>,
    keeper: Option<ToldKeeper>,
    memory: ConditionMemory,
}

impl NoticeTeller {
    async fn run(mut self, mut outcomes: mpsc::Receiver<DeliveryOutcome>) {
        loop {
            self.look().await;
            let next = Instant::now() + LOOK_EACH;
            loop {
                tokio::select! {
                    () = sleep_until(next) => break,
                    // The causes can be looked for from now on.
                    () = self.service.history_set.notified() => break,
                    Some(outcome) = outcomes.recv() => self.settle(vec![outcome]).await,
                }
            }
        }
    }

    /// Claims the file of what was told, once the state folder is there. `false`: another process of this host tells.
    fn claim(&mut self) -> bool {
        let Some(state_dir) = self.unclaimed.take_if(|folder| folder.exists()) else { return true };
        match ToldKeeper::claim(&state_dir) {
            Ok((keeper, told)) => {
                self.desk.take_over(told, now_ms());
                self.keeper = Some(keeper);
            }
            Err(FileError::Held { .. }) => {
                self.unclaimed = Some(state_dir);
                return false;
            }
            Err(error) => emit(JobEvent::StateNotWritten { message: error_chain(&error) }),
        }
        true
    }

    async fn look(&mut self) {
        if !self.claim() {
            return;
        }
        let seen = self.service.open_conditions(self.desk.rules(), &mut self.memory);
        // A look that takes too long says nothing: neither that something began nor that it is over.
        if let Ok(seen) = timeout(LOOK_TIME, seen).await {
            let noted = self.desk.note_due(&seen, now_ms());
            // A process that is killed from here on leaves the messages to the next one, which sends the same.
            self.keep().await;
            let gone = self.desk.hand_out(&noted);
            if !gone.is_empty() {
                self.settle(gone).await;
            }
        }
    }

    /// First the file, then log and metrics: whoever reads there that a message was sent knows that no restart
    /// sends it again.
    async fn settle(&mut self, outcomes: Vec<DeliveryOutcome>) {
        outcomes.iter().for_each(|outcome| self.desk.settle(outcome));
        self.keep().await;
        outcomes.into_iter().for_each(|outcome| tell(&self.service, outcome));
    }

    /// Writes what was told, if that changed or could not be written before.
    async fn keep(&mut self) {
        let Some(keeper) = &mut self.keeper else { return };
        let told = if keeper.is_behind() { Some(self.desk.told()) } else { self.desk.changed() };
        keeper.keep(told).await;
    }
}

fn tell(service: &StatusService, outcome: DeliveryOutcome) {
    let DeliveryOutcome { target, condition, kind, tries, failure, .. } = outcome;
    let result = if failure.is_none() { "sent" } else { "failed" };
    service.metrics.notice(target, result);
    let (target, kind) = (target.to_owned(), kind.word().to_owned());
    emit(match failure {
        None => JobEvent::NoticeSent { target, condition, kind, tries },
        Some(message) => JobEvent::NoticeFailed { target, condition, kind, tries, message },
    });
}
