//! What AWS said, all of it: what the checks judge.

use crate::views::{
    AccessView, ClusterView, HostView, NetworkView, QuotaView, RegistryView, StorageView,
};

/// What was read of an account.
#[derive(Clone, Debug, Default)]
pub struct AccountView {
    /// Who asks, and what that identity may do.
    pub access: AccessView,
    /// The cluster, its capacity providers and the task definitions.
    pub cluster: ClusterView,
    /// The VPC.
    pub network: NetworkView,
    /// File systems.
    pub storage: StorageView,
    /// The registry's secret, roles, log groups, and what the registry itself says.
    pub registry: RegistryView,
    /// Quotas.
    pub quotas: QuotaView,
    /// This host: its clock, and whether it reaches GitLab.
    pub host: HostView,
}
