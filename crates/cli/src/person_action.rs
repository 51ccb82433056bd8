//! Keeps for the audit log what a person does by a command.

use std::path::Path;

use fargate_history::PersonAction;
use fargate_model::text::error_chain;

use crate::folder_owner;
use crate::streams::tell;

/// Keeps it, before it is done. What cannot be kept is done all the same, with a warning: a person must be able to stop
/// a task when the disk is full.
pub fn keep(state_dir: &Path, action: &PersonAction) {
    if let Err(words) = kept(state_dir, action) {
        tell!("warning: {words}");
    }
}

/// The same without a word; the warning is in the error.
///
/// # Errors
///
/// In words, if it could not be kept.
pub fn kept(state_dir: &Path, action: &PersonAction) -> Result<(), String> {
    // A file of another user in the folder of jobs would be in their way.
    let kept = folder_owner::by_this_user(state_dir)
        .and_then(|()| action.keep(state_dir).map_err(|error| error_chain(&error)));
    kept.map_err(|error| format!("the audit log will not name this: {error}"))
}
