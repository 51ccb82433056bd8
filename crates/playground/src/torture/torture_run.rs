//! The host and the runner of one torture: plays jobs and harms them.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fargate_local_cloud::{FaultRulesError, LocalCloud, TaskRecord};
use fargate_model::job::JobIdentity;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::TortureError;
use super::driver_setup::DriverSetup;
use super::harm::{JOB, JobHarm, StopOrigin};
use super::job_script::{BEGIN, OBSERVER_PORT};
use super::link::{DriverTaskLink, LinkTargets, LinkTraffic};
use super::network::NetworkHarm;
use super::plan::{TortureJob, draw_job};
use super::script_observer::ScriptObserver;
use crate::invariants::job_of;
use crate::relay::TargetLookup;
use crate::runner::{
    DriverCallEvent, DriverCallObserver, DriverProcessExit, GitLabVerdict, JobControl, KillTimes,
    PipeReadSpeed, PlayedJob, RunnerImitation, RunnerTimes,
};
use crate::signals::TerminationSignals;
use crate::test_host::{TestHost, TestHostOptions};

/// How a slow gitlab-runner reads the log: about 1 MB a second.
const SLOWLY: PipeReadSpeed = PipeReadSpeed { piece: 8 * 1024, pause: Duration::from_millis(8) };
/// Longest wait for tasks to stop after the last job. The windows are shorter; the machine may be busy.
const SETTLE: Duration = Duration::from_secs(60);
/// Longest wait for the cloud to end.
const GOODBYE: Duration = Duration::from_secs(20);
/// The role of drivers whose keys expire, and the Region of the cloud's own configuration.
const ROLE: &str = "ci-manager";
const REGION: &str = "eu-west-1";

/// One host whose jobs are harmed.
pub struct TortureRun {
    host: TestHost,
    setup: DriverSetup,
    runner: RunnerImitation,
    observer: ScriptObserver,
    seed: u64,
}

/// What is known of one job that is over.
pub struct TortureJobResult {
    /// The job and its harm.
    pub planned: TortureJob,
    /// The key that its task and its state carry.
    pub key: String,
    /// What came of it. None if its host was lost.
    pub outcome: Option<PlayedJob>,
    /// What happened between its driver and its task.
    pub traffic: LinkTraffic,
    /// Its tasks that were not told to end when it was over.
    pub left: Vec<String>,
}

impl TortureJobResult {
    /// What GitLab would be told, in words.
    #[must_use]
    pub fn verdict(&self) -> String {
        match self.outcome.as_ref().map(|outcome| (outcome.verdict, outcome.cancelled)) {
            None => "host lost".to_owned(),
            Some((_, true)) => "cancelled".to_owned(),
            Some((GitLabVerdict::Success, _)) => "passed".to_owned(),
            Some((GitLabVerdict::Failed { reason, .. }, _)) => reason.to_string(),
        }
    }
}

impl TortureRun {
    /// Starts a host with its cloud.
    ///
    /// # Errors
    ///
    /// [`TortureError`], if it does not start.
    pub async fn start(driver: &Path, agent: &Path, seed: u64) -> Result<Self, TortureError> {
        let host = TestHost::open(TestHostOptions::new(driver, agent, "fargate-torture-")).await?;
        let setup = DriverSetup {
            program: driver.to_owned(),
            text: host.usual_configuration(),
            role: host.cloud().add_role(REGION, ROLE, None),
            folder: host.folder().to_owned(),
        };
        let times = RunnerTimes {
            kill: KillTimes { graceful: Duration::from_secs(15), force: GOODBYE },
            prepare_pause: Duration::from_millis(100),
            ..RunnerTimes::default()
        };
        let runner = host.runner("torture", times)?;
        let runner = RunnerImitation { driver: setup.usual()?, ..runner };
        let observer = ScriptObserver::listen().await?;
        Ok(Self { host, setup, runner, observer, seed })
    }

    /// Plays these jobs, `at_once` of them at the same time.
    ///
    /// # Errors
    ///
    /// [`TortureError`], if a signal comes or a job cannot be played.
    pub async fn play(
        self: &Arc<Self>,
        numbers: impl Iterator<Item = u64>,
        at_once: usize,
        signals: &mut TerminationSignals,
    ) -> Result<Vec<TortureJobResult>, TortureError> {
        let mut playing = JoinSet::new();
        let played = tokio::select! {
            played = self.play_in(&mut playing, numbers, at_once) => played,
            () = signals.next() => Err(TortureError::Interrupted),
        };
        // Whatever ended it: no job may still use this run.
        playing.shutdown().await;
        let mut played = played?;
        played.sort_by_key(|played| played.planned.number);
        Ok(played)
    }

