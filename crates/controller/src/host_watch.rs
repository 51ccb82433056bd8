//! What ECS said last of the tasks of this host, and who waits for news of which task.
//!
//! It asks nobody: `watch_loop` asks ECS about the tasks that somebody waits for, and each sweep of the reaper
//! tells all others. It judges no task.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use fargate_driver::daemon::{TaskPlace, TaskSighting};
use fargate_driver::task::{DESCRIBE_LIMIT, ObservedTask};
use fargate_events::{JobEvent, emit};
use fargate_model::backoff::RetryBackoff;
use fargate_model::id::TaskArn;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Most tasks that are watched. Ours: twice what the daemon is built for.
pub const MOST_WATCHED: usize = 20_000;
/// How much the pause grows from one look at a task to the next, as in a driver of its own.
const SLOWER: f64 = 1.4;
/// How long a task that ended is still shown.
const SHOWN_AFTER_END: Duration = Duration::from_secs(10);

/// A task of this host, as ECS described it last.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchedTask {
    /// Where it is.
    pub place: TaskPlace,
    /// What ECS said.
    pub seen: ObservedTask,
    /// How long ago.
    pub age: Duration,
}

/// Since when ECS does not answer about a cluster, and what was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcsSilence {
    /// The cluster, and as whom it is asked about.
    pub place: TaskPlace,
    /// The first call that failed.
    pub since: SystemTime,
    /// What ECS or the network said last.
    pub words: String,
}

impl EcsSilence {
    /// All of it in one line for people.
    #[must_use]
    pub fn line(&self) -> String {
        let TaskPlace { region, cluster, .. } = &self.place;
        format!("cluster {cluster} in {region}: {}", self.words)
    }
}

/// All that is known. Clones share it.
#[derive(Clone, Debug)]
pub struct HostWatch {
    board: Arc<Mutex<WatchBoard>>,
    moved: watch::Sender<u64>,
    /// Somebody waits for a task that nobody waited for.
    pub(crate) wake: Arc<Notify>,
}

impl Default for HostWatch {
    fn default() -> Self {
        let board = Arc::new(Mutex::new(WatchBoard::default()));
        Self { board, moved: watch::Sender::new(0), wake: Arc::default() }
    }
}

#[derive(Debug, Default)]
struct WatchBoard {
    tasks: HashMap<TaskArn, WatchedEntry>,
    listed: Option<Instant>,
    /// Clusters of which ECS does not answer, in the order in which they fell silent.
    silences: Vec<EcsSilence>,
}

#[derive(Debug)]
struct WatchedEntry {
    place: TaskPlace,
    since: Instant,
    seen: Option<ObservedTask>,
    looked: Option<Instant>,
    /// Each one who waits has a receiver.
    news: watch::Sender<u64>,
    due: Instant,
    backoff: RetryBackoff,
    /// A call about this task and others was refused, so it is asked about alone.
    is_alone: bool,
    ended: Option<Instant>,
}

impl WatchedEntry {
    fn new(place: TaskPlace) -> Self {
        let (now, backoff) = (Instant::now(), first_pauses());
        Self {
            place,
            since: now,
            seen: None,
            looked: None,
            news: watch::Sender::new(0),
            due: now + backoff.pause(),
            backoff,
            is_alone: false,
            ended: None,
        }
    }

    fn is_waited_for(&self) -> bool {
        self.news.receiver_count() > 0
    }

    /// Whether ECS was asked about it after this moment, so that an older answer says nothing new.
    fn is_newer_than(&self, asked: Instant) -> bool {
        self.looked.is_some_and(|looked| looked > asked)
    }

    fn take(&mut self, seen: ObservedTask, asked: Instant) -> bool {
        if self.is_newer_than(asked) {
            return false;
        }
        self.looked = Some(asked);
        if seen.status.is_over() {
            self.ended.get_or_insert(asked);
        }
        let is_new = self.seen.as_ref() != Some(&seen);
        if is_new {
            self.seen = Some(seen);
            self.news.send_modify(|news| *news += 1);
        }
        is_new
    }

