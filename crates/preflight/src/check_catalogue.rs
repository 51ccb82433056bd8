//! The list of all checks, in the order in which failures matter to a job.
//!
//! An id never changes: programs and the runbook name it. One id may give several lines, or none where the
//! basis of the check failed in another check already.

use fargate_status_answers::CheckLine;

use crate::account_view::AccountView;
use crate::check_finding::CheckFinding;
use crate::checks;
use crate::job_needs::JobNeeds;

/// What a check judges.
#[derive(Clone, Copy, Debug)]
pub struct CheckInput<'a> {
    /// What jobs need.
    pub needs: &'a JobNeeds,
    /// What AWS says.
    pub view: &'a AccountView,
}

/// One check.
#[derive(Clone, Copy, Debug)]
pub struct PreflightCheck {
    /// Its id.
    pub id: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// What it finds. It makes no call.
    pub judge: fn(CheckInput<'_>) -> Vec<CheckFinding>,
}

impl PreflightCheck {
    const fn new(
        id: &'static str,
        name: &'static str,
        judge: fn(CheckInput<'_>) -> Vec<CheckFinding>,
    ) -> Self {
        Self { id, name, judge }
    }

    /// A line of a report.
    #[must_use]
    pub fn line(&self, finding: &CheckFinding) -> CheckLine {
        CheckLine {
            id: self.id.to_owned(),
            name: self.name.to_owned(),
            outcome: finding.outcome,
            found: finding.text(),
            fix: finding.fix.clone(),
            command: finding.command.clone(),
        }
    }
}

/// All checks.
pub const CATALOGUE: &[PreflightCheck] = &[
    // Who asks, and what the manager may do.
    PreflightCheck::new("identity", "Identity", checks::identity::judge),
    PreflightCheck::new("clock", "Clock", checks::clock::judge),
    PreflightCheck::new("rights", "Rights of the manager", checks::manager_rights::judge),
    PreflightCheck::new("pass-role", "Pass role", checks::pass_role::judge),
    PreflightCheck::new("excess-rights", "Rights beyond need", checks::excess_rights::judge),
    // Where tasks start, and from what.
    PreflightCheck::new("cluster", "Cluster", checks::cluster::judge),
    PreflightCheck::new(
        "capacity-providers",
        "Capacity providers",
        checks::capacity_providers::judge,
    ),
    PreflightCheck::new("platform-version", "Platform version", checks::platform_version::judge),
    PreflightCheck::new("task-definition", "Task definition", checks::task_definition::judge),
    PreflightCheck::new("execution-role", "Execution role", checks::task_roles::judge_execution),
    PreflightCheck::new(
        "execution-role-rights",
        "Rights of the execution role",
        checks::execution_role_rights::judge,
    ),
    PreflightCheck::new("task-role", "Task role", checks::task_roles::judge_task),
    PreflightCheck::new(
        "task-role-rights",
        "Rights of the task role",
        checks::task_role_rights::judge,
    ),
    // What a task needs before it starts.
    PreflightCheck::new("registry-secret", "Registry secret", checks::registry_secret::judge),
    PreflightCheck::new(
        "registry-secret-key",
        "Key of the registry secret",
        checks::registry_secret_key::judge,
    ),
    PreflightCheck::new("job-secrets", "Secrets of jobs", checks::job_secrets::judge),
    PreflightCheck::new("image", "Image", checks::image::judge),
    PreflightCheck::new("log-group", "Log group", checks::log_group::judge),
    PreflightCheck::new("file-system", "EFS file system", checks::file_system::judge),
    PreflightCheck::new("mount-targets", "EFS mount targets", checks::mount_targets::judge),
    PreflightCheck::new("access-points", "EFS access points", checks::access_points::judge),
    PreflightCheck::new("file-system-policy", "EFS policy", checks::file_system_policy::judge),
    PreflightCheck::new("mount-rights", "EFS mount rights", checks::mount_rights::judge),
    // How many jobs at one time.
    PreflightCheck::new("vcpu-quota", "vCPU quota", checks::quotas::judge_on_demand),
    PreflightCheck::new("spot-vcpu-quota", "Spot vCPU quota", checks::quotas::judge_spot),
    PreflightCheck::new(
        "network-interface-quota",
        "Network interface quota",
        checks::quotas::judge_interfaces,
    ),
    PreflightCheck::new("api-rates", "API rates", checks::api_rates::judge),
    // Beyond AWS.
    PreflightCheck::new("gitlab", "GitLab", checks::gitlab::judge),
    // The network.
    PreflightCheck::new("subnets", "Subnets", checks::subnets::judge),
    PreflightCheck::new("way-out", "Way out", checks::way_out::judge),
    PreflightCheck::new("ipv6-way-out", "Way out over IPv6", checks::ipv6_way_out::judge),
    PreflightCheck::new("endpoints", "Endpoints", checks::endpoints::judge),
    PreflightCheck::new("endpoint-access", "Endpoint access", checks::endpoints::judge_access),
    PreflightCheck::new("endpoint-policies", "Endpoint policies", checks::endpoint_policies::judge),
    PreflightCheck::new("vpc-dns", "DNS", checks::vpc_dns::judge),
    PreflightCheck::new("network-acls", "Network ACLs", checks::network_acls::judge),
    PreflightCheck::new("security-groups", "Security groups", checks::security_groups::judge),
    PreflightCheck::new("group-egress", "Ports out", checks::group_egress::judge),
    PreflightCheck::new("ssh-access", "SSH from the manager", checks::inbound_rules::judge_manager),
    PreflightCheck::new("ssh-exposure", "SSH exposure", checks::inbound_rules::judge_exposure),
    PreflightCheck::new("open-rules", "Open ports", checks::inbound_rules::judge_open_rules),
    PreflightCheck::new("efs-access", "EFS access", checks::efs_access::judge),
    PreflightCheck::new("subnet-addresses", "Free addresses", checks::subnet_addresses::judge),
    PreflightCheck::new("egress-addresses", "Egress addresses", checks::way_out::judge_addresses),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_and_names_are_there_once() {
        let ids: BTreeSet<_> = CATALOGUE.iter().map(|entry| entry.id).collect();
        let names: BTreeSet<_> = CATALOGUE.iter().map(|entry| entry.name).collect();
        assert_eq!((ids.len(), names.len()), (CATALOGUE.len(), CATALOGUE.len()));
        let is_slug = |id: &str| {
            id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        assert!(ids.iter().all(|id| is_slug(id)), "{ids:?}");
    }
}
