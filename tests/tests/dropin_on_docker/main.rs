//! Installations of GitLab's Fargate driver on real containers, in which only the path of the
//! binary was changed: the old configuration file, an image with a stock `sshd`, and an ECS
//! emulator that others wrote.
//!
//! All tests of this program share one Docker Engine, which ends with the program.

#[path = "../recorded_jobs/mod.rs"]
mod recorded_jobs;
mod replayed_recordings;
mod single_stages;
mod whole_jobs;

use std::sync::OnceLock;

use fargate_playground::runner::{RunnerImitation, ScriptSource};
use fargate_tests::{ContainerEngine, RunnerInstallation, skip};
use recorded_jobs::replayed::times;

/// What all tests share, or `None` after saying why they are skipped. In CI nothing is skipped.
fn containers() -> Option<&'static ContainerEngine> {
    static CONTAINERS: OnceLock<Result<ContainerEngine, String>> = OnceLock::new();
    match CONTAINERS.get_or_init(ContainerEngine::start) {
        Ok(containers) => Some(containers),
        Err(missing) => {
            skip(missing);
            None
        }
    }
}

/// gitlab-runner with this installation as its custom executor.
fn gitlab_runner(installation: &RunnerInstallation, scripts: ScriptSource) -> RunnerImitation {
    RunnerImitation {
        driver: installation.driver(),
        environment: installation.environment(),
        builds_dir: "/builds".to_owned(),
        cache_dir: "/cache".to_owned(),
        short_token: "testtestt".to_owned(),
        folder: installation.jobs(),
        times: times(),
        output_limit: 16 * 1024 * 1024,
        scripts,
    }
}
