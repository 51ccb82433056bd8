//! Everything that the demo starts, in one temporary folder, and its end.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fargate_local_cloud::{CloudOptions, LocalCloud, TaskRecord, TaskTiming};
use fargate_model::job::JobIdentity;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::demo_display::DemoDisplay;
use super::fault_rules::{DemoFaultCounts, DemoFaultRules};
use super::plan::{self, DemoJobPlan, ExpectedJobEnd};
use super::progress::DemoProgress;
use super::report::{DemoReport, DemoReportRow};
use super::{DemoError, io_error};
use crate::environment;
use crate::git_server::{GitServer, make_repository};
use crate::leftovers::{self, JobLeftovers};
use crate::runner::{
    DriverCallEvent, DriverCallObserver, DriverCommands, DriverOutputStream, JobControl, KillTimes,
    PlayedJob, RunnerImitation, RunnerTimes, ScriptSource,
};
use crate::signals::TerminationSignals;
use crate::terminal::{TerminalCapabilities, size};

/// The demo plays ECS at this part of its measured delays, so that a start can be seen.
const PACE: f64 = 1.0 / 40.0;
/// Jobs that are played at once.
const AT_ONCE: usize = 4;
/// Time between two frames, and between two looks at the cloud.
const FRAME: Duration = Duration::from_millis(100);
/// Longest wait for the tasks to stop after the last job.
const SETTLE: Duration = Duration::from_secs(10);
/// Longest wait for the jobs after Ctrl-C, and for the cloud at the end.
const GOODBYE: Duration = Duration::from_secs(20);
/// Room for the log of a job: more than the largest of the demo.
const OUTPUT_LIMIT: usize = 16 * 1024 * 1024;

/// What runs beside the jobs.
pub struct DemoHost {
    folder: TempDir,
    cloud: LocalCloud,
    git: GitServer,
    jobs: Vec<DemoJob>,
    runner: RunnerImitation,
    faults: Option<DemoFaultRules>,
}

/// One job, and the key that its task and its state carry.
struct DemoJob {
    planned: DemoJobPlan,
    key: String,
    /// Where its tries have their folders.
    folder: PathBuf,
}

/// What came of the jobs.
pub struct DemoOutcome {
    outcomes: Vec<Option<PlayedJob>>,
    started_in: Vec<Option<Duration>>,
    took: Duration,
    interrupted: bool,
}

/// Jobs that are being played.
struct RunningDemoJobs {
    jobs: JoinSet<(usize, PlayedJob)>,
    controls: Vec<JobControl>,
}

