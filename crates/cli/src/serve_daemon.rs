//! The part of `serve` that looks after the tasks of the host: a thread of its own with the watch, the socket for
//! drivers and the reaper. It also stops the tasks that operators want stopped.
//!
//! Pages and history do without it: without a configuration that names a cluster there is none.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use fargate_config::RunnerConfig;
use fargate_controller::host_journals::tell_orphans;
use fargate_controller::{HostDaemon, OrphanReport, ReaperSettings};
use fargate_files::FileError;
use fargate_history::KnownTask;
use fargate_model::text::error_chain;
use fargate_status_api::{DaemonFacts, StatusService};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::streams::{masker, tell};

/// The daemon of this host, claimed before anything else begins. `None` where no profile can run a job.
///
/// # Errors
///
/// In words, if another daemon has this host.
pub fn claim(config: &RunnerConfig, profile: Option<&str>) -> Result<Option<HostDaemon>, String> {
    let settings = match ReaperSettings::of_config(config, profile, masker()) {
        Ok(settings) => settings,
        Err(error) => {
            tell!("warning: no task is watched and no orphan is stopped: {error}");
            return Ok(None);
        }
    };
    match HostDaemon::claim(settings) {
        Ok(daemon) => Ok(Some(daemon)),
        Err(FileError::Held { .. }) => Err(
            "another `fargate-runner serve` looks after this host\nhint: stop it first; one of them \
             serves all pages"
                .to_owned(),
        ),
        Err(error) => Err(error_chain(&error)),
    }
}

/// Runs the daemon until the service ends. The history learns the tasks of this host from `known_tasks`.
pub fn start(
    (daemon, runtime): (HostDaemon, Runtime),
    state_dir: PathBuf,
    (service, known_tasks): (Arc<StatusService>, watch::Sender<Option<Vec<KnownTask>>>),
    until: &watch::Receiver<bool>,
) -> JoinHandle<()> {
    service.set_stops(daemon.stops());
    let (mut until, mut also_until) = (until.clone(), until.clone());
    std::thread::spawn(move || {
        runtime.block_on(async {
            let (watch, reaps, calls) = (daemon.watch(), daemon.reaps(), daemon.calls());
            let facts = DaemonFacts { watch, reaps, calls, known_tasks };
            let tell = move |orphans: &[OrphanReport]| tell_orphans(&state_dir, orphans, masker());
            let over = async { drop(until.wait_for(|is_over| *is_over).await) };
            tokio::select! {
                () = daemon.run(over) => {}
                () = facts.pass_on(&service, tell) => {}
                // The same moment: whoever is first ends both.
                _ = also_until.wait_for(|is_over| *is_over) => {}
            }
        });
        runtime.shutdown_timeout(Duration::from_secs(1));
    })
}
