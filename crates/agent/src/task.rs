//! What all connections of one task share: the lease, the stage that runs, and whether the task is
//! about to end.
//!
//! It decides which script may start, and starts at most one at a time. It knows no connections.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fargate_model::id::RandomToken;
use fargate_protocol::{AgentNotice, AgentRefusal, MAX_SIDE_SESSIONS, RunCommand, RunRequest};
use nix::sys::signal::Signal;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::environment::ScriptEnvironment;
use crate::host_proof::TaskRoleProver;
use crate::lease::LeaseTracker;
use crate::process::{ProcessSpec, start, start_joined};
use crate::settings::LeaseDefaults;
use crate::stage::{ScriptRun, SignalRequest};

/// Time in addition to the grace, for a process that even KILL does not end at once.
const KILL_MARGIN: Duration = Duration::from_secs(3);

/// One Fargate task, seen from inside.
pub struct AgentTask {
    pub environment: ScriptEnvironment,
    pub lease: LeaseTracker,
    /// Whether signals from outside reach a script only through the agent. Another process 1 may
    /// forward a signal to every process.
    pub is_alone: bool,
    /// Proves the host key to clients that ask. `None` if the key is not the agent's own.
    pub prover: Option<TaskRoleProver>,
    /// Set once, when the task is about to end.
    pub ending: watch::Sender<Option<AgentNotice>>,
    /// When the agent started.
    pub since: SystemTime,
    kept: AtomicBool,
    /// Places for shells and commands of people, beside the script.
    pub side_sessions: Semaphore,
    stages: Mutex<StageHistory>,
    conversations: AtomicU64,
    starting: tokio::sync::Mutex<()>,
    supervisors: Mutex<JoinSet<()>>,
}

/// How many replaced runs are remembered by their ids. No job has nearly as many stages.
const MAX_FORMER: usize = 64 * 1024;

/// The stages of this task that still matter.
#[derive(Default)]
struct StageHistory {
    /// The stage that was started last.
    current: Option<Arc<ScriptRun>>,
    /// The number of the conversation that asked for it.
    asked: u64,
    /// The ids of the runs before it.
    former: BTreeSet<RandomToken>,
}

