//! Whether names can be resolved in the VPC: of registries, of endpoints, and of file systems.
//!
//! The private names of endpoints and of file systems need both DNS attributes of the VPC. Source: AWS
//! `PrivateLink` Guide, "Private DNS"; Amazon EFS User Guide, "Mounting with DNS names".

use super::way_out::{SubnetExit, exits};
use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::network::task_place::placed_tasks;
use crate::views::VpcView;

/// The name by which DHCP options mean Amazon's own server.
const AMAZON: &str = "AmazonProvidedDNS";

/// Which private names tasks ask for in a VPC.
#[derive(Clone, Copy, Debug)]
struct PrivateNames {
    /// Those of file systems.
    of_mounts: bool,
    /// Those of endpoints: tasks have no other way to AWS.
    of_endpoints: bool,
}

/// Judges the VPC of each profile, each once.
pub fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let placed = match placed_tasks(input.needs, input.view) {
        Ok(placed) => placed,
        Err(unknown) => return vec![unknown],
    };
    let on_endpoints = vpcs_on_endpoints(input);
    let mut vpcs: Vec<(&str, PrivateNames)> = Vec::new();
    for tasks in &placed {
        let of_mounts = !tasks.place.file_systems.is_empty();
        let Some(vpc) = tasks.vpc() else { continue };
        match vpcs.iter_mut().find(|(known, _)| *known == vpc) {
            Some((_, names)) => names.of_mounts |= of_mounts,
            None => {
                let of_endpoints = on_endpoints.iter().any(|it| it == vpc);
                vpcs.push((vpc, PrivateNames { of_mounts, of_endpoints }));
            }
        }
    }
    let not_read = VpcView::default();
    let of = |(vpc, names): (&str, PrivateNames)| {
        let view = input.view.network.dns.get(vpc).unwrap_or(&not_read);
        judge_vpc(vpc, view, names).unwrap_or_else(|unknown| unknown)
    };
    vpcs.into_iter().map(of).collect()
}

/// The VPCs in which tasks reach AWS through endpoints alone. Where the ways of tasks are not known, the check of
/// the way out says so.
fn vpcs_on_endpoints(input: CheckInput<'_>) -> Vec<String> {
    let exits = exits(input).into_iter().flatten();
    let places = exits.flat_map(|exits| exits.exits);
    let on_endpoints = places.filter(|(_, exit)| matches!(exit, SubnetExit::Endpoints));
    on_endpoints.map(|(subnet, _)| subnet.vpc.clone()).collect()
}

fn judge_vpc(vpc: &str, view: &VpcView, names: PrivateNames) -> Result<CheckFinding, CheckFinding> {
    let attributes = view.attributes.or_unknown("the DNS attributes of the VPC")?;
    let servers = own_servers(view)?;
    let turn_on = |attribute: &str| {
        format!(
            "aws ec2 modify-vpc-attribute --vpc-id {vpc} --enable-dns-{attribute} '{{\"Value\":true}}'"
        )
    };
    let PrivateNames { of_mounts, of_endpoints } = names;
    if !attributes.is_supported && (servers.is_empty() || of_mounts || of_endpoints) {
        return Ok(CheckFinding::fail(
            format!("{vpc}: enableDnsSupport is off"),
            "tasks cannot resolve any name that AWS serves",
        )
        .fix("turn enableDnsSupport on")
        .command(turn_on("support")));
    }
    if !attributes.has_hostnames {
        let found = format!("{vpc}: enableDnsHostnames is off");
        let finding = match (of_endpoints, of_mounts) {
            (true, _) => CheckFinding::fail(
                found,
                "names of AWS lead tasks to public addresses, not to the endpoints",
            ),
            (false, true) => {
                CheckFinding::fail(found, "tasks cannot resolve the name of their file system")
            }
            (false, false) => {
                CheckFinding::warn(format!("{found}; names of endpoints and file systems need it"))
            }
        };
        return Ok(finding.fix("turn enableDnsHostnames on").command(turn_on("hostnames")));
    }
    Ok(match servers.is_empty() {
        true => CheckFinding::pass(format!("{vpc}: Amazon's DNS server, with host names")),
        false => CheckFinding::warn(format!(
            "{vpc}: tasks ask your own DNS servers, {}, which nobody asked from here; for file systems and \
             endpoints they must forward to Amazon's",
            servers.join(", ")
        )),
    })
}

/// The servers that are not Amazon's.
///
/// # Errors
///
/// What a check says if they were not read.
pub fn own_servers(view: &VpcView) -> Result<Vec<String>, CheckFinding> {
    let servers = view.servers.or_unknown("the DNS servers of the VPC")?;
    Ok(servers.iter().filter(|server| *server != AMAZON).cloned().collect())
}