impl DemoHost {
    /// Makes the repository, starts the git server and the cloud, and writes the configuration.
    ///
    /// # Errors
    ///
    /// [`DemoError`]
    pub async fn build(
        driver: &Path,
        agent: PathBuf,
        faults: Option<DemoFaultRules>,
    ) -> Result<Self, DemoError> {
        let folder = tempfile::Builder::new()
            .prefix("fargate-demo-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .map_err(io_error("making a temporary folder"))?;
        let repositories = folder.path().join("repositories");
        let commit = make_repository(&repositories, "group/project.git", &plan::REPOSITORY)
            .await
            .map_err(io_error("making the git repository"))?;
        let git =
            GitServer::serve(&repositories).await.map_err(io_error("starting the git server"))?;
        let options = CloudOptions {
            pace: TaskTiming::Measured { factor: PACE },
            folder: Some(folder.path().join("cloud")),
            ..CloudOptions::new(agent)
        };
        let cloud = LocalCloud::serve(options).await?;
        if let Some(faults) = &faults {
            cloud.set_faults(faults.rules.clone());
        }
        let jobs = guests(plan::jobs(&git.host(), &commit), &folder.path().join("jobs"))?;
        let runner = runner(driver, folder.path(), &cloud)
            .map_err(io_error("writing the configuration of the driver"))?;
        Ok(Self { folder, cloud, git, jobs, runner, faults })
    }

    /// Plays all jobs and shows them meanwhile.
    ///
    /// # Errors
    ///
    /// [`DemoError`]
    pub async fn play(
        &self,
        abilities: TerminalCapabilities,
        signals: &mut TerminationSignals,
    ) -> Result<DemoOutcome, DemoError> {
        let names = |guest: &DemoJob| (guest.planned.job.job_info.name.clone(), guest.key.clone());
        let board = Arc::new(DemoProgress::new(self.jobs.iter().map(names).collect()));
        let faults = self.faults.as_ref().map(DemoFaultRules::words);
        let mut show = DemoDisplay::open(abilities, self.jobs.len(), faults.as_deref())
            .map_err(io_error("writing to standard output"))?;
        let playing = self.begin(&board);
        let (outcomes, interrupted) = self.look_on(playing, &board, &mut show, signals).await;
        let took = board.now();
        self.look(&board, &mut show);
        let started_in = board.jobs().iter().map(|job| job.started_in).collect();
        Ok(DemoOutcome { outcomes, started_in, took, interrupted })
    }

    fn begin(&self, board: &Arc<DemoProgress>) -> RunningDemoJobs {
        let seats = Arc::new(Semaphore::new(AT_ONCE));
        let mut playing = RunningDemoJobs { jobs: JoinSet::new(), controls: Vec::new() };
        for (index, guest) in self.jobs.iter().enumerate() {
            let control = JobControl::default();
            playing.controls.push(control.clone());
            let runner = RunnerImitation { folder: guest.folder.clone(), ..self.runner.clone() };
            let (planned, board, seats) = (guest.planned.clone(), board.clone(), seats.clone());
            playing.jobs.spawn(async move {
                let _seat = seats.acquire_owned().await;
                let watch = watch(index, &planned, &control, &board);
                let outcome = runner.play(&planned.job, &control, watch).await;
                board.finished(index, &outcome);
                (index, outcome)
            });
        }
        playing
    }

    /// Until the last job has ended, or was given up after a signal.
    async fn look_on(
        &self,
        mut playing: RunningDemoJobs,
        board: &DemoProgress,
        show: &mut DemoDisplay,
        signals: &mut TerminationSignals,
    ) -> (Vec<Option<PlayedJob>>, bool) {
        let mut outcomes = vec![None; self.jobs.len()];
        let mut give_up: Option<Instant> = None;
        let mut ticks = interval(FRAME);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.look(board, show),
                joined = playing.jobs.join_next() => match joined {
                    Some(Ok((index, outcome))) => outcomes[index] = Some(outcome),
                    Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                    None => break,
                },
                () = signals.next(), if give_up.is_none() => {
                    give_up = Some(Instant::now() + GOODBYE);
                    playing.controls.iter().for_each(JobControl::stop_runner);
                }
            }
            if give_up.is_some_and(|at| Instant::now() >= at) {
                playing.jobs.shutdown().await;
                break;
            }
        }
        (outcomes, give_up.is_some())
    }

    fn look(&self, board: &DemoProgress, show: &mut DemoDisplay) {
        board.see(&self.cloud.tasks());
        // A terminal that went away does not keep the jobs from ending.
        let _ = show.update(board, self.cloud.requests().len());
    }

    /// Waits until the tasks have stopped, looks for what is left, ends everything and reports.
    ///
    /// # Errors
    ///
    /// [`DemoError`]
    pub async fn close(
        self,
        played: Result<DemoOutcome, DemoError>,
        abilities: TerminalCapabilities,
    ) -> Result<bool, DemoError> {
        self.settle().await;
        let Self { folder, cloud, git, jobs, faults, .. } = self;
        let tasks = cloud.tasks();
        let injected = faults.map(|faults| faults.injected(&cloud.faults()));
        git.shutdown().await;
        let report = played.map(|played| {
            let interrupted = played.interrupted;
            (report(played, &jobs, folder.path(), &tasks, injected), interrupted)
        });
        let closed = timeout(GOODBYE, cloud.shutdown()).await;
        let (report, interrupted) = report?;
        if interrupted {
            return Err(DemoError::Interrupted(match report.leftovers.is_none() {
                true => "nothing is left".to_owned(),
                false => format!("left behind: {}", report.leftovers),
            }));
        }
        closed.map_err(|_| DemoError::CloudStays { seconds: GOODBYE.as_secs() })?;
        print(&report, folder, abilities)
    }

    async fn settle(&self) {
        let stopped = async {
            while self.cloud.live_tasks() > 0 {
                tokio::time::sleep(FRAME / 4).await;
            }
        };
        // Tasks that do not stop in time are what the report is about.
        let _ = timeout(SETTLE, stopped).await;
    }
}

fn state_dir(folder: &Path) -> PathBuf {
    folder.join("state")
}

