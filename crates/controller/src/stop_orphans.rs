//! Stops orphans, a few at a time in each cluster. Each one is judged once more just before.
//!
//! How an orphan is found is the matter of the two reapers.

use fargate_driver::context::WallClock;
use std::collections::VecDeque;
use std::iter::zip;
use std::sync::{Arc, Mutex};

use fargate_driver::task::{ObservedTask, reason, release, stop};
use fargate_events::{JobEvent, emit};
use fargate_state::{JobRecord, RecordState, StateError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::account_cluster::AccountCluster;
use crate::finding::{FoundOrphan, OrphanSubject};
use crate::folder_guard::FolderGuard;
use crate::judge::{self, OrphanJudge, OrphanVerdict};
use crate::orphan_reason::OrphanReason;
use crate::report::{OrphanOutcome, OrphanReport};

/// What a sweep may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReapMode {
    /// Report what would be stopped; change nothing.
    Look,
    /// Stop what was seen as an orphan twice.
    End,
}

/// How many orphans of one cluster are stopped at the same time. The clusters share the rate limit
/// evenly, so one with many orphans does not delay the others.
const AT_ONCE: usize = 8;

/// Why the other orphans of a cluster are not tried.
pub(crate) type SkipReason = Arc<Mutex<Option<String>>>;

/// Stops orphans of one cluster.
pub(crate) trait OrphanStopper: Send + Sync + 'static {
    /// Stops an orphan if it still is one. Returns what happened to it.
    fn end(&self, found: FoundOrphan) -> impl Future<Output = OrphanReport> + Send;
}

/// Stops the orphans that are `due`, if the mode allows it. The others have been seen once.
/// `make_stopper` makes the stopper of a cluster.
pub(crate) async fn settle<W: OrphanStopper>(
    places: &[Arc<AccountCluster>],
    (found, due): (Vec<FoundOrphan>, Vec<bool>),
    intent: ReapMode,
    make_stopper: impl Fn(&Arc<AccountCluster>) -> W,
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
        ReapMode::End => in_turn(places, again, make_stopper, told).await,
    };
    orphans.extend(once);
    orphans
}

