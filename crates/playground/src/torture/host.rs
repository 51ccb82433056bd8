//! The cloud and the runner of one torture, in one temporary folder; plays jobs and harms them.

use std::fs::Permissions;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fargate_local_cloud::{CloudOptions, FaultRulesError, LocalCloud, TaskRecord};
use fargate_model::job::JobIdentity;
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::TortureError;
use super::driver_setup::DriverSetup;
use super::harm::{JOB, JobHarm, StopOrigin};
use super::link::{DriverTaskLink, LinkTargets, LinkTraffic};
use super::network::NetworkHarm;
use super::plan::{TortureJob, WITNESS, guest};
use super::script_observer::ScriptObserver;
use crate::environment;
use crate::invariants::job_of;
use crate::relay::TargetLookup;
use crate::runner::{
    DriverCallEvent, DriverCallObserver, DriverProcessExit, GitLabVerdict, JobControl, KillTimes,
    OUTPUT_LIMIT, PipeReadSpeed, PlayedJob, RunnerImitation, RunnerTimes, ScriptSource,
};
use crate::signals::TerminationSignals;

/// How the log is read by who reads it slowly: about 1 MB a second.
const SLOWLY: PipeReadSpeed = PipeReadSpeed { piece: 8 * 1024, pause: Duration::from_millis(8) };
/// For tasks to stop after the last job: the windows above, and a busy machine.
const SETTLE: Duration = Duration::from_secs(60);
/// For the cloud to end.
const GOODBYE: Duration = Duration::from_secs(20);
/// What drivers whose keys expire work as, in the Region of the cloud's own configuration.
const ROLE: &str = "ci-manager";
const REGION: &str = "eu-west-1";
/// Between two looks at the tasks.
const AGAIN: Duration = Duration::from_millis(25);

/// See the module.
pub struct TortureHost {
    folder: TempDir,
    cloud: LocalCloud,
    setup: DriverSetup,
    runner: RunnerImitation,
    witness: ScriptObserver,
    seed: u64,
}

/// One job that is over, and what is known of it.
pub struct TortureJobResult {
    /// The job and its harm.
    pub guest: TortureJob,
    /// The key that its task and its state carry.
    pub key: String,
    /// What came of it; none where its host was lost.
    pub outcome: Option<PlayedJob>,
    /// What happened between its driver and its task.
    pub traffic: LinkTraffic,
    /// Its tasks that nobody had told to end when it was over.
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

impl TortureHost {
    /// Starts a cloud and writes the configuration.
    ///
    /// # Errors
    ///
    /// [`TortureError`]
    pub async fn build(driver: &Path, agent: PathBuf, seed: u64) -> Result<Self, TortureError> {
        let folder = tempfile::Builder::new()
            .prefix("fargate-torture-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()?;
        let options =
            CloudOptions { folder: Some(folder.path().join("cloud")), ..CloudOptions::new(agent) };
        let cloud = LocalCloud::serve(options).await?;
        let log = folder.path().join("fargate-runner.log");
        let text = cloud.configuration(&folder.path().join("state"));
        let text = environment::with_log_file(&text, &log);
        let role = cloud.add_role(REGION, ROLE, None);
        let program = driver.to_owned();
        let setup = DriverSetup { program, text, role, folder: folder.path().to_owned() };
        let runner = RunnerImitation {
            driver: setup.usual()?,
            environment: environment::of_driver(&cloud.endpoint(), cloud.access_keys()),
            builds_dir: "/builds".to_owned(),
            cache_dir: "/cache".to_owned(),
            short_token: "torture".to_owned(),
            folder: folder.path().join("jobs"),
            times: RunnerTimes {
                kill: KillTimes { graceful: Duration::from_secs(15), force: GOODBYE },
                prepare_pause: Duration::from_millis(100),
                ..RunnerTimes::default()
            },
            output_limit: OUTPUT_LIMIT,
            scripts: ScriptSource::Written,
        };
        std::fs::create_dir(&runner.folder)?;
        let witness = ScriptObserver::listen().await?;
        Ok(Self { folder, cloud, setup, runner, witness, seed })
    }

    /// Plays these jobs, so many at once.
    ///
    /// # Errors
    ///
    /// [`TortureError`]
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
        // Whatever ended it, no job is left to hold this house.
        playing.shutdown().await;
        let mut played = played?;
        played.sort_by_key(|played| played.guest.number);
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
            let house = self.clone();
            playing.spawn(async move { house.play_one(guest(house.seed, number)).await });
        }
        while let Some(joined) = playing.join_next().await {
            played.push(joined.expect("a job that is played does not panic")?);
        }
        Ok(played)
    }