    fn sighting(&self) -> TaskSighting {
        let age = self.looked.unwrap_or(self.since).elapsed();
        TaskSighting {
            seen: self.seen.clone(),
            is_looked: self.looked.is_some(),
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// The pauses between two looks at a task. Ours, as in a driver of its own.
fn first_pauses() -> RetryBackoff {
    RetryBackoff::growing(Duration::from_millis(200), Duration::from_secs(5), SLOWER)
}

/// Somebody who waits for news of one task.
#[derive(Debug)]
pub struct TaskSubscription {
    watch: HostWatch,
    task: TaskArn,
    news: watch::Receiver<u64>,
}

impl TaskSubscription {
    /// What is known now.
    #[must_use]
    pub fn sighting(&mut self) -> TaskSighting {
        self.news.borrow_and_update();
        self.watch.board().tasks.get(&self.task).map(WatchedEntry::sighting).unwrap_or_default()
    }

    /// Waits for news.
    pub async fn changed(&mut self) {
        if self.news.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl HostWatch {
    fn board(&self) -> MutexGuard<'_, WatchBoard> {
        self.board.lock().expect("no one panics while holding what is known of tasks")
    }

    /// Watches a task for somebody. `None` if too many are watched.
    #[must_use]
    pub fn subscribe(&self, place: &TaskPlace, task: &TaskArn) -> Option<TaskSubscription> {
        let mut board = self.board();
        if board.tasks.len() >= MOST_WATCHED && !board.tasks.contains_key(task) {
            return None;
        }
        let entry = board.tasks.entry(task.clone());
        let entry = entry.or_insert_with(|| WatchedEntry::new(place.clone()));
        if !entry.is_waited_for() {
            (entry.since, entry.backoff) = (Instant::now(), first_pauses());
            entry.due = entry.since + entry.backoff.pause();
        }
        let news = entry.news.subscribe();
        drop(board);
        self.wake.notify_waiters();
        Some(TaskSubscription { watch: self.clone(), task: task.clone(), news })
    }

    /// All tasks that have not ended, as far as ECS was asked about them, in the order of their ARNs.
    #[must_use]
    pub fn tasks(&self) -> Vec<WatchedTask> {
        let board = self.board();
        let shown = board.tasks.values().filter_map(|entry| {
            let (seen, looked) = (entry.seen.clone()?, entry.looked?);
            let place = entry.place.clone();
            (!seen.status.is_over()).then(|| WatchedTask { place, seen, age: looked.elapsed() })
        });
        let mut tasks: Vec<WatchedTask> = shown.collect();
        tasks.sort_by(|one, other| one.seen.task.0.cmp(&other.seen.task.0));
        tasks
    }

    /// How many tasks have not ended, as far as ECS was asked about them.
    #[must_use]
    pub fn live_count(&self) -> usize {
        let board = self.board();
        let live = board.tasks.values().filter_map(|entry| entry.seen.as_ref());
        live.filter(|seen| !seen.status.is_over()).count()
    }

    /// Time since all tasks of this host were listed; `None`: not yet.
    #[must_use]
    pub fn listed(&self) -> Option<Duration> {
        self.board().listed.map(|at| at.elapsed())
    }

    /// Moves with each change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    /// The cluster of which ECS has not answered for longest; `None` if it answers about all.
    #[must_use]
    pub fn silence(&self) -> Option<EcsSilence> {
        self.board().silences.first().cloned()
    }

    /// When the next task of this place is to be looked at; `None`: nobody waits for one.
    pub(crate) fn next_due(&self, place: &TaskPlace) -> Option<Instant> {
        let board = self.board();
        let waited = board.tasks.values().filter(|entry| entry.place == *place);
        waited.filter(|entry| entry.is_waited_for()).map(|entry| entry.due).min()
    }

    /// The tasks of the next call: those that are due first, of one account.
    pub(crate) fn due(&self, place: &TaskPlace) -> Vec<TaskArn> {
        let board = self.board();
        let is_waited = |entry: &WatchedEntry| entry.place == *place && entry.is_waited_for();
        let mut waited: Vec<(&TaskArn, &WatchedEntry)> =
            board.tasks.iter().filter(|(_, entry)| is_waited(entry)).collect();
        waited.sort_by_key(|(_, entry)| entry.due);
        let Some((first, entry)) = waited.first().copied() else { return Vec::new() };
        if entry.due > Instant::now() {
            return Vec::new();
        }
        if entry.is_alone {
            return vec![first.clone()];
        }
        let account = account_of(first);
        let others = waited
            .into_iter()
            .filter(|(task, entry)| account_of(task) == account && !entry.is_alone);
        others.take(DESCRIBE_LIMIT).map(|(task, _)| task.clone()).collect()
    }

    /// What ECS answered when it was asked about these tasks of a cluster.
    pub(crate) fn take_in(&self, place: &TaskPlace, asked: &[TaskArn], found: Vec<ObservedTask>) {
        let (mut is_new, now) = (false, Instant::now());
        let mut board = self.board();
        for task in asked {
            let Some(entry) = board.tasks.get_mut(task) else { continue };
            entry.looked = Some(now);
            // Whatever was refused before, this one was not the reason.
            entry.is_alone = false;
            entry.due = now + entry.backoff.pause();
            entry.backoff.grow();
        }
        for seen in found {
            if let Some(entry) = board.tasks.get_mut(&seen.task) {
                is_new |= entry.take(seen, now);
            }
        }
        board.forget_unwanted(now);
        drop(board);
        self.heard(place);
        self.moved_if(is_new);
    }

    /// The call about these failed with these words. Unless that passes by itself, each is asked about alone.
    pub(crate) fn not_answered(
        &self,
        place: &TaskPlace,
        asked: &[TaskArn],
        (words, is_passing): (&str, bool),
    ) {
        let now = Instant::now();
        let mut board = self.board();
        for task in asked {
            let Some(entry) = board.tasks.get_mut(task) else { continue };
            entry.is_alone |= !is_passing;
            entry.due = now + entry.backoff.pause();
            entry.backoff.grow();
        }
        drop(board);
        if is_passing {
            self.not_heard(place, words);
        }
    }

    /// All live tasks of this host in these places, as ECS was `asked` at that moment. What was learned of a
    /// task since then stays.
    pub(crate) fn listed_all(
        &self,
        asked: Instant,
        places: &[TaskPlace],
        found: Vec<(TaskPlace, ObservedTask)>,
    ) {
        if places.is_empty() {
            return;
        }
        let mut is_new = false;
        let mut board = self.board();
        let mut live = std::collections::HashSet::new();
        for (place, seen) in found {
            live.insert(seen.task.clone());
            if board.tasks.len() >= MOST_WATCHED && !board.tasks.contains_key(&seen.task) {
                continue;
            }
            let entry = board.tasks.entry(seen.task.clone());
            is_new |= entry.or_insert_with(|| WatchedEntry::new(place)).take(seen, asked);
        }
        let before = board.tasks.len();
        board.tasks.retain(|task, entry| {
            let is_kept = entry.is_waited_for() || entry.is_newer_than(asked);
            live.contains(task) || is_kept || !places.contains(&entry.place)
        });
        is_new |= board.tasks.len() != before;
        board.listed = Some(asked);
        drop(board);
        places.iter().for_each(|place| self.heard(place));
        self.moved_if(is_new);
    }

    /// ECS answered about this cluster. The log hears it once all clusters have an answer.
    fn heard(&self, place: &TaskPlace) {
        let mut board = self.board();
        let before = board.silences.len();
        board.silences.retain(|silence| silence.place != *place);
        let (is_heard, is_last) = (board.silences.len() < before, board.silences.is_empty());
        drop(board);
        if is_heard && is_last {
            emit(JobEvent::EcsAnswersAgain {});
        }
        self.moved_if(is_heard);
    }

    /// ECS did not answer about this cluster.
    pub(crate) fn not_heard(&self, place: &TaskPlace, words: &str) {
        let mut board = self.board();
        let known = board.silences.iter_mut().find(|silence| silence.place == *place);
        if let Some(silence) = known {
            words.clone_into(&mut silence.words);
            return;
        }
        let (place, words) = (place.clone(), words.to_owned());
        let silence = EcsSilence { place, since: SystemTime::now(), words };
        board.silences.push(silence.clone());
        drop(board);
        emit(JobEvent::EcsSilent { message: silence.line() });
        self.moved_if(true);
    }

    fn moved_if(&self, is_new: bool) {
        if is_new {
            self.moved.send_modify(|moved| *moved += 1);
        }
    }
}

impl WatchBoard {
    /// Drops tasks that ended a while ago and for which nobody waits.
    fn forget_unwanted(&mut self, now: Instant) {
        self.tasks.retain(|_, entry| {
            let is_long_over = entry.ended.is_some_and(|ended| now > ended + SHOWN_AFTER_END);
            let is_unknown = entry.seen.is_none();
            entry.is_waited_for() || !is_long_over && !is_unknown
        });
    }
}

/// The account in an ARN.
fn account_of(task: &TaskArn) -> Option<&str> {
    task.0.split(':').nth(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> TaskPlace {
        TaskPlace {
            region: "eu-west-1".to_owned(),
            cluster: "ci".to_owned(),
            ..TaskPlace::default()
        }
    }

    fn task(number: usize) -> TaskArn {
        TaskArn(format!("arn:aws:ecs:eu-west-1:123456789012:task/ci/{number:032x}"))
    }

    #[tokio::test(start_paused = true)]
    async fn one_call_covers_a_hundred_waiters_and_those_that_are_due_first_come_first() {
        let watch = HostWatch::default();
        assert_eq!((watch.next_due(&place()), watch.due(&place()).len()), (None, 0));
        let waiting: Vec<_> =
            (0..250).filter_map(|number| watch.subscribe(&place(), &task(number))).collect();
        assert_eq!(watch.due(&place()), []);
        tokio::time::advance(Duration::from_millis(250)).await;
        let mut seen = std::collections::HashSet::new();
        for expected in [100, 100, 50] {
            let batch = watch.due(&place());
            assert!(batch.len() <= DESCRIBE_LIMIT);
            let new = batch.iter().filter(|task| seen.insert((*task).clone())).count();
            assert_eq!(new, expected);
            watch.take_in(&place(), &batch, Vec::new());
        }
        // Nobody waits any more, so nothing is asked.
        drop(waiting);
        assert_eq!(watch.next_due(&place()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_ecs_will_never_answer_is_split_and_one_that_failed_in_passing_is_told() {
        let watch = HostWatch::default();
        let waiting: Vec<_> =
            (0..3).filter_map(|number| watch.subscribe(&place(), &task(number))).collect();
        tokio::time::advance(Duration::from_secs(1)).await;
        let batch = watch.due(&place());
        watch.not_answered(&place(), &batch, ("InvalidParameterException: odd", false));
        assert_eq!(watch.silence(), None);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((batch.len(), watch.due(&place()).len()), (3, 1));
        watch.not_answered(&place(), &batch, ("no answer", true));
        assert_eq!(watch.silence().map(|silence| silence.words).as_deref(), Some("no answer"));
        watch.take_in(&place(), &batch, Vec::new());
        assert_eq!((watch.silence(), waiting.len()), (None, 3));
    }

    fn described(number: usize, status: fargate_model::task::TaskStatus) -> ObservedTask {
        ObservedTask { task: task(number), status, ..crate::judge::example() }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_sweep_was_told_earlier_replaces_nothing_that_was_seen_since() {
        use fargate_model::task::TaskStatus::{Pending, Running};
        let watch = HostWatch::default();
        let mut waiting = watch.subscribe(&place(), &task(1)).expect("room");
        let asked = Instant::now();
        tokio::time::advance(Duration::from_secs(1)).await;
        watch.take_in(&place(), &[task(1)], vec![described(1, Running)]);
        // ECS was asked before, and the sweep ends a minute later.
        tokio::time::advance(Duration::from_secs(60)).await;
        let listed = vec![(place(), described(1, Pending)), (place(), described(2, Pending))];
        watch.listed_all(asked, &[place()], listed);
        assert_eq!(waiting.sighting().seen, Some(described(1, Running)));
        let ages: Vec<_> = watch.tasks().iter().map(|task| task.age.as_secs()).collect();
        assert_eq!((ages, watch.listed()), (vec![60, 61], Some(Duration::from_secs(61))));
        // A task that came after the question is not missing in the answer.
        drop(waiting);
        watch.listed_all(asked, &[place()], Vec::new());
        assert_eq!(watch.tasks().len(), 1);
        watch.listed_all(Instant::now(), &[place()], Vec::new());
        assert_eq!(watch.tasks(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_was_answered_alone_is_asked_about_with_the_others_again() {
        let watch = HostWatch::default();
        let _waiting: Vec<_> =
            (0..3).filter_map(|number| watch.subscribe(&place(), &task(number))).collect();
        tokio::time::advance(Duration::from_secs(1)).await;
        let batch = watch.due(&place());
        watch.not_answered(&place(), &batch, ("InvalidParameterException: odd", false));
        tokio::time::advance(Duration::from_secs(1)).await;
        let mut alone = 0;
        while let [one] = &watch.due(&place())[..] {
            let one = one.clone();
            // The last one is what ECS does not want to hear of.
            match one == task(2) {
                true => watch.not_answered(&place(), &[one], ("odd", false)),
                false => watch.take_in(&place(), &[one], Vec::new()),
            }
            alone += 1;
        }
        tokio::time::advance(Duration::from_secs(30)).await;
        let next = watch.due(&place());
        let both = if next.len() == 1 {
            // The odd one came first; which one does is chance.
            watch.not_answered(&place(), &next, ("odd", false));
            watch.due(&place())
        } else {
            next
        };
        assert_eq!((alone, both.len()), (3, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn the_silence_of_one_cluster_is_not_ended_by_an_answer_of_another() {
        let watch = HostWatch::default();
        let other = TaskPlace { cluster: "gpu".to_owned(), ..place() };
        watch.not_heard(&place(), "no answer");
        watch.not_heard(&other, "denied");
        watch.take_in(&other, &[], Vec::new());
        let silence = watch.silence().expect("one is silent");
        assert_eq!(silence.line(), "cluster ci in eu-west-1: no answer");
        watch.listed_all(Instant::now(), &[place()], Vec::new());
        assert_eq!(watch.silence(), None);
    }
}
