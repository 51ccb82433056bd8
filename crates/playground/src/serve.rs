//! `fargate-local serve`: the local cloud for a person.
//!
//! One line says that it is ready and how to use it; SIGINT and SIGTERM end it and every task.

use std::convert::Infallible;
use std::future::pending;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use fargate_local_cloud::{
    AccessKeyPair, CloudOptions, CloudRateLimits, LocalCloud, ServeError, TaskTiming,
};
use fargate_model::text::shell_word;
use tokio::time::timeout;

use crate::backend_args::{BackendArgs, EngineFlagError};
use crate::faults;
use crate::files::write_whole;
use crate::programs::MissingProgram;
use crate::signals::TerminationSignals;

/// Longest time that the tasks may take to end when the cloud does.
const GOODBYE: Duration = Duration::from_secs(30);

/// Serve the local cloud until SIGINT or SIGTERM; its tasks end with it.
#[derive(Clone, Debug, clap::Args)]
pub struct ServeArgs {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Listen on an address that other machines reach: whoever has the key pair then runs commands
    /// on this one.
    #[arg(long)]
    allow_remote: bool,
    /// Write a configuration for fargate-runner that works with this cloud; it holds the key pair, so it
    /// is for its owner alone.
    #[arg(long, value_name = "FILE")]
    write_config: Option<PathBuf>,
    /// Start without cluster, subnets and task definition; take any well-formed subnet.
    #[arg(long)]
    empty: bool,
    /// How long the states of a task last: `instant`, or a factor of the measured delays.
    #[arg(long, value_name = "instant|FACTOR", default_value = "instant")]
    pace: PaceChoice,
    /// AWS's own rate limits, and the measured delays times FACTOR: 1, unless it is given.
    #[arg(
        long,
        value_name = "FACTOR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "1",
        conflicts_with = "pace"
    )]
    realistic: Option<DelayFactor>,
    #[command(flatten)]
    backend: BackendArgs,
    /// Folder for file systems and container logs, which stays; a temporary one unless given.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Rules for what goes wrong from the start; `fargate-local faults` explains them.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// IAM policy in JSON: callers with the cloud's keys may do what it allows and nothing else, as with the output of
    /// `fargate-runner iam-policy`; everything unless it is given.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// State folder that the written configuration names.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug)]
struct PaceChoice(TaskTiming);

/// A factor of the measured delays.
#[derive(Clone, Copy, Debug)]
struct DelayFactor(f64);

impl FromStr for DelayFactor {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let factor = text.parse::<f64>().ok().filter(|factor| *factor > 0.0 && *factor <= 100.0);
        factor.map(Self).ok_or_else(|| "allowed: a factor above 0 and up to 100".to_owned())
    }
}

impl FromStr for PaceChoice {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "instant" {
            return Ok(Self(TaskTiming::Instant));
        }
        match text.parse() {
            Ok(DelayFactor(factor)) => Ok(Self(TaskTiming::Measured { factor })),
            Err(_) => Err("allowed: `instant`, or a factor above 0 and up to 100".to_owned()),
        }
    }
}

