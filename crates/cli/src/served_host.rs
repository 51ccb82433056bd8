//! Whose jobs `serve` shows: the host of the state folder, or a host that ran no job yet. It makes no state folder:
//! that would belong to the wrong user.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fargate_config::RunnerConfig;
use fargate_controller::HostControl;
use fargate_history::{HistoryLocation, IngestSettings};
use fargate_model::text::error_chain;
use fargate_state::StateFolder;
use fargate_status_api::history_location;
use tokio::runtime::Runtime;

use crate::folder_owner;
use crate::streams::tell;

/// Time between two looks for a state folder that is missing. Ours: it costs one call of the kernel.
const LOOK_EACH: Duration = Duration::from_secs(1);

/// Where this host keeps its history, and as whom it writes.
pub struct ServedHost {
    pub history: HistoryLocation,
    pub ingest: Option<IngestSettings>,
    pub control: Option<HostControl>,
    pub name: String,
    /// A folder that ends with this value, where there is no state folder.
    pub passing: Option<PassingFolder>,
}

/// A folder that is removed at the end.
pub struct PassingFolder(PathBuf);

impl Drop for PassingFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl ServedHost {
    /// The host as it is now.
    ///
    /// # Errors
    ///
    /// In words, if its state folder cannot be used.
    pub fn of(config: &RunnerConfig, runtime: &Runtime) -> Result<Self, String> {
        let root = &config.state_dir;
        if !root.exists() {
            return Self::passing(config);
        }
        folder_owner::by_this_user(root)?;
        let lock = fargate_config::JobTimeouts::default().state_lock;
        let words = |error: fargate_state::StateError| {
            let hint = folder_owner::hint(&error, root).map(|hint| format!("\nhint: {hint}"));
            format!("{}{}", error_chain(&error), hint.unwrap_or_default())
        };
        // It may be new and empty: systemd makes it (StateDirectory) before any job ran.
        let folder = StateFolder::open(root, lock).map_err(words)?;
        let configured = config.owner.as_deref();
        let owner = runtime.block_on(folder.owner(configured)).map_err(words)?.owner.to_string();
        let kept = &config.history;
        let days = |days: u32| Duration::from_hours(24 * u64::from(days));
        let ingest = IngestSettings {
            host: owner.clone(),
            owner: owner.clone(),
            state_dir: root.clone(),
            prices: config.prices.prices(),
            keep: days(kept.keep_days),
            keep_audit: days(kept.keep_audit_days),
        };
        Ok(Self {
            history: history_location(config),
            ingest: Some(ingest),
            control: Some(HostControl::of(root, lock).map_err(words)?),
            name: owner,
            passing: None,
        })
    }

    /// A host whose state folder does not exist: it ran no job. Nothing is made in the place of the folder,
    /// because it would belong to the wrong user. The first job makes it.
    fn passing(config: &RunnerConfig) -> Result<Self, String> {
        tell!(
            "warning: the state folder {} does not exist, so there are no jobs to show until a job makes it",
            config.state_dir.display()
        );
        let token = fargate_model::random::token();
        let token = token.map_err(|error| format!("drawing a name: {error}"))?;
        let folder = std::env::temp_dir().join(format!("fargate-runner-{token}"));
        make_private(&folder).map_err(|error| format!("making {}: {error}", folder.display()))?;
        Ok(Self {
            history: HistoryLocation::Sqlite(folder.join("history.db")),
            ingest: None,
            control: None,
            name: config.owner.clone().unwrap_or_else(|| "this host".to_owned()),
            passing: Some(PassingFolder(folder)),
        })
    }
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(folder)
}

/// Waits until the state folder is there.
pub async fn until_made(state_dir: &Path) {
    // Seen twice: whoever makes it may give it its owner and its mode a moment later.
    let mut times_seen = 0;
    while times_seen < 2 {
        tokio::time::sleep(LOOK_EACH).await;
        let state_dir = state_dir.to_owned();
        // On a thread of its own: a disk that does not answer must not hold up the pages.
        let looked = tokio::task::spawn_blocking(move || state_dir.is_dir()).await;
        times_seen = if looked.unwrap_or(false) { times_seen + 1 } else { 0 };
    }
}
