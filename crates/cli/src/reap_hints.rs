//! What to do about a [`ReapError`]: the commands that look for tasks of this host print it behind the error.

use std::path::Path;

use fargate_controller::ReapError;
use fargate_model::text::escape;

use crate::folder_owner;

/// The error, and what to do about it.
pub fn with_hint(error: &ReapError, root: &Path) -> String {
    let hint = match error {
        ReapError::NoFolder { .. } => {
            Some("`fargate-runner config show` prints `state_dir`".to_owned())
        }
        ReapError::Copied { path } => {
            let path = escape(&path.display().to_string());
            Some(format!(
                "if the folder is a copy, remove `owner`, `machine` and `jobs` in it; if this machine \
                 replaces the other one, `rm {path}/machine`"
            ))
        }
        ReapError::State(error) => folder_owner::hint(error, root),
        ReapError::Busy => {
            Some("wait until it has ended; `--dry-run` can run at the same time".to_owned())
        }
    };
    let hint = hint.map(|hint| format!("\nhint: {hint}"));
    format!("{error}{}", hint.unwrap_or_default())
}
