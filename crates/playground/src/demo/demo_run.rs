//! One demo: the host, the git server and the jobs that it starts, and their end.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fargate_local_cloud::{BackendChoice, TaskRecord, TaskTiming};
use fargate_model::job::JobIdentity;
use fargate_terminal::{TerminalCapabilities, stdout_size};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::demo_display::DemoDisplay;
use super::demo_page::DemoPage;
use super::fault_rules::{DemoFaultCounts, DemoFaultRules};
use super::plan::{self, DemoJobPlan, ExpectedJobEnd};
use super::progress::DemoProgress;
use super::report::{DemoReport, DemoReportRow};
use super::{DemoError, io_error};
use crate::git_server::{GitServer, make_repository};
use crate::leftovers::{self, JobLeftovers};
use crate::runner::{
    DriverCallEvent, DriverCallObserver, DriverOutputStream, JobControl, KillTimes, PlayedJob,
    RunnerImitation, RunnerTimes,
};
use crate::signals::TerminationSignals;
use crate::test_host::{TestHost, TestHostOptions};

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

/// Starts the git server where the tasks reach it.
async fn git_server(host: &TestHost, repositories: &Path) -> io::Result<GitServer> {
    match host.cloud().host_address().await {
        Ok(address) if address.is_loopback() => GitServer::serve(repositories).await,
        Ok(address) => GitServer::serve_at(repositories, address).await,
        Err(said) => Err(io::Error::other(said)),
    }
}

/// The jobs of one demo, and what runs beside them.
pub struct DemoRun {
    host: TestHost,
    git: GitServer,
    jobs: Vec<DemoJob>,
    runner: RunnerImitation,
    faults: Option<DemoFaultRules>,
    /// The page, or why there is none.
    page: Result<DemoPage, String>,
}

/// One job, and the key that its task and its state carry.
struct DemoJob {
    planned: DemoJobPlan,
    key: String,
    /// Where the folders of its attempts are.
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

impl DemoRun {
    /// Starts the host with its cloud, and the git server with its repository.
    ///
    /// # Errors
    ///
    /// [`DemoError`], if one of them does not start.
    pub async fn start(
        driver: &Path,
        agent: &Path,
        backend: BackendChoice,
        faults: Option<DemoFaultRules>,
    ) -> Result<Self, DemoError> {
        let mut options = TestHostOptions::new(driver, agent, "fargate-demo-");
        options.cloud.pace = TaskTiming::Measured { factor: PACE };
        options.cloud.backend = backend;
        let host = TestHost::open(options).await?;
        let repositories = host.folder().join("repositories");
        let commit = make_repository(&repositories, "group/project.git", &plan::REPOSITORY)
            .await
            .map_err(io_error("making the git repository"))?;
        let git = git_server(&host, &repositories).await;
        let git = git.map_err(io_error("starting the git server"))?;
        if let Some(faults) = &faults {
            host.cloud().set_faults(faults.rules.clone());
        }
        let times = RunnerTimes {
            kill: KillTimes { graceful: Duration::from_secs(15), force: Duration::from_secs(5) },
            prepare_pause: Duration::from_millis(200),
            ..RunnerTimes::default()
        };
        let runner =
            host.runner("localdemo", times).map_err(io_error("making the folder of the jobs"))?;
        let runner = RunnerImitation { output_limit: OUTPUT_LIMIT, ..runner };
        let jobs = with_folders(plan::jobs(&git.host(), &commit), &runner.folder)?;
        let page = DemoPage::serve(&host).await.map_err(|error| error.to_string());
        Ok(Self { host, git, jobs, runner, faults, page })
    }

    /// Plays all jobs and shows them meanwhile.
    ///
    /// # Errors
    ///
    /// [`DemoError`], if standard output cannot be written.
    pub async fn play(
        &self,
        abilities: TerminalCapabilities,
        signals: &mut TerminationSignals,
    ) -> Result<DemoOutcome, DemoError> {
        let names = |planned_job: &DemoJob| {
            (planned_job.planned.job.job_info.name.clone(), planned_job.key.clone())
        };
        let board = Arc::new(DemoProgress::new(self.jobs.iter().map(names).collect()));
        let faults = self.faults.as_ref().map(DemoFaultRules::words);
        let page = match &self.page {
            Ok(page) => format!("Page: {}", page.address()),
            Err(why) => format!("There is no page: {why}."),
        };
        let mut show = DemoDisplay::open(abilities, self.jobs.len(), &page, faults.as_deref())
            .map_err(io_error("writing to standard output"))?;
        let playing = self.begin(&board);
        let (outcomes, interrupted) = self.look_on(playing, &board, &mut show, signals).await;
        let took = board.now();
        self.look(&board, &mut show);
        let started_in = board.jobs().iter().map(|job| job.started_in).collect();
        Ok(DemoOutcome { outcomes, started_in, took, interrupted })
    }

    fn begin(&self, board: &Arc<DemoProgress>) -> RunningDemoJobs {
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        let mut playing = RunningDemoJobs { jobs: JoinSet::new(), controls: Vec::new() };
        for (index, planned_job) in self.jobs.iter().enumerate() {
            let control = JobControl::default();
            playing.controls.push(control.clone());
            let runner =
                RunnerImitation { folder: planned_job.folder.clone(), ..self.runner.clone() };
            let (planned, board, permits) =
                (planned_job.planned.clone(), board.clone(), permits.clone());
            playing.jobs.spawn(async move {
                let _permit = permits.acquire_owned().await;
                let watch = watch(index, &planned, &control, &board);
                let outcome = runner.play(&planned.job, &control, watch).await;
                board.finished(index, &outcome);
                (index, outcome)
            });
        }
        playing
    }

