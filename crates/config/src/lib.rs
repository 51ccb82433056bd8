//! The configuration file: its keys, defaults, checks and profiles.
//!
//! Two grammars are read: our own, and that of GitLab's Fargate driver (`gitlab`), which `import`
//! writes again in ours. A file is read once, checked as a whole, and every problem is reported with its line, its dotted
//! key, what was given and what is allowed. This crate reads that one file and nothing else: the
//! environment, flags, AWS and the job are the business of its callers.
//!
//! Each key has one description (`keys` and `timeouts`), each value one check (`check`), and what
//! only shows once a profile is put together is checked there (`fit`).

mod check;
mod check_profile;
mod config;
mod document;
mod file;
mod gitlab;
mod import;
mod keys;
mod layer;
mod overrides;
mod problem;
mod profile;
mod reader;
mod role;
mod show;
mod strategy;
mod timeouts;

pub use config::{ConfigGrammar, LoadedConfig, LogFormat, LogLevel, RunnerConfig};
pub use document::{UnknownKeyPolicy, parse, parse_with};
pub use file::{
    DEFAULT_PATH, GITLAB_DEFAULT_PATH, MAX_FILE_BYTES, PATH_VARIABLE, load, load_with, locate,
};
pub use overrides::{FlagError, FlagOverrides};
pub use problem::{ConfigError, ConfigProblem};
pub use profile::{
    AccountSettings, ClientKeyKind, HostKey, JobProfile, LaunchMode, LaunchType, PublicIp,
    RoleSettings, Shell, SshSettings, StrategyItem,
};
pub use timeouts::JobTimeouts;

/// The commented default file: every key with its meaning, unit, allowed values and default. It is
/// what `config init` writes, and the reference of the grammar.
pub const REFERENCE: &str = include_str!("../default-config.toml");
