//! One script of a job, from its start to the last byte of its output, whether a client listens or
//! not.
//!
//! It knows processes, signals and deadlines. It knows neither SSH nor frames.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fargate_model::id::RandomToken;
use fargate_model::optional::or_never;
use fargate_protocol::{ScriptExit, ScriptStream};
use nix::sys::signal::Signal;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::output::{OutputLeftover, ScriptOutput};
use crate::process::ProcessTree;

/// Time between TERM and KILL for a script whose client is gone, or that a newer script replaces.
pub const SHORT_GRACE: Duration = Duration::from_secs(2);
/// If a process that the script left behind holds its output open, the output counts as complete
/// after this much silence.
const QUIET: Duration = Duration::from_secs(1);
/// Longest wait for such a process.
const LINGER: Duration = Duration::from_secs(5);
/// Longest wait for a group that was killed. A process that waits for storage may never end.
const KILLED_WITHIN: Duration = Duration::from_secs(2);
/// How often to check whether a group that must end is gone.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Signals that may wait for a stage. If there is no room for one more, the stage is ending anyway.
const ORDERS: usize = 16;
/// Bytes read from a pipe at a time.
const READ: usize = 32 * 1024;

/// A signal to send now, and the time until KILL follows.
#[derive(Clone, Copy, Debug)]
pub struct SignalRequest {
    pub signal: Signal,
    pub grace: Duration,
}

/// A script that was started.
pub struct ScriptRun {
    pub run_id: RandomToken,
    pub output: ScriptOutput,
    orders: mpsc::Sender<SignalRequest>,
    ordered: AtomicBool,
    signalled: AtomicBool,
    by_itself: AtomicBool,
    cleared: watch::Sender<bool>,
    audience: watch::Sender<StageListeners>,
    /// The number of the conversation that attached last.
    latest: watch::Sender<u64>,
    /// A newer run has replaced this one.
    pub superseded: watch::Sender<bool>,
}

/// Who listens to a stage.
#[derive(Clone, Copy, Default)]
struct StageListeners {
    listening: usize,
    /// Nobody listened for too long, so the script was ended and its output thrown away.
    abandoned: bool,
}

/// A client that listens to a stage. Dropping it counts the client out.
pub struct StageAttachment<'a> {
    stage: &'a ScriptRun,
    number: u64,
}

impl StageAttachment<'_> {
    /// Returns when a later conversation has attached. Then the client of this one has gone, but
    /// its connection does not know it yet.
    pub async fn displaced(&self) {
        let mut latest = self.stage.latest.subscribe();
        // The sender lives as long as the stage.
        let _ = latest.wait_for(|latest| *latest > self.number).await;
    }
}

impl Drop for StageAttachment<'_> {
    fn drop(&mut self) {
        self.stage.audience.send_modify(|audience| {
            audience.listening = audience.listening.saturating_sub(1);
        });
    }
}

/// The part of a stage that runs it, see [`ScriptSupervisor::run`].
pub struct ScriptSupervisor {
    orders: mpsc::Receiver<SignalRequest>,
    audience: watch::Receiver<StageListeners>,
}

impl ScriptRun {
    pub fn new(run_id: RandomToken) -> (Self, ScriptSupervisor) {
        let (orders, inbox) = mpsc::channel(ORDERS);
        let audience = watch::Sender::new(StageListeners::default());
        let supervisor = ScriptSupervisor { orders: inbox, audience: audience.subscribe() };
        let stage = Self {
            run_id,
            output: ScriptOutput::new(),
            orders,
            ordered: AtomicBool::new(false),
            signalled: AtomicBool::new(false),
            by_itself: AtomicBool::new(false),
            cleared: watch::Sender::new(false),
            audience,
            latest: watch::Sender::new(0),
            superseded: watch::Sender::new(false),
        };
        (stage, supervisor)
    }

