//! Whether names can be resolved in the VPC: of registries, of endpoints, and of file systems.

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::network::task_place::placed_tasks;
use crate::views::VpcView;

/// The name by which DHCP options mean Amazon's own server.
const AMAZON: &str = "AmazonProvidedDNS";

/// Judges the VPC of each profile, each once.
pub fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let placed = match placed_tasks(input.needs, &input.view.network) {
        Ok(placed) => placed,
        Err(unknown) => return vec![unknown],
    };
    let mut vpcs: Vec<(&str, bool)> = Vec::new();
    for tasks in &placed {
        let mounts = !tasks.place.file_systems.is_empty();
        let Some(vpc) = tasks.vpc() else { continue };
        match vpcs.iter_mut().find(|(known, _)| *known == vpc) {
            Some((_, any)) => *any |= mounts,
            None => vpcs.push((vpc, mounts)),
        }
    }
    let not_read = VpcView::default();
    let of = |(vpc, mounts): (&str, bool)| {
        let view = input.view.network.dns.get(vpc).unwrap_or(&not_read);
        judge_vpc(vpc, view, mounts).unwrap_or_else(|unknown| unknown)
    };
    vpcs.into_iter().map(of).collect()
}

fn judge_vpc(vpc: &str, view: &VpcView, mounts: bool) -> Result<CheckFinding, CheckFinding> {
    let attributes = view.attributes.or_unknown("the DNS attributes of the VPC")?;
    let servers = own_servers(view)?;
    let turn_on = |attribute: &str| {
        format!(
            "aws ec2 modify-vpc-attribute --vpc-id {vpc} --enable-dns-{attribute} '{{\"Value\":true}}'"
        )
    };
    if !attributes.is_supported && (servers.is_empty() || mounts) {
        return Ok(CheckFinding::fail(
            format!("{vpc}: enableDnsSupport is off"),
            "tasks cannot resolve any name that AWS serves",
        )
        .fix("turn enableDnsSupport on")
        .command(turn_on("support")));
    }
    if !attributes.has_hostnames {
        let found = format!("{vpc}: enableDnsHostnames is off");
        let finding = match mounts {
            true => CheckFinding::fail(found, "tasks cannot resolve the name of their file system"),
            false => {
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
