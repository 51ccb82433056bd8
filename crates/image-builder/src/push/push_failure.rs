//! What a registry said, as a failure of the command: which exit code, and the next step.

use fargate_model::text::escape;
use fargate_registry::RepositoryError;

use crate::failure::ImageFailure;
use crate::repository_login::denied;
use crate::transfer_retry::TransferFailure;

/// One answer.
pub(crate) fn of_repository(error: &RepositoryError) -> ImageFailure {
    let what = escape(&error.to_string());
    if error.is_of_login() {
        return denied(what);
    }
    let hint = match error {
        RepositoryError::ForeignPlace { .. } => {
            "name the registry by the host that takes uploads, or correct the proxy before it"
        }
        _ => {
            "look at the registry's own log; then push again: blobs that arrived are not sent again"
        }
    };
    ImageFailure::PushFailed { what, hint: hint.to_owned() }
}

/// All tries of one transfer.
pub(crate) fn of_transfer(failure: &TransferFailure) -> ImageFailure {
    let count = failure.tries.len();
    match of_repository(failure.last()) {
        ImageFailure::PushFailed { what, hint } if count > 1 => {
            let lines = failure.tries.iter().enumerate();
            let lines = lines
                .map(|(n, error)| format!("\n  try {}: {}", n + 1, escape(&error.to_string())));
            let table: String = lines.collect();
            ImageFailure::PushFailed { what: format!("{what}; {count} tries{table}"), hint }
        }
        other => other,
    }
}
