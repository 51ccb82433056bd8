//! The folder that is built, as the engine gets it: what `.dockerignore` leaves, in a tar file whose bytes
//! depend on nothing but names, contents and the executable bit.
//!
//! It follows no symbolic link and refuses what cannot or must not be sent. It does not look for secrets.

mod commit_time;
mod context_error;
mod context_file;
mod context_folder;
mod context_tar;
mod ignore_rules;

pub use commit_time::content_time;
pub use context_error::ContextError;
pub use context_folder::{ContextEntry, ContextEntryKind, ContextFolder, MAX_CONTEXT_BYTES};
pub use context_tar::ContextSummary;
pub use ignore_rules::IgnoreRules;
