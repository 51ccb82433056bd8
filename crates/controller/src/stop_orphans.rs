//! The end of orphans: judged once more at the last moment, in turn, a few at a time in each place.

use std::collections::VecDeque;
use std::iter::zip;
use std::sync::{Arc, Mutex};

use fargate_driver::task::{ObservedTask, reason, release, stop};
use fargate_events::{JobEvent, emit};
use fargate_state::{JobRecord, JobState, StateError, StateFolder};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::account_cluster::AccountCluster;
use crate::finding::{FoundOrphan, OrphanSubject};
use crate::judge::{self, OrphanJudge, OrphanReason, OrphanVerdict};
use crate::report::{OrphanOutcome, OrphanReport};

/// What a sweep may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReapMode {
    /// Look, and change nothing at all.
    Look,
    /// End what was seen orphaned twice.
    End,
}

/// Calls of one place that wait for an answer at a time. Turns are shared evenly among places,
/// whatever each has to do.
const HANDS: usize = 8;

/// Why the rest of a place is not tried.
pub(crate) type SkipReason = Arc<Mutex<Option<String>>>;

/// Whoever ends what was found.
pub(crate) trait OrphanStopper: Send + Sync + 'static {
    /// Ends it, if it still may; what became of it.
    fn end(&self, found: FoundOrphan) -> impl Future<Output = OrphanReport> + Send;
}

/// Ends what is `due` of what was found, if that is what is meant; the rest was seen once. `hand` makes
/// who does so in a place.
pub(crate) async fn settle<W: OrphanStopper>(
    places: &[Arc<AccountCluster>],
    (found, due): (Vec<FoundOrphan>, Vec<bool>),
    intent: ReapMode,
    hand: impl Fn(&Arc<AccountCluster>) -> W,
    told: &mut dyn FnMut(usize, usize),
) -> Vec<OrphanReport> {
    let (mut again, mut once) = (Vec::new(), Vec::new());
    for (found, due) in zip(found, due) {
        if due { again.push(found) } else { once.push(found.orphan) }
    }
    let mut orphans = match intent {
        ReapMode::Look => {
            let spared = |found: FoundOrphan| OrphanReport {
                done: OrphanOutcome::WouldStop,
                ..found.orphan
            };
            again.into_iter().map(spared).collect()
        }
        ReapMode::End => in_turn(places, again, hand, told).await,
    };
    orphans.extend(once);
    orphans
}

/// Ends everything in `due`, a few at a time in each place.
async fn in_turn<W: OrphanStopper>(
    places: &[Arc<AccountCluster>],
    due: Vec<FoundOrphan>,
    hand: impl Fn(&Arc<AccountCluster>) -> W,
    told: &mut dyn FnMut(usize, usize),
) -> Vec<OrphanReport> {
    let all = due.len();
    let mut queues: Vec<VecDeque<FoundOrphan>> = places.iter().map(|_| VecDeque::new()).collect();
    for found in due {
        queues[found.place].push_back(found);
    }
    let (sender, mut ended) = mpsc::channel(HANDS);
    let mut hands = JoinSet::new();
    for (place, queue) in places.iter().zip(queues) {
        let count = queue.len().min(HANDS);
        let (queue, hand) = (Arc::new(Mutex::new(queue)), Arc::new(hand(place)));
        for _ in 0..count {
            let hand = Arc::clone(&hand);
            let (queue, sender) = (Arc::clone(&queue), sender.clone());
            hands.spawn(async move {
                while let Some(found) = next(&queue) {
                    // Nobody listens only when the sweep was given up.
                    if sender.send(hand.end(found).await).await.is_err() {
                        break;
                    }
                }
            });
        }
    }
    drop(sender);
    let mut orphans = Vec::with_capacity(all);
    while let Some(orphan) = ended.recv().await {
        orphans.push(orphan);
        told(orphans.len(), all);
    }
    while let Some(hand) = hands.join_next().await {
        hand.expect("ending an orphan does not panic");
    }
    orphans
}

fn next(queue: &Mutex<VecDeque<FoundOrphan>>) -> Option<FoundOrphan> {
    queue.lock().expect("no one panics while holding the queue").pop_front()
}

/// In what words a call was refused for good, if one was.
pub(crate) fn refused(refused: &SkipReason) -> Option<String> {
    refused.lock().expect("no one panics while holding it").clone()
}

/// Keeps the first of such words.
fn refuse(refused: &SkipReason, words: &str) {
    let mut refused = refused.lock().expect("no one panics while holding it");
    refused.get_or_insert_with(|| words.to_owned());
}