    async fn play_in(
        self: &Arc<Self>,
        playing: &mut JoinSet<Result<TortureJobResult, TortureError>>,
        numbers: impl Iterator<Item = u64>,
        at_once: usize,
    ) -> Result<Vec<TortureJobResult>, TortureError> {
        let mut played = Vec::new();
        for number in numbers {
            while playing.len() >= at_once {
                let Some(joined) = playing.join_next().await else { break };
                played.push(joined.expect("a job that is played does not panic")?);
            }
            let run = self.clone();
            playing.spawn(async move { run.play_one(draw_job(run.seed, number)).await });
        }
        while let Some(joined) = playing.join_next().await {
            played.push(joined.expect("a job that is played does not panic")?);
        }
        Ok(played)
    }

    async fn play_one(
        self: &Arc<Self>,
        planned: TortureJob,
    ) -> Result<TortureJobResult, TortureError> {
        let url = &planned.job.git_info.repo_url;
        let identity =
            JobIdentity::from_repository(url, planned.job.job_info.project_id, planned.job.id)?;
        let key = identity.key().as_str().to_owned();
        let link =
            Arc::new(DriverTaskLink::open(planned.network.clone(), self.places(&key)).await?);
        let harm = planned.harm.rules().map(str::to_owned);
        for rules in [harm, link.rule()].into_iter().flatten() {
            self.add_rules(&rules, &key)?;
        }
        if let JobHarm::SidecarEnds(sidecar) = planned.harm {
            self.cloud().register(sidecar.definition()).map_err(TortureError::Definition)?;
        }
        let mut runner =
            RunnerImitation { driver: self.setup.of(&planned)?, ..self.runner.clone() };
        if planned.network == NetworkHarm::SlowReader {
            runner.times.reading = SLOWLY;
        }
        let control = JobControl::default();
        let running = Arc::new(Notify::new());
        let watch = watch(&planned.harm, &control, &running, &link);
        let job =
            planned.job.clone().with_variable(OBSERVER_PORT, &self.observer.port().to_string());
        let outcome = tokio::select! {
            outcome = runner.play(&job, &control, watch) => Some(outcome),
            lost = self.harm_from_outside(&planned.harm, &key, &running) => match lost {
                Ok(()) => None,
                Err(error) => return Err(error),
            },
            () = link.harm() => None,
        };
        let prepared = |outcome: &PlayedJob| {
            outcome.call("prepare").is_some_and(|call| call.exit == DriverProcessExit::Code(0))
        };
        if outcome.as_ref().is_some_and(prepared) && link.was_passed_by() {
            return Err(TortureError::PassedBy { number: planned.number, seed: self.seed });
        }
        let lives_on = |task: &TaskRecord| task.desired_status != "STOPPED";
        let left =
            self.host.tasks_of(&key).into_iter().filter(lives_on).map(|task| task.arn).collect();
        Ok(TortureJobResult { planned, key, outcome, traffic: link.close(), left })
    }

    /// Gives the cloud rules for the tasks of a job.
    fn add_rules(&self, rules: &str, key: &str) -> Result<(), FaultRulesError> {
        self.cloud().add_faults(rules.replace(JOB, &format!("task of job {key}")).parse()?)
    }

    /// Finds the tasks of a job and those of other jobs.
    fn places(self: &Arc<Self>, key: &str) -> LinkTargets {
        let find = |wanted: fn(&TaskRecord, &str) -> bool| {
            let (run, key) = (Arc::downgrade(self), key.to_owned());
            TargetLookup::by(move || {
                let run = run.upgrade()?;
                let lives = |task: &TaskRecord| task.last_status != "STOPPED";
                let tasks = run.cloud().tasks().into_iter();
                let found = tasks.filter(|task| lives(task) && wanted(task, &key));
                let address = found.filter_map(|task| task.address).next_back()?;
                Some(SocketAddr::new(address, run.port()))
            })
        };
        LinkTargets {
            own: find(|task, key| job_of(task) == Some(key)),
            neighbour: find(|task, key| job_of(task) != Some(key)),
            port: self.port(),
        }
    }

    /// The port of the cloud's endpoint, at which tasks listen as well.
    fn port(&self) -> u16 {
        let endpoint = self.cloud().endpoint();
        let port = endpoint.trim_end_matches('/').rsplit(':').next();
        port.and_then(|port| port.parse().ok()).expect("the endpoint of a cloud names its port")
    }

