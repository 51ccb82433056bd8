//! `fargate-local demo`: a cloud, a git server and six jobs on this machine.
//!
//! The jobs are played stage by stage, as gitlab-runner would, through the real `fargate-runner`,
//! several at a time. Afterwards everything that must be gone is looked for. Nothing is built
//! here and nothing outside a temporary folder is written.

mod board;
mod display;
mod plan;
mod report;
mod screen;
mod timeline;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fargate_local_cloud::{LocalCloud, Options, Pace, ServeError};
use fargate_model::id::IdError;
use fargate_model::job::JobIdentity;
use tempfile::TempDir;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::environment;
use crate::git_server::{GitServer, make_repository};
use crate::leftovers;
use crate::programs::{self, Missing};
use crate::runner::{
    Control, Driver, Event, KillTimes, Outcome, Runner, Scripts, Stream, Times, Watch,
};
use crate::terminal::{Abilities, Colour, Progress, Size, size, wrap};
use board::Board;
use plan::{Expected, Planned};
use report::{Report, Row};
use screen::Screen;

/// The demo plays ECS at this part of its measured delays, so that a start can be seen.
const PACE: f64 = 1.0 / 40.0;
/// Jobs that are played at once.
const AT_ONCE: usize = 4;
/// Time between two frames, and between two looks at the cloud.
const FRAME: Duration = Duration::from_millis(100);
/// Time between two lines on what still goes on, where the display is not live.
const STILL: Duration = Duration::from_secs(15);
/// Longest wait for the tasks to stop after the last job.
const SETTLE: Duration = Duration::from_secs(10);
/// Longest wait for the jobs after Ctrl-C.
const GOODBYE: Duration = Duration::from_secs(20);
/// Room for the log of a job: more than the largest of the demo.
const OUTPUT_LIMIT: usize = 16 * 1024 * 1024;

/// Play six jobs on a local cloud, and check that nothing is left.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The fargate-runner to play with; the one beside this program unless given.
    #[arg(long, value_name = "FILE")]
    runner: Option<PathBuf>,
    /// When to use colours.
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    color: Colour,
    /// How to show progress: in place on a terminal, or as lines.
    #[arg(long, value_enum, value_name = "HOW", default_value = "auto")]
    progress: Progress,
}

