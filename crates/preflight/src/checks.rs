//! The checks: pure functions of what jobs need and what was read. One file for each subject.

pub(crate) mod access_points;
#[cfg(test)]
mod account_fixture;
#[cfg(test)]
mod account_tests;
pub(crate) mod api_rates;
mod by_profile;
pub(crate) mod capacity_providers;
pub(crate) mod clock;
pub(crate) mod cluster;
pub(crate) mod efs_access;
pub(crate) mod endpoint_policies;
#[cfg(test)]
mod endpoint_policy_tests;
pub(crate) mod endpoints;
pub(crate) mod excess_rights;
pub(crate) mod execution_role_rights;
pub(crate) mod file_system;
pub(crate) mod file_system_policy;
#[cfg(test)]
mod fixed_definition_tests;
pub(crate) mod gitlab;
pub(crate) mod group_egress;
pub(crate) mod identity;
pub(crate) mod image;
pub(crate) mod inbound_rules;
#[cfg(test)]
mod ipv6_tests;
pub(crate) mod ipv6_way_out;
pub(crate) mod job_secrets;
pub(crate) mod log_group;
mod manager_egress;
pub(crate) mod manager_rights;
pub(crate) mod mount_rights;
pub(crate) mod mount_targets;
mod mounted_volumes;
pub(crate) mod network_acls;
#[cfg(test)]
mod network_breaks;
pub(crate) mod pass_role;
mod passed_roles;
pub(crate) mod platform_version;
mod policy_breadth;
pub(crate) mod quotas;
pub(crate) mod registry_secret;
pub(crate) mod registry_secret_key;
mod right_words;
mod rule_command;
#[cfg(test)]
pub(crate) mod sample_definition;
pub(crate) mod security_groups;
mod ssh_sources;
pub(crate) mod subnet_addresses;
pub(crate) mod subnets;
mod target_groups;
pub(crate) mod task_definition;
pub(crate) mod task_role_rights;
pub(crate) mod task_roles;
mod trusted_others;
pub(crate) mod vpc_dns;
pub(crate) mod way_out;