    async fn play_one(
        self: &Arc<Self>,
        guest: TortureJob,
    ) -> Result<TortureJobResult, TortureError> {
        let url = &guest.job.git_info.repo_url;
        let identity =
            JobIdentity::from_repository(url, guest.job.job_info.project_id, guest.job.id)?;
        let key = identity.key().as_str().to_owned();
        let link = Arc::new(DriverTaskLink::open(guest.network.clone(), self.places(&key)).await?);
        let harm = guest.harm.rules().map(str::to_owned);
        for rules in [harm, link.rule()].into_iter().flatten() {
            self.add_rules(&rules, &key)?;
        }
        if let JobHarm::SidecarEnds(sidecar) = guest.harm {
            self.cloud.register(sidecar.definition()).map_err(TortureError::Definition)?;
        }
        let mut runner = RunnerImitation { driver: self.setup.of(&guest)?, ..self.runner.clone() };
        if guest.network == NetworkHarm::SlowReader {
            runner.times.reading = SLOWLY;
        }
        let control = JobControl::default();
        let running = Arc::new(Notify::new());
        let watch = watch(&guest.harm, &control, &running, &link);
        let job = guest.job.clone().with_variable(WITNESS, &self.witness.port().to_string());
        let outcome = tokio::select! {
            outcome = runner.play(&job, &control, watch) => Some(outcome),
            lost = self.harm_from_outside(&guest.harm, &key, &running) => match lost {
                Ok(()) => None,
                Err(error) => return Err(error),
            },
            () = link.harm() => None,
        };
        let prepared = |outcome: &PlayedJob| {
            outcome.call("prepare").is_some_and(|call| call.exit == DriverProcessExit::Code(0))
        };
        if outcome.as_ref().is_some_and(prepared) && link.was_passed_by() {
            return Err(TortureError::PassedBy { number: guest.number, seed: self.seed });
        }
        let lives_on = |task: &TaskRecord| task.desired_status != "STOPPED";
        let left = self.tasks_of(&key).into_iter().filter(lives_on).map(|task| task.arn).collect();
        Ok(TortureJobResult { guest, key, outcome, traffic: link.close(), left })
    }

    /// Gives the cloud rules for the tasks of a job.
    fn add_rules(&self, rules: &str, key: &str) -> Result<(), FaultRulesError> {
        self.cloud.add_faults(rules.replace(JOB, &format!("task of job {key}")).parse()?)
    }

    /// Where the tasks of a job and of the others are to be found.
    fn places(self: &Arc<Self>, key: &str) -> LinkTargets {
        let find = |wanted: fn(&TaskRecord, &str) -> bool| {
            let (house, key) = (Arc::downgrade(self), key.to_owned());
            TargetLookup::by(move || {
                let house = house.upgrade()?;
                let lives = |task: &TaskRecord| task.last_status != "STOPPED";
                let tasks = house.cloud.tasks().into_iter();
                let found = tasks.filter(|task| lives(task) && wanted(task, &key));
                let address = found.filter_map(|task| task.address).next_back()?;
                Some(SocketAddr::new(address, house.port()))
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
        let endpoint = self.cloud.endpoint();
        let port = endpoint.trim_end_matches('/').rsplit(':').next();
        port.and_then(|port| port.parse().ok()).expect("the endpoint of a cloud names its port")
    }

    /// Returns if the job's host is lost; then the calls of it are killed and none follows.
    async fn harm_from_outside(
        &self,
        harm: &JobHarm,
        key: &str,
        running: &Notify,
    ) -> Result<(), TortureError> {
        running.notified().await;
        let stop = |code: &str, reason: &str| {
            for task in self.tasks_of(key) {
                self.cloud.stop_task_from_outside(&task.arn, code, reason);
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

    /// Every task of a job.
    #[must_use]
    pub fn tasks_of(&self, key: &str) -> Vec<TaskRecord> {
        self.cloud.tasks().into_iter().filter(|task| job_of(task) == Some(key)).collect()
    }

    /// Whom the scripts told.
    #[must_use]
    pub fn witness(&self) -> &ScriptObserver {
        &self.witness
    }

    /// The cloud.
    #[must_use]
    pub fn cloud(&self) -> &LocalCloud {
        &self.cloud
    }

    /// Where everything lies.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The state folder.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.folder().join("state")
    }

    /// Waits until every task has stopped by itself, as long as the windows allow.
    pub async fn settle(&self) {
        self.cloud.clear_faults();
        self.witness.all_heard().await;
        let mut looks = interval(AGAIN);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stopped = async {
            while self.cloud.live_tasks() > 0 {
                looks.tick().await;
            }
        };
        // Tasks that still live are what the oracle tells of.
        let _ = timeout(SETTLE, stopped).await;
    }

    /// `cleanup` of each job, so many at once, as the next call of those that nobody cleaned up; the
    /// numbers of those where it failed.
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
            for TortureJobResult { guest, .. } in some {
                let (house, number, response) = (self.clone(), guest.number, guest.job.response());
                calls.spawn(async move {
                    io::Result::Ok((number, house.clean_up_one(&response).await?))
                });
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
        let Self { folder, cloud, witness, .. } = self;
        witness.close().await;
        let _ = timeout(GOODBYE, cloud.shutdown()).await;
        keep.then(|| folder.keep())
    }
}

/// Gives the orders of a harm when their moment comes, and tells that the script runs.
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
            if crate::invariants::contains(&seen, super::plan::BEGIN.as_bytes()) {
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