/// What the agent knows of one run.
pub enum RunLookup {
    /// It was started last.
    Stage(Arc<ScriptRun>),
    /// It was started, and then replaced by another one.
    Former,
    /// It has started nothing.
    Nothing,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AgentTask {
    pub fn new(
        environment: ScriptEnvironment,
        limits: LeaseDefaults,
        is_alone: bool,
        prover: Option<TaskRoleProver>,
    ) -> Self {
        Self {
            is_alone,
            prover,
            environment,
            lease: LeaseTracker::new(limits),
            ending: watch::Sender::new(None),
            since: SystemTime::now(),
            kept: AtomicBool::new(false),
            side_sessions: Semaphore::new(MAX_SIDE_SESSIONS),
            stages: Mutex::default(),
            conversations: AtomicU64::new(0),
            starting: tokio::sync::Mutex::default(),
            supervisors: Mutex::default(),
        }
    }

    /// The stage that was started last.
    pub fn current(&self) -> Option<Arc<ScriptRun>> {
        lock(&self.stages).current.clone()
    }

    /// Looks up what this run has started here.
    pub fn find(&self, run_id: &RandomToken) -> RunLookup {
        let stages = lock(&self.stages);
        match &stages.current {
            Some(stage) if stage.run_id == *run_id => RunLookup::Stage(stage.clone()),
            _ if stages.former.contains(run_id) => RunLookup::Former,
            // This run may be one of those that were forgotten. No script may start twice, so do
            // not start it.
            _ if stages.former.len() >= MAX_FORMER => RunLookup::Former,
            _ => RunLookup::Nothing,
        }
    }

    /// A new number for a conversation that asks for a run. Later conversations have higher
    /// numbers.
    pub fn next_conversation(&self) -> u64 {
        self.conversations.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Orders the end of what still runs, because `run_id` needs its place. Returns at once.
    pub fn make_way_for(&self, run_id: &RandomToken) {
        if let Some(former) = self.current()
            && former.run_id != *run_id
            && former.is_in_the_way()
        {
            former.superseded.send_replace(true);
            former.output.discard();
            let grace = self.lease.next_stage_grace();
            former.order(SignalRequest { signal: Signal::SIGTERM, grace });
        }
    }

    /// Starts what `run` asks for, once the former stage has ended. If this run was started before,
    /// nothing starts. `number` is the number of the conversation that asks.
    ///
    /// If a client is gone and the last bytes of its script arrive late, the script does not
    /// replace one that was asked for later.
    ///
    /// # Errors
    ///
    /// Returns [`AgentRefusal`] if the program cannot be started, if the former stage does not end
    /// in time, or if the task is about to end. Then nothing was started.
    pub async fn start(
        &self,
        run: &RunRequest,
        number: u64,
        stdin: Stdio,
    ) -> Result<RunLookup, AgentRefusal> {
        let within = self.lease.next_stage_grace() + KILL_MARGIN;
        // The same script may arrive twice: through a connection that broke, and through a new one.
        // Only one of them may start it.
        let _alone = timeout(within, self.starting.lock()).await.map_err(|_| AgentRefusal::Busy)?;
        match self.find(&run.run_id) {
            RunLookup::Nothing => {}
            known => return Ok(known),
        }
        if number < lock(&self.stages).asked {
            return Ok(RunLookup::Former);
        }
        self.make_way_for(&run.run_id);
        if let Some(former) = self.current().filter(|former| former.is_in_the_way()) {
            timeout(within, former.out_of_the_way()).await.map_err(|_| AgentRefusal::Busy)?;
        }
        if self.ending.borrow().is_some() {
            return Err(AgentRefusal::Ending);
        }
        if self.kept.load(Ordering::Relaxed) {
            return Err(AgentRefusal::Kept);
        }
        let (program, arguments): (&str, &[String]) = match &run.what {
            RunCommand::Script { shell, .. } => (shell, &[]),
            RunCommand::Argv { argv } => match argv.split_first() {
                Some((program, arguments)) => (program, arguments),
                None => return Err(AgentRefusal::Protocol { what: "a program in argv".into() }),
            },
        };
        let start = if run.join_streams { start_joined } else { start };
        let child = start(ProcessSpec {
            program,
            arguments,
            environment: self.environment.with(&run.env),
            directory: run.cwd.as_deref(),
            stdin,
        })
        .map_err(|error| AgentRefusal::Start {
            program: program.to_owned(),
            error: error.to_string(),
        })?;
        Ok(RunLookup::Stage(self.adopt(run, number, child)))
    }

    /// From now on no script starts, because the task is kept for a person. Waits until none is being
    /// started, and forgets the output of the last one.
    ///
    /// # Errors
    ///
    /// Returns [`AgentRefusal`] if a start takes longer than `within`, or if the task is about to end.
    pub async fn run_no_more(&self, within: Duration) -> Result<(), AgentRefusal> {
        let _alone = timeout(within, self.starting.lock()).await.map_err(|_| AgentRefusal::Busy)?;
        if self.ending.borrow().is_some() {
            return Err(AgentRefusal::Ending);
        }
        self.kept.store(true, Ordering::Relaxed);
        if let Some(stage) = self.current() {
            stage.output.discard();
        }
        Ok(())
    }

    fn adopt(&self, run: &RunRequest, number: u64, child: tokio::process::Child) -> Arc<ScriptRun> {
        let (stage, supervisor) = ScriptRun::new(run.run_id.clone());
        let stage = Arc::new(stage);
        let client_gone = self.lease.client_gone();
        let mut supervisors = lock(&self.supervisors);
        while supervisors.try_join_next().is_some() {}
        supervisors.spawn({
            let stage = stage.clone();
            async move { supervisor.run(&stage, child, client_gone).await }
        });
        let mut stages = lock(&self.stages);
        stages.asked = number;
        if let Some(former) = stages.current.replace(stage.clone())
            && stages.former.len() < MAX_FORMER
        {
            stages.former.insert(former.run_id.clone());
        }
        drop(stages);
        stage
    }

    /// Tells all listeners `why`, gives the script `patience` to end by itself while somebody
    /// listens, then ends it within `grace`, and waits for its end.
    pub async fn end(&self, why: AgentNotice, patience: Duration, grace: Duration) {
        self.ending.send_replace(Some(why));
        if let Some(stage) = self.current()
            && stage.output.ending().is_none()
        {
            tokio::select! {
                _ = stage.ended() => {}
                () = stage.unheard() => {}
                () = sleep(patience) => {}
            }
            if stage.output.ending().is_none() {
                stage.order(SignalRequest { signal: Signal::SIGTERM, grace });
                let _ = timeout(grace + KILL_MARGIN, stage.ended()).await;
            }
        }
        lock(&self.supervisors).abort_all();
    }
}
