//! The settings table: every key that `[defaults]` and a profile may have, each in one row.
//!
//! What a row can say is in `table`; the keys at the top of the file are in `config`.

mod limits;
mod profile;
mod ssh;
mod strategy;
mod timeouts;

pub use limits::JobLimits;
pub use profile::{AccountSettings, DefinitionSource, JobProfile, LaunchMode, RoleSettings};
pub use ssh::SshSettings;
pub use strategy::StrategyItem;
pub use timeouts::JobTimeouts;