    /// Counts a listening client in. Returns `None` if the script was ended because nobody listened
    /// for too long.
    ///
    /// If there are several conversations, the client is in the one with the highest number.
    pub fn attach(&self, number: u64) -> Option<StageAttachment<'_>> {
        let attached = self.audience.send_if_modified(|audience| {
            audience.listening += usize::from(!audience.abandoned);
            !audience.abandoned
        });
        if !attached {
            return None;
        }
        self.latest.send_if_modified(|latest| {
            let is_later = number > *latest;
            *latest = number.max(*latest);
            is_later
        });
        Some(StageAttachment { stage: self, number })
    }

    /// Forbids everybody to attach from now on. Returns `false`, and forbids nothing, if somebody
    /// has just attached.
    fn abandon(&self) -> bool {
        self.audience.send_if_modified(|audience| {
            audience.abandoned = audience.listening == 0;
            audience.abandoned
        })
    }

    /// Asks the stage to end. A later order can only shorten the grace.
    pub fn order(&self, order: SignalRequest) {
        self.ordered.store(true, Ordering::Relaxed);
        let _ = self.orders.try_send(order);
    }

    /// Whether the script ended before the agent sent it any signal.
    pub fn ended_by_itself(&self) -> bool {
        self.by_itself.load(Ordering::Relaxed)
    }

    /// Returns when no client listens any more.
    pub async fn unheard(&self) {
        let mut audience = self.audience.subscribe();
        // The sender lives as long as this stage.
        let _ = audience.wait_for(|audience| audience.listening == 0).await;
    }

    /// Whether this stage must still end before another may start: the script itself, or processes
    /// that somebody ordered to end.
    pub fn is_in_the_way(&self) -> bool {
        self.output.ending().is_none()
            || self.ordered.load(Ordering::Relaxed) && !*self.cleared.borrow()
    }

    /// Returns when the script has ended and every ordered end is done.
    pub async fn out_of_the_way(&self) {
        let mut cleared = self.cleared.subscribe();
        // The sender lives as long as this stage.
        let _ = cleared.wait_for(|cleared| *cleared).await;
    }

    /// Returns when the script has ended and its output is complete.
    pub async fn ended(&self) -> ScriptExit {
        let mut changes = self.output.subscribe();
        loop {
            if let Some(ending) = self.output.ending() {
                return ending;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl ScriptSupervisor {
    /// Reads the script's output, carries out orders, and ends the script if its client is gone for
    /// too long. Returns when the last process that holds its pipes is gone.
    pub async fn run(
        mut self,
        stage: &std::sync::Arc<ScriptRun>,
        mut child: Child,
        client_gone: Duration,
    ) {
        let tree = ProcessTree::of(&child);
        let signal = |signal| {
            stage.signalled.store(true, Ordering::Relaxed);
            if let Some(tree) = tree {
                tree.signal(signal);
            }
        };
        let mut pumps = JoinSet::new();
        if let Some(pipe) = child.stdout.take() {
            pumps.spawn(pump(stage.clone(), ScriptStream::Stdout, pipe));
        }
        if let Some(pipe) = child.stderr.take() {
            pumps.spawn(pump(stage.clone(), ScriptStream::Stderr, pipe));
        }
        let mut kill_at: Option<Instant> = None;
        // The client's time runs from the start, because it may never attach, and again from each
        // moment at which the last one leaves.
        let mut was_attached = false;
        let mut gone_at = Some(Instant::now() + client_gone);
        let mut ended: Option<ExitedScript> = None;
        loop {
            if self.audience.borrow_and_update().listening > 0 {
                was_attached = true;
                gone_at = None;
            } else if std::mem::take(&mut was_attached) {
                gone_at = Some(Instant::now() + client_gone);
            }
            if let Some(ExitedScript { ending, .. }) = ended
                && pumps.is_empty()
            {
                stage.output.finish(ending, OutputLeftover::Nothing);
                break;
            }
            tokio::select! {
                status = child.wait(), if ended.is_none() => {
                    // `signal` sets this flag before it sends anything, so an end that was seen
                    // without it is the script's own.
                    let by_itself = !stage.signalled.load(Ordering::Relaxed);
                    stage.by_itself.store(by_itself, Ordering::Relaxed);
                    ended = Some(ExitedScript::now(status, &stage.output));
                }
                _ = pumps.join_next(), if !pumps.is_empty() => {}
                Some(order) = self.orders.recv() => {
                    signal(order.signal);
                    kill_at = Some(sooner(kill_at, Instant::now() + order.grace));
                }
                () = or_never(kill_at.map(sleep_until)) => {
                    signal(Signal::SIGKILL);
                    kill_at = None;
                }
                // This only wakes the loop, which looks again at its top.
                _ = self.audience.changed() => {}
                () = or_never(gone_at.map(sleep_until)) => {
                    gone_at = None;
                    if stage.abandon() {
                        stage.output.discard();
                        signal(Signal::SIGTERM);
                        kill_at = Some(Instant::now() + SHORT_GRACE);
                    }
                }
                () = or_never(ended.as_ref().map(|ended| ended.look_again).map(sleep_until)) => {
                    if let Some(seen) = &mut ended
                        // A background process of the script may hold the pipes for ever. The stage
                        // must not wait for it.
                        && seen.is_complete(&stage.output)
                    {
                        stage.output.finish(seen.ending, OutputLeftover::Writers);
                        break;
                    }
                }
            }
        }
        // From here on nothing more is sent. Processes that the script left behind may still write,
        // and their output is thrown away. An ordered end still reaches them; it is done when the
        // group is gone.
        // A killed process may hang in the kernel, so this is how long its end is waited for.
        let mut killed_by: Option<Instant> = None;
        loop {
            let ending = kill_at.is_some() || killed_by.is_some_and(|until| Instant::now() < until);
            let pending = ending && tree.is_some_and(ProcessTree::is_alive);
            stage.cleared.send_replace(!pending);
            if !pending && pumps.is_empty() {
                return;
            }
            tokio::select! {
                _ = pumps.join_next(), if !pumps.is_empty() => {}
                Some(order) = self.orders.recv() => {
                    signal(order.signal);
                    kill_at = Some(sooner(kill_at, Instant::now() + order.grace));
                }
                () = or_never(kill_at.map(sleep_until)), if pending => {
                    signal(Signal::SIGKILL);
                    kill_at = None;
                    killed_by = Some(Instant::now() + KILLED_WITHIN);
                }
                () = tokio::time::sleep(LOOK_AGAIN), if pending => {}
            }
        }
    }
}

/// The new time of KILL. A later order may bring it forward, and never puts it off.
fn sooner(kill_at: Option<Instant>, at: Instant) -> Instant {
    kill_at.map_or(at, |before| before.min(at))
}

/// A script that has ended while another process still holds its pipes.
struct ExitedScript {
    ending: ScriptExit,
    since: Instant,
    look_again: Instant,
    seen: u64,
}

impl ExitedScript {
    fn now(status: std::io::Result<std::process::ExitStatus>, output: &ScriptOutput) -> Self {
        let now = Instant::now();
        Self { ending: ending(status), since: now, look_again: now + QUIET, seen: output.end() }
    }

    fn is_complete(&mut self, output: &ScriptOutput) -> bool {
        let quiet = output.end() == self.seen;
        self.seen = output.end();
        self.look_again = Instant::now() + QUIET;
        // If the window is full, the client is slow. It does not mean that the script has said all.
        !output.is_full() && (quiet || self.since.elapsed() >= LINGER)
    }
}

fn ending(status: std::io::Result<std::process::ExitStatus>) -> ScriptExit {
    use std::os::unix::process::ExitStatusExt;
    let byte = |n: i32| u8::try_from(n).unwrap_or(u8::MAX);
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => ScriptExit::Code { code: byte(code) },
            (None, signal) => {
                ScriptExit::Signal { number: byte(signal.unwrap_or(Signal::SIGKILL as i32)) }
            }
        },
        // This happens only if another part of the program reaped the child, and none does.
        Err(_) => ScriptExit::Signal { number: byte(Signal::SIGKILL as i32) },
    }
}

async fn pump(
    stage: std::sync::Arc<ScriptRun>,
    stream: ScriptStream,
    mut pipe: impl AsyncRead + Unpin,
) {
    let mut buffer = vec![0; READ];
    while let Ok(n @ 1..) = pipe.read(&mut buffer).await {
        stage.output.write(stream, &buffer[..n]).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::OutputRead;
    use crate::process::{ProcessSpec, start};
    use std::process::Stdio;
    use std::sync::Arc;

    struct RunningStage {
        stage: Arc<ScriptRun>,
        supervisor: tokio::task::JoinHandle<()>,
    }

    fn run(script: &str, client_gone: Duration) -> RunningStage {
        let arguments = ["-c".to_owned(), script.to_owned()];
        let environment = vec![("PATH".into(), std::env::var_os("PATH").unwrap_or_default())];
        let child = start(ProcessSpec {
            program: "bash",
            arguments: &arguments,
            environment,
            directory: None,
            stdin: Stdio::null(),
        })
        .unwrap();
        let (stage, supervisor) = ScriptRun::new(RandomToken::from_bits([7; 16]));
        let stage = Arc::new(stage);
        let supervisor = tokio::spawn({
            let stage = stage.clone();
            async move { supervisor.run(&stage, child, client_gone).await }
        });
        RunningStage { stage, supervisor }
    }

    const LONG: Duration = Duration::from_secs(100);

    async fn has_written(stage: &ScriptRun, bytes: u64) {
        let mut changes = stage.output.subscribe();
        while stage.output.end() < bytes {
            changes.changed().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_process_left_behind_does_not_hold_the_stage() {
        let running = run("sleep 1000 & echo $!; exit 3", LONG);
        assert_eq!(running.stage.ended().await, ScriptExit::Code { code: 3 });
        assert!(running.stage.ended_by_itself());
        let OutputRead::Bytes(_, pid) = running.stage.output.read(0) else { panic!("no output") };
        let pid: i32 = String::from_utf8(pid).unwrap().trim().parse().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        running.supervisor.await.unwrap();
    }

    #[tokio::test]
    async fn output_that_a_filter_still_holds_is_not_lost() {
        let running = run("exec > >(sleep 0.1; cat); echo last words", LONG);
        running.stage.ended().await;
        let expected = OutputRead::Bytes(ScriptStream::Stdout, b"last words\n".to_vec());
        assert_eq!(running.stage.output.read(0), expected);
        running.supervisor.await.unwrap();
    }

    #[tokio::test]
    async fn an_order_ends_a_script_that_ignores_term_after_the_grace() {
        let running = run("trap '' TERM; echo up; while :; do sleep 0.01; done", LONG);
        has_written(&running.stage, 3).await;
        let grace = Duration::from_millis(50);
        running.stage.order(SignalRequest { signal: Signal::SIGTERM, grace });
        assert_eq!(running.stage.ended().await, ScriptExit::Signal { number: 9 });
        assert!(!running.stage.ended_by_itself());
        running.supervisor.await.unwrap();
    }

    #[tokio::test]
    async fn a_child_that_ignores_term_is_ended_though_its_script_has_ended() {
        let script = "trap 'exit 1' TERM; \
                      (trap '' TERM; echo $BASHPID; exec >/dev/null 2>&1; while :; do sleep 0.01; done) & \
                      wait";
        let running = run(script, LONG);
        has_written(&running.stage, 2).await;
        let grace = Duration::from_millis(100);
        running.stage.order(SignalRequest { signal: Signal::SIGTERM, grace });
        assert_eq!(running.stage.ended().await, ScriptExit::Code { code: 1 });
        assert!(running.stage.is_in_the_way());
        running.stage.out_of_the_way().await;
        running.supervisor.await.unwrap();
        let OutputRead::Bytes(_, pid) = running.stage.output.read(0) else { panic!("no output") };
        let pid: i32 = String::from_utf8(pid).unwrap().trim().parse().unwrap();
        let alive = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        assert!(alive.is_err() || alive.unwrap().contains(") Z "), "{pid} still runs");
    }

    #[tokio::test]
    async fn a_stage_whose_client_is_gone_is_ended() {
        let running = run("echo up; sleep 1000", Duration::from_millis(50));
        assert_eq!(running.stage.ended().await, ScriptExit::Signal { number: 15 });
        running.supervisor.await.unwrap();
    }

    #[tokio::test]
    async fn a_stage_whose_client_came_back_goes_on() {
        let running = run("echo up; read -t 0.3 <> <(:); exit 4", Duration::from_millis(100));
        let attachment = running.stage.attach(1);
        assert_eq!(running.stage.ended().await, ScriptExit::Code { code: 4 });
        drop(attachment);
        running.supervisor.await.unwrap();
    }

    #[tokio::test]
    async fn who_comes_back_after_the_script_was_ended_for_it_hears_so_and_not_a_status() {
        let running = run("echo up; sleep 1000", Duration::from_millis(50));
        running.stage.ended().await;
        assert!(running.stage.attach(1).is_none());
        running.supervisor.await.unwrap();
    }

    #[tokio::test]
    async fn what_a_script_wrote_and_how_it_ended_is_kept_for_a_client_that_was_away() {
        let running = run("echo out; exit 4", LONG);
        drop(running.stage.attach(1).unwrap());
        running.stage.ended().await;
        running.supervisor.await.unwrap();
        let _back = running.stage.attach(2).unwrap();
        let said = OutputRead::Bytes(ScriptStream::Stdout, b"out\n".to_vec());
        assert_eq!(running.stage.output.read(0), said);
        assert_eq!(running.stage.output.read(4), OutputRead::End(ScriptExit::Code { code: 4 }));
    }

    #[tokio::test]
    async fn a_later_conversation_takes_the_place_of_an_earlier_one_and_never_the_reverse() {
        let (stage, _life) = ScriptRun::new(RandomToken::from_bits([7; 16]));
        let former = stage.attach(3).unwrap();
        let later = stage.attach(5).unwrap();
        former.displaced().await;
        let late_comer = stage.attach(4).unwrap();
        late_comer.displaced().await;
        let still_there = tokio::time::timeout(Duration::from_millis(10), later.displaced()).await;
        assert!(still_there.is_err());
    }
}