/// Why the demo could not be played.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something is not installed or not built.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The cloud did not start.
    #[error("starting the local cloud")]
    Cloud(#[from] ServeError),
    /// A folder, a repository, a signal or standard output cannot be used.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The repository's address names no host. A bug of this program.
    #[error("naming the jobs")]
    Identity(#[from] IdError),
    /// Ctrl-C or SIGTERM.
    #[error("interrupted; {0}")]
    Interrupted(String),
}

fn io_error(doing: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Io { doing, source }
}

/// Plays the demo; true if everything went as planned.
///
/// # Errors
///
/// [`Error`]
pub async fn run(args: Args) -> Result<bool, Error> {
    programs::installed("git", "git")?;
    programs::installed("bwrap", "bubblewrap")?;
    let driver = programs::runner(args.runner.as_deref())?;
    let agent = programs::agent()?;
    let abilities = Abilities::of_stdout(args.color, args.progress);
    let mut signals = Signals::catch().map_err(io_error("catching signals"))?;
    let house = House::build(driver, agent).await?;
    let played = house.play(abilities, &mut signals).await;
    house.close(played, abilities).await
}

/// Everything that the demo starts, in one folder.
struct House {
    folder: TempDir,
    cloud: LocalCloud,
    git: GitServer,
    jobs: Vec<(Planned, String)>,
    runner: Runner,
}

/// What came of the jobs.
struct Played {
    outcomes: Vec<Option<Outcome>>,
    started_in: Vec<Option<Duration>>,
    took: Duration,
    interrupted: bool,
}

impl House {
    async fn build(driver: PathBuf, agent: PathBuf) -> Result<Self, Error> {
        let folder = tempfile::Builder::new()
            .prefix("fargate-demo-")
            .tempdir()
            .map_err(io_error("making a temporary folder"))?;
        let repositories = folder.path().join("repositories");
        let commit = make_repository(&repositories, "group/project.git", &plan::REPOSITORY)
            .await
            .map_err(io_error("making the git repository"))?;
        let git =
            GitServer::serve(&repositories).await.map_err(io_error("starting the git server"))?;
        let options = Options {
            listen: ([127, 0, 0, 1], 0).into(),
            agent,
            empty: false,
            pace: Pace::Measured { factor: PACE },
            folder: Some(folder.path().join("cloud")),
        };
        let cloud = LocalCloud::serve(options).await?;
        let mut jobs = Vec::new();
        for planned in plan::jobs(&git.host(), &commit) {
            let job = &planned.job;
            let identity = JobIdentity::from_repository(
                &job.git_info.repo_url,
                job.job_info.project_id,
                job.id,
            )?;
            jobs.push((planned, identity.key().as_str().to_owned()));
        }
        let runner = runner(&driver, folder.path(), &cloud)
            .map_err(io_error("writing the configuration of the driver"))?;
        Ok(Self { folder, cloud, git, jobs, runner })
    }

    fn state_dir(&self) -> PathBuf {
        state_dir(self.folder.path())
    }

    fn folder_of(&self, planned: &Planned) -> PathBuf {
        self.folder.path().join("jobs").join(&planned.job.job_info.name)
    }

    /// Plays all jobs and shows them meanwhile.
    async fn play(&self, abilities: Abilities, signals: &mut Signals) -> Result<Played, Error> {
        let names =
            self.jobs.iter().map(|(planned, key)| (planned.job.job_info.name.clone(), key.clone()));
        let board = Arc::new(Board::new(names.collect()));
        let seats = Arc::new(Semaphore::new(AT_ONCE));
        let mut playing = JoinSet::new();
        let mut controls = Vec::new();
        for (index, (planned, _)) in self.jobs.iter().enumerate() {
            let control = Control::default();
            controls.push(control.clone());
            let folder = self.folder_of(planned);
            std::fs::create_dir_all(&folder).map_err(io_error("making the folder of a job"))?;
            let runner = Runner { folder, ..self.runner.clone() };
            let (planned, board, seats) = (planned.clone(), board.clone(), seats.clone());
            playing.spawn(async move {
                let _seat = seats.acquire_owned().await;
                let watch = watch(index, &planned, &control, &board);
                let outcome = runner.play(&planned.job, &control, watch).await;
                board.finished(index, &outcome);
                (index, outcome)
            });
        }
        let mut show = Show::open(abilities, self.jobs.len())
            .map_err(io_error("writing to standard output"))?;
        let mut outcomes = vec![None; self.jobs.len()];
        let mut interrupted = false;
        let mut give_up = None;
        let mut ticks = interval(FRAME);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                joined = playing.join_next() => match joined {
                    Some(Ok((index, outcome))) => outcomes[index] = Some(outcome),
                    Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                    None => break,
                },
                () = signals.next(), if !interrupted => {
                    interrupted = true;
                    give_up = Some(Instant::now() + GOODBYE);
                    controls.iter().for_each(Control::stop_runner);
                }
            }
            board.see(&self.cloud.tasks());
            // A terminal that went away does not keep the jobs from ending.
            let _ = show.update(&board, self.cloud.requests().len());
            if give_up.is_some_and(|at| Instant::now() >= at) {
                playing.shutdown().await;
                break;
            }
        }
        let took = board.now();
        let _ = show.update(&board, self.cloud.requests().len());
        let started_in = board.jobs().iter().map(|job| job.started_in).collect();
        Ok(Played { outcomes, started_in, took, interrupted })
    }

    /// Waits until the tasks have stopped, looks for what is left, and ends everything.
    async fn close(
        self,
        played: Result<Played, Error>,
        abilities: Abilities,
    ) -> Result<bool, Error> {
        self.settle().await;
        let tasks = self.cloud.tasks();
        let state_dir = self.state_dir();
        let Self { folder, cloud, git, jobs, .. } = self;
        git.shutdown().await;
        let all = leftovers::of_all(folder.path(), &state_dir, &tasks);
        let result = played.map(|played| {
            let interrupted = played.interrupted;
            let rows = rows(&jobs, played.outcomes, played.started_in, |planned, key| {
                let of_job = folder.path().join("jobs").join(&planned.job.job_info.name);
                leftovers::of_job(key, &of_job, &state_dir, &tasks)
            });
            (Report { rows, took: played.took, leftovers: all }, interrupted)
        });
        let closed = timeout(GOODBYE, cloud.shutdown()).await;
        let (report, interrupted) = result?;
        if interrupted || closed.is_err() {
            let left = match report.leftovers.is_none() {
                true => "nothing is left".to_owned(),
                false => format!("left behind: {}", report.leftovers),
            };
            return Err(Error::Interrupted(left));
        }
        let planned = report.as_planned();
        let path = folder.path().to_owned();
        if !planned {
            keep_logs(&path, &report);
            let _kept = folder.keep();
        }
        let columns = size().map(|size| size.columns);
        let text = report.text(columns, &path, abilities).join("\n");
        let mut out = io::stdout().lock();
        writeln!(out, "\n{text}").map_err(io_error("writing to standard output"))?;
        Ok(planned)
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

/// The runner of all jobs, with the driver's configuration written.
fn runner(driver: &Path, folder: &Path, cloud: &LocalCloud) -> io::Result<Runner> {
    let configuration = folder.join("config.toml");
    let log = folder.join("fargate-runner.log");
    let text = environment::with_log_file(&cloud.configuration(&state_dir(folder)), &log);
    std::fs::write(&configuration, text)?;
    let configuration = configuration.to_string_lossy();
    Ok(Runner {
        driver: Driver::new(driver, &["custom"], &["-c", &configuration]),
        environment: environment::of_driver(&cloud.endpoint()),
        builds_dir: "/builds".to_owned(),
        cache_dir: "/cache".to_owned(),
        short_token: "localdemo".to_owned(),
        folder: folder.to_owned(),
        times: Times {
            kill: KillTimes { graceful: Duration::from_secs(15), force: Duration::from_secs(5) },
            prepare_pause: Duration::from_millis(200),
            ..Times::default()
        },
        output_limit: OUTPUT_LIMIT,
        scripts: Scripts::Written,
    })
}

/// Tells the board what happens, and cancels the job that must be cancelled once its script runs.
fn watch(index: usize, planned: &Planned, control: &Control, board: &Arc<Board>) -> Watch {
    let (control, board) = (control.clone(), board.clone());
    let cancel = planned.expected == Expected::Cancelled;
    Arc::new(move |event| {
        board.event(index, event);
        if let Event::Output { name: "build_script", stream: Stream::Stdout, .. } = event
            && cancel
        {
            control.cancel();
        }
    })
}

fn rows(
    jobs: &[(Planned, String)],
    outcomes: Vec<Option<Outcome>>,
    started_in: Vec<Option<Duration>>,
    leftovers: impl Fn(&Planned, &str) -> leftovers::Leftovers,
) -> Vec<Row> {
    jobs.iter()
        .zip(outcomes)
        .zip(started_in)
        .map(|(((planned, key), outcome), started_in)| {
            let differs = match &outcome {
                Some(outcome) => planned.differs(outcome),
                None => Some("it did not end".to_owned()),
            };
            let name = planned.job.job_info.name.clone();
            Row { name, outcome, started_in, leftovers: leftovers(planned, key), differs }
        })
        .collect()
}

/// Writes the log of every job beside the state, for whoever looks for the cause.
fn keep_logs(folder: &Path, report: &Report) {
    for row in &report.rows {
        if let Some(outcome) = &row.outcome {
            // The report matters more than a log that cannot be written.
            let _ = std::fs::write(folder.join(format!("{}.log", row.name)), &outcome.trace);
        }
    }
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn catch() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What the user sees while the jobs run.
enum Show {
    Live { screen: Screen<io::Stdout>, intro: String, abilities: Abilities },
    Lines { still: Duration },
}

impl Show {
    fn open(abilities: Abilities, jobs: usize) -> io::Result<Self> {
        let intro = format!(
            "Fargate Runner demo: a cloud, a git server and {jobs} jobs on this machine.\n\
             No AWS account, no Docker.\n"
        );
        if abilities.live && size().is_some() {
            screen::restore_on_panic();
            return Ok(Self::Live { screen: Screen::new(io::stdout()), intro, abilities });
        }
        let mut out = io::stdout().lock();
        writeln!(out, "{intro}")?;
        out.flush()?;
        Ok(Self::Lines { still: STILL })
    }

    fn update(&mut self, board: &Board, calls: usize) -> io::Result<()> {
        let now = board.now();
        match self {
            Self::Live { screen, intro, abilities } => {
                let size = size().unwrap_or(Size { columns: 80, rows: 24 });
                let mut head = wrap(intro, size.columns);
                head.push(String::new());
                let lines = display::frame(&board.jobs(), now, calls, size, *abilities);
                screen.frame(&head, &lines, size)
            }
            Self::Lines { still } => {
                let mut out = io::stdout().lock();
                for change in board.changes() {
                    writeln!(out, "{}", display::line(&change))?;
                    *still = now + STILL;
                }
                if now >= *still {
                    writeln!(out, "{}", display::still(&board.jobs(), now))?;
                    *still = now + STILL;
                }
                out.flush()
            }
        }
    }
}
