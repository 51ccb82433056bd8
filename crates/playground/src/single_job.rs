//! `fargate-local job`: one job through the driver, as gitlab-runner would play it, and its log.
//!
//! The job goes wherever the driver's configuration and this environment lead, so that an installation can
//! be tried without a GitLab. It starts no cloud, fetches no repository, and checks nothing afterwards.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs};

use crate::programs::{self, MissingProgram};
use crate::runner::{
    DriverCallEvent, DriverCallObserver, DriverCommands, GitInfo, GitLabJob, GitLabVerdict,
    JobControl, KillTimes, OUTPUT_LIMIT, PlayedJob, RunnerImitation, RunnerTimes, ScriptSource,
};
use crate::signals::TerminationSignals;

/// Where the job's repository would be. No stage asks it, because `GIT_STRATEGY` is `none`.
const REPOSITORY: &str = "http://gitlab.example/group/project.git";
/// How long a driver that is told to end may take.
const KILL_TIMES: KillTimes =
    KillTimes { graceful: Duration::from_secs(30), force: Duration::from_secs(10) };

/// Play one job as gitlab-runner would, through `fargate-runner custom`, and print its log.
///
/// The driver gets this environment, so its AWS variables may lead to an emulator. Ctrl-C cancels the job; a
/// second one ends everything but the clean-up.
#[derive(Clone, Debug, clap::Args)]
pub struct SingleJobArgs {
    /// The driver's configuration; its own default unless given.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The profile of that configuration.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The fargate-runner to play with; the one beside this program unless given.
    #[arg(long, value_name = "FILE")]
    runner: Option<PathBuf>,
    /// The lines of the job's script.
    #[arg(required = true, value_name = "LINE")]
    script: Vec<String>,
}

/// Why the job could not be played.
#[derive(Debug, thiserror::Error)]
pub enum SingleJobError {
    /// The driver is not there.
    #[error(transparent)]
    Missing(#[from] MissingProgram),
    /// The configuration is not there.
    #[error("finding the configuration {}; --config names it", path.display())]
    Config {
        /// What was given.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A folder, a signal or standard output cannot be used.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

fn io_error(doing: &'static str) -> impl Fn(io::Error) -> SingleJobError {
    move |source| SingleJobError::Io { doing, source }
}

/// Plays the job. True if it passed.
///
/// # Errors
///
/// [`SingleJobError`], if the job could not begin.
pub async fn run(args: SingleJobArgs) -> Result<bool, SingleJobError> {
    // The four programs run in a folder of their own, so that a relative path would lead elsewhere.
    let config = args.config.map(absolute).transpose()?;
    let driver = programs::runner(args.runner.as_deref())?;
    let mut after = Vec::new();
    if let Some(path) = &config {
        after.extend(["--config", path.as_str()]);
    }
    if let Some(name) = &args.profile {
        after.extend(["--profile", name.as_str()]);
    }
    let folder = tempfile::Builder::new().prefix("fargate-job-").tempdir();
    let folder = folder.map_err(io_error("making the folder of the job"))?;
    let runner = RunnerImitation {
        driver: DriverCommands::new(&driver, &["custom"], &after),
        environment: env::vars_os().collect(),
        builds_dir: "/builds".to_owned(),
        cache_dir: "/cache".to_owned(),
        short_token: "singlejob".to_owned(),
        folder: folder.path().to_owned(),
        times: RunnerTimes { kill: KILL_TIMES, ..RunnerTimes::default() },
        output_limit: OUTPUT_LIMIT,
        scripts: ScriptSource::Written,
    };
    let mut signals = TerminationSignals::catch().map_err(io_error("catching signals"))?;
    let played = play(&runner, &job(&args.script), &mut signals).await;
    Ok(played.verdict == GitLabVerdict::Success)
}

fn absolute(path: PathBuf) -> Result<String, SingleJobError> {
    let absolute = fs::canonicalize(&path);
    let absolute = absolute.map_err(|source| SingleJobError::Config { path, source })?;
    Ok(absolute.to_string_lossy().into_owned())
}

fn job(script: &[String]) -> GitLabJob {
    // The driver keeps a tombstone of each job, so no two jobs may have the same number.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let number = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let git = GitInfo { repo_url: REPOSITORY.to_owned(), ..GitInfo::default() };
    let lines: Vec<&str> = script.iter().map(String::as_str).collect();
    GitLabJob::new(number, "job", git, &lines).with_variable("GIT_STRATEGY", "none")
}

async fn play(
    runner: &RunnerImitation,
    job: &GitLabJob,
    signals: &mut TerminationSignals,
) -> PlayedJob {
    let control = JobControl::default();
    let mut cancelled = false;
    let mut playing = std::pin::pin!(runner.play(job, &control, log_printer()));
    loop {
        tokio::select! {
            played = &mut playing => return played,
            () = signals.next() => {
                if cancelled { control.stop_runner() } else { control.cancel() }
                cancelled = true;
            }
        }
    }
}

/// Prints the job's log as it grows.
fn log_printer() -> DriverCallObserver {
    Arc::new(|event| {
        if let DriverCallEvent::Logged { bytes } = event {
            let mut out = io::stdout().lock();
            // If nobody reads any more, the job still goes on to its clean-up.
            let _ = out.write_all(bytes).and_then(|()| out.flush());
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_has_the_given_lines_and_fetches_nothing() {
        let job = job(&["echo one".to_owned(), "exit 3".to_owned()]);
        let script = &job.step("script").expect("a script").script;
        assert_eq!(script, &["echo one", "exit 3"]);
        assert_eq!(job.variable("GIT_STRATEGY"), Some("none"));
    }

    #[test]
    fn a_configuration_that_is_not_there_is_named() {
        let error = absolute(PathBuf::from("/nonexistent/config.toml")).unwrap_err();
        let text = fargate_model::text::error_chain(&error);
        insta::assert_snapshot!(text, @"finding the configuration /nonexistent/config.toml; --config names it: No such file or directory (os error 2)");
    }
}
