//! What the service must know of its host, beside the history.

use std::path::PathBuf;
use std::time::Duration;

use fargate_model::price::TaskPrices;
use fargate_state::BreakerLimits;

use crate::access::AccessSettings;

/// Settings of one service.
#[derive(Clone, Debug, Default)]
pub struct StatusSettings {
    /// Who may see and do what.
    pub access: AccessSettings,
    /// Patterns of projects whose names everybody may see.
    pub public_projects: Vec<String>,
    /// This host's name.
    pub host: String,
    /// The Region, if all profiles have one.
    pub region: Option<String>,
    /// The cluster, if all profiles have one.
    pub cluster: Option<String>,
    /// The account's quota of vCPU on demand, if the configuration names it.
    pub vcpu_quota: Option<u32>,
    /// The account's quota of vCPU on Spot, if the configuration names it.
    pub spot_vcpu_quota: Option<u32>,
    /// Regions in which jobs may run on Spot, with the limits after which Spot is left alone there.
    pub spot_limits: Vec<(String, BreakerLimits)>,
    /// How many jobs this host runs at one time: `concurrent` of its gitlab-runner, if the configuration
    /// names it.
    pub job_slots: Option<u32>,
    /// Most open event streams.
    pub max_streams: usize,
    /// The file that `fargate-runner check` writes.
    pub checks_file: PathBuf,
    /// The configuration file; a report of checks that were made with another one is named as old.
    pub config_file: PathBuf,
    /// Images that this configuration manages.
    pub images: Vec<ConfiguredImage>,
    /// The prices of estimates.
    pub prices: TaskPrices,
    /// Where a runbook has a page for each cause; `{cause}` stands for its name.
    pub runbook_url: Option<String>,
    /// The version of this program.
    pub version: String,
    /// How long jobs are kept, in days.
    pub keep_days: u64,
    /// Whether jobs run in the local cloud.
    pub is_demo: bool,
    /// What is missing in the configuration, and the file in which it belongs.
    pub missing: Option<MissingSettings>,
}

/// What is missing in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingSettings {
    /// Keys.
    pub keys: Vec<String>,
    /// The file.
    pub path: String,
}

/// An image of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfiguredImage {
    /// Its name.
    pub name: String,
    /// The file of its manifest.
    pub manifest: PathBuf,
    /// The age at which the image of `stable` is stale.
    pub stale_after: Duration,
}