/// Stops one task; a refusal for good spares the rest of its place the same.
pub(crate) async fn stop_task(
    place: &AccountCluster,
    refused: &SkipReason,
    task: &ObservedTask,
    words: &str,
) -> OrphanOutcome {
    let deadline = Instant::now() + place.profile.timeouts.cleanup;
    match stop(&place.ecs, &place.cluster, &task.task, words, deadline, || false).await {
        Ok(()) => OrphanOutcome::Stopped,
        Err(error) => {
            let words = format!("StopTask: {error}");
            if !error.is_transient() {
                refuse(refused, &words);
            }
            OrphanOutcome::NotDone(words)
        }
    }
}

/// One of those who work through the queue of a place.
pub(crate) struct HostOrphanStopper {
    pub place: Arc<AccountCluster>,
    pub folder: StateFolder,
    pub judge: OrphanJudge,
    pub refused: SkipReason,
}

impl OrphanStopper for HostOrphanStopper {
    async fn end(&self, found: FoundOrphan) -> OrphanReport {
        let FoundOrphan { finding, mut orphan, .. } = found;
        if let Some(words) = refused(&self.refused) {
            orphan.done = OrphanOutcome::NotDone(words);
            return orphan;
        }
        orphan.done = match &finding {
            OrphanSubject::Task(task) => self.end_task(task, orphan.reason).await,
            OrphanSubject::Record(record) => {
                let done = self.end_record(record, orphan.reason).await;
                // ECS forgets a stopped task after an hour, and may not have shown a live one.
                if done == OrphanOutcome::Stopped && orphan.task.is_none() {
                    OrphanOutcome::Settled
                } else {
                    done
                }
            }
        };
        log(&orphan);
        orphan
    }
}

impl HostOrphanStopper {
    /// A new `prepare` of the job, or anything else that changed its verdict, spares the task.
    async fn end_task(&self, task: &ObservedTask, why: OrphanReason) -> OrphanOutcome {
        let known = match judge::job_of(task) {
            Some(job) => self.folder.known(&job),
            None => JobState::Nothing,
        };
        if self.judge.task(task, &known) != OrphanVerdict::Orphan(why) {
            return OrphanOutcome::Changed;
        }
        stop_task(&self.place, &self.refused, task, &words(why)).await
    }

    /// The record is taken over first, so that its stages and a late `prepare` see that it is over,
    /// and ends as a clean-up would leave it.
    async fn end_record(&self, seen: &JobRecord, why: OrphanReason) -> OrphanOutcome {
        match self.folder.known(&seen.job) {
            JobState::Record(now) if self.judge.record(&now) == OrphanVerdict::Orphan(why) => {}
            _ => return OrphanOutcome::Changed,
        }
        let (taken, unwritten) = match self.folder.take_over_seen(seen).await {
            Ok(Some(taken)) => (taken, None),
            Ok(None) => return OrphanOutcome::Changed,
            // A full disk must not keep a task alive, and no `prepare` begins on one.
            Err(error @ StateError::Disk { .. }) => (seen.clone(), Some(error)),
            Err(error) => return OrphanOutcome::NotDone(error.to_string()),
        };
        let timeouts = &self.place.profile.timeouts;
        let deadline = Instant::now() + timeouts.cleanup;
        let (ecs, launches) = (&self.place.ecs, &taken.launches);
        let released =
            release(ecs, launches, &words(why), deadline, timeouts.task_visibility).await;
        if let Some(first) = released.undone.first() {
            if released.refused {
                refuse(&self.refused, first);
            }
            // A `prepare` that has begun meanwhile keeps its own record.
            if let Err(error) = self.folder.keep_taken(&taken).await {
                emit(JobEvent::StateNotWritten { message: error.to_string() });
            }
            return OrphanOutcome::NotDone(first.clone());
        }
        let buried = match unwritten {
            None => self.folder.bury_taken(&taken).await,
            Some(error) => Err(error),
        };
        match buried {
            Ok(()) | Err(StateError::TakenOver) => OrphanOutcome::Stopped,
            Err(error) => {
                OrphanOutcome::NotDone(format!("its task was stopped, its record stays: {error}"))
            }
        }
    }
}

fn words(why: OrphanReason) -> String {
    reason(&format!("orphaned, seen twice: {}", why.words()))
}

pub(crate) fn log(orphan: &OrphanReport) {
    let task = orphan.task.clone();
    let job = orphan.job_id.clone().unwrap_or_else(|| orphan.job.to_string());
    let reason = orphan.reason.slug().to_owned();
    emit(match &orphan.done {
        OrphanOutcome::Stopped | OrphanOutcome::Settled => {
            let message = orphan.reason.words().to_owned();
            JobEvent::OrphanStopped { task, job, reason, message }
        }
        OrphanOutcome::NotDone(words) => {
            JobEvent::OrphanStays { task, job, reason, message: words.clone() }
        }
        OrphanOutcome::SeenOnce | OrphanOutcome::WouldStop | OrphanOutcome::Changed => {
            JobEvent::OrphanSpared { task, job, reason }
        }
    });
}
