//! What all connections of one task share: its lease, the stage that runs, and its coming end.

use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fargate_model::id::Token;
use fargate_protocol::{Notice, Refusal, Run, What};
use nix::sys::signal::Signal;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::environment::Environment;
use crate::lease::Lease;
use crate::process::{Start, start};
use crate::settings::Limits;
use crate::stage::{Order, Stage};

/// Beyond the grace, for a process that even KILL cannot end at once.
const KILL_MARGIN: Duration = Duration::from_secs(3);

/// One Fargate task, seen from inside.
pub struct Task {
    pub environment: Environment,
    pub lease: Lease,
    /// Set once, when the task is about to end.
    pub ending: watch::Sender<Option<Notice>>,
    current: Mutex<Option<Arc<Stage>>>,
    starting: tokio::sync::Mutex<()>,
    lives: Mutex<JoinSet<()>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Task {
    pub fn new(environment: Environment, limits: Limits) -> Self {
        Self {
            environment,
            lease: Lease::new(limits),
            ending: watch::Sender::new(None),
            current: Mutex::default(),
            starting: tokio::sync::Mutex::default(),
            lives: Mutex::default(),
        }
    }

    /// The stage that was started last.
    pub fn current(&self) -> Option<Arc<Stage>> {
        lock(&self.current).clone()
    }

    /// The stage of this run, if it is the last one.
    pub fn find(&self, run_id: &Token) -> Option<Arc<Stage>> {
        self.current().filter(|stage| stage.run_id == *run_id)
    }

    /// Ends what still runs, because `run_id` wants its place; returns at once.
    pub fn make_way_for(&self, run_id: &Token) {
        if let Some(former) = self.current()
            && former.run_id != *run_id
            && former.is_in_the_way()
        {
            former.superseded.send_replace(true);
            former.output.discard();
            let grace = self.lease.next_stage_grace();
            former.order(Order { signal: Signal::SIGTERM, grace });
        }
    }

    /// Starts what `run` asks for, once the former stage has ended.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; then nothing was started.
    pub async fn start(&self, run: &Run, stdin: Stdio) -> Result<Arc<Stage>, Refusal> {
        let _alone = self.starting.try_lock().map_err(|_| Refusal::Busy)?;
        if let Some(same) = self.find(&run.run_id) {
            return Ok(same);
        }
        self.make_way_for(&run.run_id);
        if let Some(former) = self.current().filter(|former| former.is_in_the_way()) {
            let within = self.lease.next_stage_grace() + KILL_MARGIN;
            timeout(within, former.out_of_the_way()).await.map_err(|_| Refusal::Busy)?;
        }
        if self.ending.borrow().is_some() {
            return Err(Refusal::Ending);
        }
        let (program, arguments): (&str, &[String]) = match &run.what {
            What::Script { shell, .. } => (shell, &[]),
            What::Argv { argv } => match argv.split_first() {
                Some((program, arguments)) => (program, arguments),
                None => return Err(Refusal::Protocol { what: "a program in argv".into() }),
            },
        };
        let child = start(Start {
            program,
            arguments,
            environment: self.environment.with(&run.env),
            directory: run.cwd.as_deref(),
            stdin,
        })
        .map_err(|error| Refusal::Start {
            program: program.to_owned(),
            error: error.to_string(),
        })?;
        Ok(self.adopt(run, child))
    }

    fn adopt(&self, run: &Run, child: tokio::process::Child) -> Arc<Stage> {
        let (stage, life) = Stage::new(run.run_id.clone());
        let stage = Arc::new(stage);
        let client_gone = self.lease.client_gone();
        let mut lives = lock(&self.lives);
        while lives.try_join_next().is_some() {}
        lives.spawn({
            let stage = stage.clone();
            async move { life.live(&stage, child, client_gone).await }
        });
        *lock(&self.current) = Some(stage.clone());
        stage
    }

    /// Says why to whoever listens, ends what runs within `grace`, and waits for it.
    pub async fn end(&self, why: Notice, grace: Duration) {
        self.ending.send_replace(Some(why));
        if let Some(stage) = self.current()
            && stage.output.ending().is_none()
        {
            stage.order(Order { signal: Signal::SIGTERM, grace });
            let _ = timeout(grace + KILL_MARGIN, stage.ended()).await;
        }
        lock(&self.lives).abort_all();
    }
}