    /// Returns if the job's host is lost. Then its calls are killed and no call follows.
    async fn harm_from_outside(
        &self,
        harm: &JobHarm,
        key: &str,
        running: &Notify,
    ) -> Result<(), TortureError> {
        running.notified().await;
        let stop = |code: &str, reason: &str| {
            for task in self.host.tasks_of(key) {
                self.cloud().stop_task_from_outside(&task.arn, code, reason);
            }
        };
        match harm {
            JobHarm::HostLost => return Ok(()),
            JobHarm::TaskStopped { code, reason } => stop(code, reason),
            JobHarm::ToldToEnd(StopOrigin::Person) => stop("UserInitiated", "Task stopped by user"),
            // A rule reaches a task that runs already.
            JobHarm::ToldToEnd(StopOrigin::Spot) => {
                self.add_rules("JOB at RUNNING: interrupt", key)?
            }
            JobHarm::KnownEarly(known) => self.add_rules(known.ends, key)?,
            _ => {}
        }
        std::future::pending().await
    }

    /// Hears what the scripts say.
    #[must_use]
    pub fn observer(&self) -> &ScriptObserver {
        &self.observer
    }

    /// The cloud.
    #[must_use]
    pub fn cloud(&self) -> &LocalCloud {
        self.host.cloud()
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &TestHost {
        &self.host
    }

    /// Waits until every task has stopped by itself, as long as the windows allow.
    pub async fn settle(&self) {
        self.cloud().clear_faults();
        self.observer.all_heard().await;
        self.host.settle(SETTLE).await;
    }

    /// Calls `cleanup` for each job, `at_once` at the same time, also for those that were cleaned up. Gives
    /// the numbers of the jobs for which it failed.
    ///
    /// # Errors
    ///
    /// What kept a program from being started or waited for.
    pub async fn clean_up(
        self: &Arc<Self>,
        played: &[TortureJobResult],
        at_once: usize,
    ) -> io::Result<Vec<u64>> {
        let mut failed = Vec::new();
        for some in played.chunks(at_once) {
            let mut calls = JoinSet::new();
            for TortureJobResult { planned, .. } in some {
                let (run, number, response) =
                    (self.clone(), planned.number, planned.job.response());
                calls.spawn(
                    async move { io::Result::Ok((number, run.clean_up_one(&response).await?)) },
                );
            }
            for ended in calls.join_all().await {
                let (number, passed) = ended?;
                failed.extend((!passed).then_some(number));
            }
        }
        failed.sort_unstable();
        Ok(failed)
    }

    async fn clean_up_one(&self, response_text: &str) -> io::Result<bool> {
        let folder = tempfile::Builder::new().tempdir_in(&self.runner.folder)?;
        let response = folder.path().join("response.json");
        std::fs::write(&response, response_text)?;
        let words = &self.runner.driver.cleanup;
        let status = tokio::process::Command::new(&words[0])
            .args(&words[1..])
            .env_clear()
            .envs(self.runner.environment.iter().cloned())
            .env("TMPDIR", folder.path())
            .env("BUILD_FAILURE_EXIT_CODE", "1")
            .env("SYSTEM_FAILURE_EXIT_CODE", "2")
            .env("JOB_RESPONSE_FILE", &response)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .status();
        Ok(timeout(GOODBYE, status).await.map_err(io::Error::other)??.success())
    }

    /// Ends the cloud; keeps the folder where `keep`.
    pub async fn close(self, keep: bool) -> Option<PathBuf> {
        let Self { mut host, observer, .. } = self;
        observer.close().await;
        // What still runs then is named by the judge.
        let _ = host.shut_down(GOODBYE).await;
        keep.then(|| host.keep())
    }
}

/// Cancels, stops or aborts the job when its harm says so, and notifies when the script runs.
fn watch(
    harm: &JobHarm,
    control: &JobControl,
    running: &Arc<Notify>,
    link: &Arc<DriverTaskLink>,
) -> DriverCallObserver {
    let (harm, control, running) = (harm.clone(), control.clone(), running.clone());
    let link = link.clone();
    let seen = Mutex::new(Vec::new());
    Arc::new(move |event| match event {
        DriverCallEvent::Output { name: "build_script", bytes, .. } => {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            // Enough for the first line of data, whatever was echoed before it.
            if seen.len() < 64 * 1024 {
                seen.extend_from_slice(bytes);
            }
            if crate::invariants::contains(&seen, BEGIN.as_bytes()) {
                link.script_runs();
                match harm {
                    JobHarm::Cancelled => control.cancel(),
                    JobHarm::RunnerStopped => control.stop_runner(),
                    _ => running.notify_one(),
                }
            }
        }
        DriverCallEvent::Began { name } if matches!(harm, JobHarm::Aborted { stage } if stage == *name) =>
        {
            control.abort();
        }
        DriverCallEvent::Ended { call } => link.call_ended(call),
        _ => {}
    })
}