/// The jobs of the plan with their keys and folders, which are made.
fn guests(jobs: Vec<DemoJobPlan>, folder: &Path) -> Result<Vec<DemoJob>, DemoError> {
    let mut guests = Vec::new();
    for planned in jobs {
        let job = &planned.job;
        let url = &job.git_info.repo_url;
        let identity = JobIdentity::from_repository(url, job.job_info.project_id, job.id)?;
        let folder = folder.join(&job.job_info.name);
        std::fs::create_dir_all(&folder).map_err(io_error("making the folder of a job"))?;
        guests.push(DemoJob { key: identity.key().as_str().to_owned(), folder, planned });
    }
    Ok(guests)
}

/// The runner of all jobs, with the driver's configuration written.
fn runner(driver: &Path, folder: &Path, cloud: &LocalCloud) -> io::Result<RunnerImitation> {
    let configuration = folder.join("config.toml");
    let log = folder.join("fargate-runner.log");
    let text = environment::with_log_file(&cloud.configuration(&state_dir(folder)), &log);
    std::fs::write(&configuration, text)?;
    let configuration = configuration.to_string_lossy();
    Ok(RunnerImitation {
        driver: DriverCommands::new(driver, &["custom"], &["-c", &configuration]),
        environment: environment::of_driver(&cloud.endpoint(), cloud.access_keys()),
        builds_dir: "/builds".to_owned(),
        cache_dir: "/cache".to_owned(),
        short_token: "localdemo".to_owned(),
        folder: folder.to_owned(),
        times: RunnerTimes {
            kill: KillTimes { graceful: Duration::from_secs(15), force: Duration::from_secs(5) },
            prepare_pause: Duration::from_millis(200),
            ..RunnerTimes::default()
        },
        output_limit: OUTPUT_LIMIT,
        scripts: ScriptSource::Written,
    })
}

/// Tells the board what happens, and cancels the job that must be cancelled once its script runs.
fn watch(
    index: usize,
    planned: &DemoJobPlan,
    control: &JobControl,
    board: &Arc<DemoProgress>,
) -> DriverCallObserver {
    let (control, board) = (control.clone(), board.clone());
    let cancel = planned.expected == ExpectedJobEnd::Cancelled;
    Arc::new(move |event| {
        board.event(index, event);
        if let DriverCallEvent::Output {
            name: "build_script",
            stream: DriverOutputStream::Stdout,
            ..
        } = event
            && cancel
        {
            control.cancel();
        }
    })
}

fn report(
    played: DemoOutcome,
    jobs: &[DemoJob],
    folder: &Path,
    tasks: &[TaskRecord],
    injected: Option<DemoFaultCounts>,
) -> DemoReport {
    let state_dir = state_dir(folder);
    let mut leftovers: JobLeftovers = leftovers::of_all(folder, &state_dir, tasks);
    let ends = played.outcomes.into_iter().zip(played.started_in);
    let row =
        |(guest, (outcome, started_in)): (&DemoJob, (Option<PlayedJob>, Option<Duration>))| {
            DemoReportRow {
                name: guest.planned.job.job_info.name.clone(),
                differs: match (&outcome, &injected) {
                    (Some(outcome), None) => guest.planned.differs(outcome),
                    (Some(outcome), Some(_)) => guest.planned.is_unexplained(outcome),
                    (None, _) => Some("it did not end".to_owned()),
                },
                instead: outcome.as_ref().and_then(|outcome| guest.planned.instead(outcome)),
                outcome,
                started_in,
                leftovers: leftovers::of_job(&guest.key, &guest.folder, &state_dir, tasks),
            }
        };
    let rows: Vec<DemoReportRow> = jobs.iter().zip(ends).map(row).collect();
    rows.iter().for_each(|row| leftovers.merge(&row.leftovers));
    DemoReport { rows, took: played.took, leftovers, injected }
}

/// Prints the report; where something differs the folder stays, with the logs in it.
fn print(
    report: &DemoReport,
    folder: TempDir,
    abilities: TerminalCapabilities,
) -> Result<bool, DemoError> {
    let planned = report.as_planned();
    let path = folder.path().to_owned();
    if report.keeps_logs() {
        for row in &report.rows {
            if let Some(outcome) = &row.outcome {
                // The report matters more than a log that cannot be written.
                let _ = std::fs::write(path.join(format!("{}.log", row.name)), &outcome.trace);
            }
        }
        let _kept = folder.keep();
    }
    let columns = size().map(|size| size.columns);
    let text = report.text(columns, &path, abilities).join("\n");
    let mut out = io::stdout().lock();
    writeln!(out, "\n{text}").map_err(io_error("writing to standard output"))?;
    Ok(planned)
}
