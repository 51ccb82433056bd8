//! Where the configuration keeps the history.

use fargate_config::{HistorySettings, RunnerConfig};
use fargate_history::HistoryLocation;

/// The place of the history: the PostgreSQL database or the file that the configuration names, else a file in
/// the state folder.
#[must_use]
pub fn history_location(config: &RunnerConfig) -> HistoryLocation {
    let HistorySettings { file, url, .. } = &config.history;
    match (url, file) {
        (Some(url), _) => HistoryLocation::Postgres(url.clone()),
        (None, Some(file)) => HistoryLocation::Sqlite(file.clone()),
        (None, None) => HistoryLocation::Sqlite(config.state_dir.join("history.db")),
    }
}
