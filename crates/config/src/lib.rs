//! The configuration file: its keys, defaults, checks and profiles.
//!
//! Two grammars are read: our own, and that of GitLab's Fargate driver (`gitlab`), which `import`
//! writes again in ours. A file is read once and checked as a whole. Every problem is reported with its
//! line, its dotted key, what was given and what is allowed. This crate reads that one file and nothing
//! else: the environment, flags, AWS and the job are the business of its callers.
//!
//! Each key is one row of the settings table (`settings`, and `config` for the top of the file). To
//! add a key, add a row and write the reference file anew, as `reference` says. Each value has one
//! check (`check`, `keyword`, `role`), and what only shows once a profile is put together is checked
//! in `conflicts`.

mod channel_reference;
mod check;
mod config;
mod conflicts;
mod document;
mod file;
mod gitlab;
mod gitlab_keys;
mod hold_choice;
mod import;
mod job_choice;
mod job_size;
mod keyword;
mod layer;
mod named_sections;
mod network_doubts;
mod overrides;
mod own_grammar;
mod parse;
mod patterns;
mod problem;
mod profile_choice;
mod reader;
#[cfg(test)]
mod reference;
mod replica_login;
mod role;
mod row;
mod serve_doubts;
mod settings;
mod show;
mod stack_import;
mod stack_outputs;
mod table;
mod table_reader;
#[cfg(test)]
mod table_tests;
mod toml_text;
mod unknown_key;
mod value;
mod volume_sections;

pub use channel_reference::{ManagedChannel, ManagedDigest};
pub use config::{LoadedConfig, RunnerConfig};
pub use document::ConfigGrammar;
pub use file::{
    DEFAULT_PATH, GITLAB_DEFAULT_PATH, MAX_FILE_BYTES, PATH_VARIABLE, load, load_with, locate,
};
pub use hold_choice::{HoldLimitError, IgnoredHold};
pub use job_choice::{ChoiceFlags, IgnoredChoice, IgnoredReason};
pub use job_size::JobSize;
pub use keyword::{
    BuildNetwork, ClientKeyKind, HostKey, LaunchType, LayerCompression, LocalAccess, LogFormat,
    LogLevel, PublicIp, RefBinding, ReproducibleBuild, Shell, SquashPolicy, TagPropagation,
    TaskArchitecture, TokenRole, UnsupportedPolicy, VolumeSeparation, VulnerabilityLimit,
};
pub use overrides::{FlagError, FlagOverrides};
pub use parse::{parse, parse_with};
pub use patterns::{image_matches, is_one_project, project_matches};
pub use problem::{ConfigError, ConfigProblem};
pub use profile_choice::{
    BindingRefusal, ProfileChoice, ProfileChoiceError, SkippedProfile, TrustedFacts,
};
pub use settings::{
    AccountSettings, DefinitionSource, HOST_CONDITIONS, HistorySettings, JobLimits, JobProfile,
    JobTimeouts, LaunchMode, ManagedImage, NotifySettings, PriceSettings, RoleSettings,
    ServeSettings, ServeToken, SshSettings, StorageVolume, StrategyItem, TaskSecret, TmpfsMount,
    VolumeAccess,
};
pub use stack_import::settings_without_file;
pub use stack_outputs::{StackOutputs, StackOutputsError};
pub use unknown_key::UnknownKeyPolicy;

/// The commented default file: every key with its meaning, unit, allowed values and default. It is
/// what `config init` writes, and the reference of the grammar.
pub const REFERENCE: &str = include_str!("../default-config.toml");
