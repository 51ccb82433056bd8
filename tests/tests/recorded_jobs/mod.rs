//! The recordings of jobs of a real gitlab-runner, and the same facts of a job that the imitation
//! played.

#[allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "not every test plays the recordings through the driver"
)]
pub mod replayed;

use std::fs;
use std::path::{Path, PathBuf};

use fargate_playground::runner::{DriverProcessExit, GitLabJob, GitLabVerdict, PlayedJob};
use nix::sys::signal::Signal;
use serde_json::Value;

/// The server of the recordings.
pub const HOST: &str = "gitlab.example";

/// One recorded job.
pub struct JobRecording {
    /// Every call of the driver.
    pub calls: Vec<Value>,
    /// The verdict, and how the recording driver was told to misbehave.
    pub outcome: Value,
    /// The job as GitLab sent it.
    pub response: String,
}

impl JobRecording {
    /// Reads the copy in this crate.
    pub fn read(name: &str) -> Self {
        let folder = copies().join(name);
        let read = |file: &str| {
            let path = folder.join(file);
            fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
        };
        let calls =
            read("calls.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let outcome = serde_json::from_str(&read("outcome.json")).unwrap();
        Self { calls, outcome, response: read("response.json") }
    }

    /// The job, to be played with a server at `host`.
    pub fn job(&self, host: &str) -> GitLabJob {
        GitLabJob::read(&self.response.replace(HOST, host)).unwrap()
    }

    /// The names of the calls, in order.
    pub fn names(&self) -> Vec<&str> {
        self.calls
            .iter()
            .map(|call| call["args"][1].as_str().or(call["stage"].as_str()).unwrap())
            .collect()
    }

    /// The exit code that the driver gave in each call; none where it was killed.
    pub fn exits(&self) -> Vec<Option<i64>> {
        self.calls.iter().map(|call| call["exit"].as_i64()).collect()
    }

    /// The signals that the driver could see in each call.
    pub fn signals(&self) -> Vec<Vec<String>> {
        let names = |call: &Value| {
            let signals = call["signals"].as_array().unwrap().iter();
            signals.map(|sent| sent["signal"].as_str().unwrap().to_owned()).collect()
        };
        self.calls.iter().map(names).collect()
    }

    /// State, failure reason and exit code that reached GitLab.
    pub fn verdict(&self) -> (String, Option<String>, Option<i64>) {
        let last = self.outcome["updates"].as_array().unwrap().last().unwrap();
        let reason = last["failure_reason"].as_str().map(str::to_owned);
        (last["state"].as_str().unwrap().to_owned(), reason, last["exit_code"].as_i64())
    }
}

/// The copies of the recordings in this crate.
pub fn copies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/gitlab-runner")
}

/// The recordings with scripts and logs, where they lie beside the checkout.
#[allow(dead_code, reason = "only the replay needs the scripts")]
pub fn originals() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let folder = root.parent()?.join("shared/fixtures/gitlab-runner");
    folder.is_dir().then_some(folder)
}

/// The exit codes of the calls that we made; none where the driver was killed.
pub fn exits(outcome: &PlayedJob) -> Vec<Option<i64>> {
    let code = |exit: &DriverProcessExit| match exit {
        DriverProcessExit::Code(code) => Some(i64::from(*code)),
        _ => None,
    };
    outcome.calls.iter().map(|call| code(&call.exit)).collect()
}

/// The signals that the driver could see in each call that we made: nobody sees SIGKILL.
pub fn received(outcome: &PlayedJob) -> Vec<Vec<String>> {
    let seen = |call: &fargate_playground::runner::DriverCall| {
        let signals = call.signals.iter().filter(|sent| sent.signal != Signal::SIGKILL);
        signals.map(|sent| sent.signal.as_str().to_owned()).collect()
    };
    outcome.calls.iter().map(seen).collect()
}

/// State, failure reason and exit code that we would tell GitLab.
pub fn verdict(outcome: &PlayedJob) -> (String, Option<String>, Option<i64>) {
    match outcome.verdict {
        GitLabVerdict::Success => ("success".to_owned(), None, None),
        GitLabVerdict::Failed { reason, exit_code } => {
            ("failed".to_owned(), Some(reason.to_string()), exit_code.map(i64::from))
        }
    }
}