/// Why the cloud is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeCommandError {
    /// Something is not installed or not built.
    #[error(transparent)]
    Missing(#[from] MissingProgram),
    /// A flag would have no effect.
    #[error(transparent)]
    Flags(#[from] EngineFlagError),
    /// The rules for what goes wrong cannot be used.
    #[error(transparent)]
    Faults(#[from] faults::FaultFileError),
    /// The policy cannot be read.
    #[error("reading the policy {}; give a file with `--policy`", path.display())]
    Policy {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The cloud did not start.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The configuration could not be written.
    #[error("writing the configuration {}; name another place with --write-config", path.display())]
    Configuration {
        /// Where.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Standard output or the signals of this process cannot be used.
    #[error("using standard output and signals")]
    Io(#[from] std::io::Error),
    /// Tasks did not end in time.
    #[error("tasks still ran {} s after the cloud was told to end", GOODBYE.as_secs())]
    Tasks,
}

/// The text of a policy.
fn policy(path: &Path) -> Result<String, ServeCommandError> {
    std::fs::read_to_string(path)
        .map_err(|source| ServeCommandError::Policy { path: path.to_owned(), source })
}

/// Serves until a signal comes.
///
/// # Errors
///
/// [`ServeCommandError`], if a program is missing, the cloud does not start or end, or a file cannot be
/// written.
pub async fn run(args: ServeArgs) -> Result<(), ServeCommandError> {
    let mut signals = TerminationSignals::catch()?;
    let rules = args.faults.as_deref().map(faults::read).transpose()?;
    let (pace, limits) = match args.realistic {
        None => (args.pace.0, CloudRateLimits::none()),
        Some(DelayFactor(factor)) => (TaskTiming::Measured { factor }, CloudRateLimits::of_aws()),
    };
    let (listen, allow_remote, empty) = (args.listen, args.allow_remote, args.empty);
    let (backend, folder) = (args.backend.choice()?, args.folder.clone());
    let user_policy = args.policy.as_deref().map(policy).transpose()?;
    let options = CloudOptions::new(args.backend.agent()?);
    let options = CloudOptions {
        listen,
        allow_remote,
        backend,
        folder,
        empty,
        pace,
        limits,
        user_policy,
        ..options
    };
    let cloud = LocalCloud::serve(options).await?;
    if let Some(rules) = rules {
        cloud.set_faults(rules);
    }
    if let Some(notice) = cloud.notice() {
        eprintln!("{notice}");
    }
    let ready = announce(&cloud, &args);
    if ready.is_ok() {
        tokio::select! {
            _ = signals.next() => {}
            never = tell_changes(&cloud) => match never {},
        }
    }
    timeout(GOODBYE, cloud.shutdown()).await.map_err(|_| ServeCommandError::Tasks)?;
    ready
}

/// Prints what the cloud has to say while it runs; never returns.
async fn tell_changes(cloud: &LocalCloud) -> Infallible {
    let Some(mut notice) = cloud.changing_notice() else { return pending().await };
    // The cloud holds the sender, so there is no error.
    while notice.changed().await.is_ok() {
        eprintln!("{}", *notice.borrow_and_update());
    }
    pending().await
}

fn announce(cloud: &LocalCloud, args: &ServeArgs) -> Result<(), ServeCommandError> {
    let endpoint = cloud.endpoint();
    let mut use_it = format!("export AWS_ENDPOINT_URL={endpoint}");
    // Keys from the environment are not printed: the user knows them, and a real account may have them.
    if let Some(AccessKeyPair { access_key_id, secret_access_key, .. }) = cloud.drawn_keys() {
        use_it += &format!(
            " AWS_ACCESS_KEY_ID={access_key_id} AWS_SECRET_ACCESS_KEY={secret_access_key}"
        );
    }
    if let Some(path) = &args.write_config {
        let path = std::path::absolute(path)?;
        let state_dir = match &args.state_dir {
            Some(folder) => std::path::absolute(folder)?,
            None => path.with_extension("state"),
        };
        write_whole(&path, cloud.configuration(&state_dir))
            .map_err(|source| ServeCommandError::Configuration { path: path.clone(), source })?;
        use_it += &format!(" FARGATE_RUNNER_CONFIG={}", shell_word(&path.display().to_string()));
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready: {use_it}")?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_instant_or_a_factor() {
        assert_eq!("instant".parse::<PaceChoice>().unwrap().0, TaskTiming::Instant);
        let factor = "0.025".parse::<PaceChoice>().unwrap().0;
        assert_eq!(factor, TaskTiming::Measured { factor: 0.025 });
        assert!("instant".parse::<DelayFactor>().is_err());
        for wrong in ["", "0", "-1", "fast", "inf", "NaN", "1e9"] {
            assert!(wrong.parse::<PaceChoice>().is_err(), "{wrong}");
        }
    }
}
