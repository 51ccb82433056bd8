//! Where tasks of one or more profiles stand in the network, put together with what was read of it.

use fargate_aws::{SecurityGroup, VpcSubnet};
use fargate_config::{JobProfile, PublicIp};

use crate::account_view::AccountView;
use crate::check_finding::CheckFinding;
use crate::job_needs::{JobNeeds, ProfileGroup};
use crate::views::DefinitionFacts;

/// What a profile and its task definition say about the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkPlace {
    /// The subnets.
    pub subnets: Vec<String>,
    /// The security groups.
    pub groups: Vec<String>,
    /// Whether tasks get public addresses.
    pub public_ip: PublicIp,
    /// The port that the manager connects to.
    pub port: u16,
    /// The file systems that tasks mount.
    pub file_systems: Vec<String>,
}

/// The tasks of one or more profiles, as the account has their network.
#[derive(Clone, Debug)]
pub struct PlacedTasks<'a> {
    /// What the profiles say.
    pub place: NetworkPlace,
    /// Words that name the profiles; empty if these are all.
    pub suffix: String,
    /// The names of the profiles.
    pub names: Vec<Option<String>>,
    /// Those of the subnets that exist.
    pub subnets: Vec<&'a VpcSubnet>,
    /// Those of the security groups that exist.
    pub groups: Vec<&'a SecurityGroup>,
}

impl NetworkPlace {
    /// `definition` is the task definition of the profile, as far as it is known: one that somebody else made
    /// may mount file systems that no volume of the profile names.
    fn of(profile: &JobProfile, definition: Option<&DefinitionFacts>) -> Self {
        let of_volumes = profile.storage.iter().map(|volume| &volume.file_system);
        let of_definition = definition.into_iter().flat_map(|facts| &facts.file_systems);
        let mut file_systems: Vec<String> = Vec::new();
        for file_system in of_volumes.chain(of_definition) {
            if !file_systems.contains(file_system) {
                file_systems.push(file_system.clone());
            }
        }
        Self {
            subnets: profile.subnets.clone(),
            groups: profile.security_groups.clone(),
            public_ip: profile.public_ip,
            port: profile.ssh.port,
            file_systems,
        }
    }

    /// Whether tasks get public addresses.
    pub fn has_public_ip(&self) -> bool {
        self.public_ip != PublicIp::None
    }
}

impl PlacedTasks<'_> {
    /// The VPC; `None` if no subnet exists, or if they are in several.
    pub fn vpc(&self) -> Option<&str> {
        let first = self.subnets.first()?.vpc.as_str();
        self.subnets.iter().all(|subnet| subnet.vpc == first).then_some(first)
    }

    /// Those of the subnets that have addresses of IPv6 alone.
    pub fn ipv6_alone(&self) -> Vec<&VpcSubnet> {
        self.subnets.iter().copied().filter(|subnet| subnet.cidr.is_none()).collect()
    }

    /// Whether all groups exist and are in the VPC. Otherwise another check fails, and rules of groups
    /// are not judged.
    pub fn has_all_groups(&self) -> bool {
        let vpc = self.vpc();
        self.groups.len() == self.place.groups.len()
            && self.groups.iter().all(|group| vpc.is_none_or(|vpc| group.vpc == vpc))
    }
}

/// The tasks of all profiles, equal ones once.
///
/// # Errors
///
/// What a check says if subnets or groups were not read.
pub fn placed_tasks<'a>(
    needs: &JobNeeds,
    view: &'a AccountView,
) -> Result<Vec<PlacedTasks<'a>>, CheckFinding> {
    let subnets = view.network.task_subnets.or_unknown("the subnets of tasks")?;
    let groups = view.network.task_groups.or_unknown("the security groups of tasks")?;
    let need = |profile: &JobProfile| {
        let at = needs.profiles.iter().position(|it| it.name == profile.name);
        NetworkPlace::of(profile, at.and_then(|at| view.cluster.usable_definition(at)))
    };
    let place = |found: ProfileGroup<NetworkPlace>| PlacedTasks {
        suffix: found.suffix(),
        names: found.names,
        subnets: subnets.iter().filter(|it| found.need.subnets.contains(&it.id)).collect(),
        groups: groups.iter().filter(|it| found.need.groups.contains(&it.id)).collect(),
        place: found.need,
    };
    Ok(needs.merged_by(need).into_iter().map(place).collect())
}

/// What a check that follows IPv4 alone says of subnets without such addresses; `None` if there are none.
/// `question` is what it judges: "whether ...".
pub fn not_over_ipv6(subnets: &[&VpcSubnet], question: &str) -> Option<CheckFinding> {
    let found = || {
        format!(
            "{}: no addresses of IPv4, and {question} is judged over IPv4 alone",
            subnet_names(subnets)
        )
    };
    let fix = "run `fargate-runner check --probe`: a small task tries it";
    (!subnets.is_empty()).then(|| CheckFinding::unknown(found()).fix(fix))
}

/// Subnets by name, each with its zone: `subnet-0a1 (eu-west-1a), subnet-0b2 (eu-west-1b)`.
pub fn subnet_names(subnets: &[&VpcSubnet]) -> String {
    let names = subnets.iter().map(|subnet| format!("{} ({})", subnet.id, subnet.zone));
    names.collect::<Vec<_>>().join(", ")
}

/// The zones of subnets, each once: `eu-west-1a and eu-west-1b`.
pub fn zone_names(subnets: &[&VpcSubnet]) -> String {
    let mut zones: Vec<&str> = subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
    zones.sort_unstable();
    zones.dedup();
    zones.join(" and ")
}