/// Stops everything in `due`, a few at a time in each cluster.
async fn in_turn<W: OrphanStopper>(
    places: &[Arc<AccountCluster>],
    due: Vec<FoundOrphan>,
    make_stopper: impl Fn(&Arc<AccountCluster>) -> W,
    told: &mut dyn FnMut(usize, usize),
) -> Vec<OrphanReport> {
    let all = due.len();
    let mut queues: Vec<VecDeque<FoundOrphan>> = places.iter().map(|_| VecDeque::new()).collect();
    for found in due {
        queues[found.place].push_back(found);
    }
    let (sender, mut ended) = mpsc::channel(AT_ONCE);
    let mut workers = JoinSet::new();
    for (place, queue) in places.iter().zip(queues) {
        let count = queue.len().min(AT_ONCE);
        let (queue, stopper) = (Arc::new(Mutex::new(queue)), Arc::new(make_stopper(place)));
        for _ in 0..count {
            let stopper = Arc::clone(&stopper);
            let (queue, sender) = (Arc::clone(&queue), sender.clone());
            workers.spawn(async move {
                while let Some(found) = next(&queue) {
                    // This fails only if the sweep was dropped.
                    if sender.send(stopper.end(found).await).await.is_err() {
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
    while let Some(worker) = workers.join_next().await {
        worker.expect("ending an orphan does not panic");
    }
    orphans
}

fn next(queue: &Mutex<VecDeque<FoundOrphan>>) -> Option<FoundOrphan> {
    queue.lock().expect("no one panics while holding the queue").pop_front()
}

/// The reason why no call to the cluster is tried any more, if there is one.
pub(crate) fn refused(refused: &SkipReason) -> Option<String> {
    refused.lock().expect("no one panics while holding it").clone()
}

/// Notes such a reason. The first one stays.
fn refuse(refused: &SkipReason, words: &str) {
    let mut refused = refused.lock().expect("no one panics while holding it");
    refused.get_or_insert_with(|| words.to_owned());
}

/// Stops one task. If a call is refused for a lasting reason, the rest of the cluster is not tried.
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

/// One worker on the queue of a cluster.
pub(crate) struct HostOrphanStopper {
    pub place: Arc<AccountCluster>,
    pub guard: FolderGuard,
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
            OrphanSubject::Record { record, live } => {
                let done = self.end_record(record, live.as_deref(), orphan.reason).await;
                // ECS forgets a stopped task after an hour, and it may not have shown a live one.
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
    /// Stops a task, unless a new `prepare` of the job or anything else has changed the judgement.
    async fn end_task(&self, task: &ObservedTask, why: OrphanReason) -> OrphanOutcome {
        let known = match judge::job_of(task).map(|job| self.guard.known(&job)) {
            Some(Ok(known)) => known,
            Some(Err(lost)) => return OrphanOutcome::NotDone(lost),
            None => RecordState::Nothing,
        };
        if self.judge.task(task, &known) != OrphanVerdict::Orphan(why) {
            return OrphanOutcome::Changed;
        }
        stop_task(&self.place, &self.refused, task, &words(why)).await
    }

    /// Stops all tasks of a record. It takes the record over first, so that stages and a late
    /// `prepare` see that the job is over. At the end the record is as after a clean-up.
    async fn end_record(
        &self,
        seen: &JobRecord,
        live: Option<&ObservedTask>,
        why: OrphanReason,
    ) -> OrphanOutcome {
        let folder = self.guard.folder();
        match self.guard.known(&seen.job) {
            Ok(RecordState::Record(now))
                if self.judge.record(&now, live) == OrphanVerdict::Orphan(why) => {}
            Ok(_) => return OrphanOutcome::Changed,
            Err(lost) => return OrphanOutcome::NotDone(lost),
        }
        let (taken, unwritten) = match folder.take_over_seen(seen).await {
            Ok(Some(taken)) => (taken, None),
            Ok(None) => return OrphanOutcome::Changed,
            // A full disk must not keep a task alive. No `prepare` can begin on a full disk, so the
            // task may be stopped without the record.
            Err(error @ StateError::Disk { .. }) => (seen.clone(), Some(error)),
            Err(error) => return OrphanOutcome::NotDone(error.to_string()),
        };
        let timeouts = &self.place.profile.timeouts;
        let deadline = Instant::now() + timeouts.cleanup;
        let (ecs, launches) = (&self.place.ecs, &taken.launches);
        let released = release(
            ecs,
            launches,
            &words(why),
            deadline,
            timeouts.task_visibility,
            &WallClock::system(),
        )
        .await;
        if let Some(first) = released.undone.first() {
            if released.refused {
                refuse(&self.refused, first);
            }
            // If a `prepare` has begun in between, it keeps its own record.
            if let Err(error) = folder.keep_taken(&taken).await {
                emit(JobEvent::StateNotWritten { message: error.to_string() });
            }
            return OrphanOutcome::NotDone(first.clone());
        }
        let buried = match unwritten {
            None => folder.bury_taken(&taken).await,
            Some(error) => Err(error),
        };
        match buried {
            Ok(()) | Err(StateError::TakenOver) => OrphanOutcome::Stopped,
            Err(error) => OrphanOutcome::NotDone(format!(
                "its task was stopped, but its record remains: {error}"
            )),
        }
    }
}

fn words(why: OrphanReason) -> String {
    reason(&format!("orphaned, seen twice: {}", why.words()))
}

pub(crate) fn log(orphan: &OrphanReport) {
    emit(orphan_event(orphan));
}

/// What the log and the job's journal say of an orphan.
#[must_use]
pub(crate) fn orphan_event(orphan: &OrphanReport) -> JobEvent {
    let task = orphan.task.clone();
    let job = orphan.job_id.clone().unwrap_or_else(|| orphan.job.to_string());
    let reason = orphan.reason.slug().to_owned();
    match &orphan.done {
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
    }
}