    /// Shows the jobs until the last one has ended, or was given up after a signal.
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
        board.see(&self.host.cloud().tasks());
        // A terminal that went away does not keep the jobs from ending.
        let _ = show.update(board, self.host.cloud().requests().len());
    }

    /// Waits until the tasks have stopped, looks for what is left, ends everything and reports.
    ///
    /// # Errors
    ///
    /// [`DemoError`], if the demo was interrupted, the cloud did not end, or standard output cannot be
    /// written.
    pub async fn close(
        self,
        played: Result<DemoOutcome, DemoError>,
        abilities: TerminalCapabilities,
        stay: Option<&mut TerminationSignals>,
    ) -> Result<bool, DemoError> {
        self.host.settle(SETTLE).await;
        let Self { mut host, git, jobs, faults, page, .. } = self;
        let tasks = host.cloud().tasks();
        let injected = faults.map(|faults| faults.injected(&host.cloud().faults()));
        git.shutdown().await;
        let stays = stay.filter(|_| played.as_ref().is_ok_and(|played| !played.interrupted));
        let page = match (page.ok(), &stays) {
            (Some(page), None) => {
                page.end().await;
                None
            }
            (page, _) => page,
        };
        let report = played.map(|played| {
            let interrupted = played.interrupted;
            let served = page.as_ref().and_then(DemoPage::pid);
            (report(played, &jobs, &host, (&tasks, served), injected), interrupted)
        });
        if let (Ok((report, _)), Some(page), Some(signals)) = (&report, page, stays) {
            write_report(report, host.folder(), abilities)?;
            stay_open(page, signals).await?;
            let planned = report.as_planned();
            host.shut_down(GOODBYE).await?;
            return Ok(planned);
        }
        let closed = host.shut_down(GOODBYE).await;
        let (report, interrupted) = report?;
        if interrupted {
            return Err(DemoError::Interrupted(match report.leftovers.is_none() {
                true => "nothing is left".to_owned(),
                false => format!("left behind: {}", report.leftovers),
            }));
        }
        closed?;
        print(&report, host, abilities)
    }
}

/// Says where the page is, and ends it after a signal.
async fn stay_open(page: DemoPage, signals: &mut TerminationSignals) -> Result<(), DemoError> {
    let said =
        writeln!(io::stdout().lock(), "\nThe page stays at {} until Ctrl-C.", page.address());
    said.map_err(io_error("writing to standard output"))?;
    signals.next().await;
    page.end().await;
    Ok(())
}

/// The jobs of the plan with their keys, and with folders, which this makes.
fn with_folders(jobs: Vec<DemoJobPlan>, folder: &Path) -> Result<Vec<DemoJob>, DemoError> {
    let mut with_folders = Vec::new();
    for planned in jobs {
        let job = &planned.job;
        let url = &job.git_info.repo_url;
        let identity = JobIdentity::from_repository(url, job.job_info.project_id, job.id)?;
        let folder = folder.join(&job.job_info.name);
        std::fs::create_dir_all(&folder).map_err(io_error("making the folder of a job"))?;
        with_folders.push(DemoJob { key: identity.key().as_str().to_owned(), folder, planned });
    }
    Ok(with_folders)
}

/// Records what happens, and cancels the job that the plan cancels as soon as its script runs.
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
    host: &TestHost,
    (tasks, served): (&[TaskRecord], Option<u32>),
    injected: Option<DemoFaultCounts>,
) -> DemoReport {
    let state_dir = host.state_dir();
    let mut leftovers: JobLeftovers = leftovers::of_all(host.folder(), &state_dir, tasks);
    // The page that stays open is no process of a job.
    leftovers.processes.retain(|pid| Some(*pid) != served);
    let ends = played.outcomes.into_iter().zip(played.started_in);
    let row = |(planned_job, (outcome, started_in)): (
        &DemoJob,
        (Option<PlayedJob>, Option<Duration>),
    )| {
        DemoReportRow {
            name: planned_job.planned.job.job_info.name.clone(),
            differs: match (&outcome, &injected) {
                (Some(outcome), None) => planned_job.planned.differs(outcome),
                (Some(outcome), Some(_)) => planned_job.planned.is_unexplained(outcome),
                (None, _) => Some("it did not end".to_owned()),
            },
            instead: outcome.as_ref().and_then(|outcome| planned_job.planned.instead(outcome)),
            outcome,
            started_in,
            leftovers: leftovers::of_job(&planned_job.key, &planned_job.folder, &state_dir, tasks),
        }
    };
    let rows: Vec<DemoReportRow> = jobs.iter().zip(ends).map(row).collect();
    rows.iter().for_each(|row| leftovers.merge(&row.leftovers));
    DemoReport { rows, took: played.took, leftovers, injected }
}

/// Prints the report; where something differs the folder stays, with the logs in it.
fn print(
    report: &DemoReport,
    host: TestHost,
    abilities: TerminalCapabilities,
) -> Result<bool, DemoError> {
    let planned = report.as_planned();
    let path = host.folder().to_owned();
    if report.keeps_logs() {
        for row in &report.rows {
            if let Some(outcome) = &row.outcome {
                // The report matters more than a log that cannot be written.
                let _ = std::fs::write(path.join(format!("{}.log", row.name)), &outcome.trace);
            }
        }
        let _kept = host.keep();
    }
    write_report(report, &path, abilities)?;
    Ok(planned)
}

fn write_report(
    report: &DemoReport,
    path: &Path,
    abilities: TerminalCapabilities,
) -> Result<(), DemoError> {
    let columns = stdout_size().map(|size| size.columns);
    let text = report.text(columns, path, abilities).join("\n");
    let mut out = io::stdout().lock();
    writeln!(out, "\n{text}").map_err(io_error("writing to standard output"))
}
