//! Whether each file system has a mount target in every zone in which tasks run, in their VPC.
//!
//! A name of EFS leads a task to the mount target of its own zone, and to none if there is none. In another VPC
//! it leads nowhere. Source: Amazon EFS User Guide, "Mounting with DNS names".

use std::collections::BTreeSet;

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::checks::by_profile::usable;
use crate::checks::file_system::usable_file_system;
use crate::views::DefinitionReading;

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let systems = input.view.storage.file_systems.iter();
    // One that is not there fails in its own check.
    let usable = systems
        .filter(|(_, view)| view.found.known().is_none() || usable_file_system(view).is_some());
    usable.flat_map(|(id, _)| one(input, id)).collect()
}

fn one(input: CheckInput<'_>, id: &str) -> Vec<CheckFinding> {
    let targets =
        match input.view.storage.mount_targets.or_unknown(&format!("the mount targets of {id}")) {
            Ok(targets) => targets,
            Err(unknown) => return vec![unknown],
        };
    let subnets = subnets_mounting(input, id);
    let places = match input
        .view
        .network
        .task_subnets
        .or_unknown(&format!("the zones of the tasks that mount {id}"))
    {
        Ok(places) => places,
        Err(unknown) => return vec![unknown],
    };
    // A subnet that is not there fails in its own check.
    let mounting = || places.iter().filter(|place| subnets.contains(&place.id));
    let used: BTreeSet<&str> = mounting().map(|place| place.zone.as_str()).collect();
    let vpcs: BTreeSet<&str> = mounting().map(|place| place.vpc.as_str()).collect();
    let all = || targets.iter().filter(|target| target.file_system == id);
    let elsewhere: BTreeSet<&str> = all()
        .filter_map(|target| target.vpc.as_deref())
        .filter(|vpc| !vpcs.is_empty() && !vpcs.contains(vpc))
        .collect();
    let own: BTreeSet<&str> = all()
        .filter(|target| target.vpc.as_deref().is_none_or(|vpc| !elsewhere.contains(vpc)))
        .map(|target| target.zone.as_str())
        .collect();
    let missing: Vec<&str> = used.difference(&own).copied().collect();
    if missing.is_empty() {
        let zones: Vec<&str> = used.into_iter().collect();
        return vec![CheckFinding::pass(format!("{id} has one in {}", zones.join(", ")))];
    }
    if !elsewhere.is_empty() {
        return vec![in_another_vpc(id, &elsewhere, &vpcs)];
    }
    let zones = missing.join(", ");
    let consequence =
        format!("EFS has no mount target in {zones}, so tasks stop there before they start");
    vec![
        CheckFinding::fail(format!("{id} has none in {zones}"), consequence)
            .fix("make one, or leave the subnets of that zone out of `subnets`")
            .command("fargate-runner efs apply"),
    ]
}

/// All mount targets of a file system are in one VPC.
fn in_another_vpc(id: &str, elsewhere: &BTreeSet<&str>, vpcs: &BTreeSet<&str>) -> CheckFinding {
    let words = |vpcs: &BTreeSet<&str>| vpcs.iter().copied().collect::<Vec<_>>().join(", ");
    let (there, here) = (words(elsewhere), words(vpcs));
    CheckFinding::fail(
        format!("{id} has its mount targets in {there}, and tasks run in {here}"),
        format!("no name of {id} leads anywhere in {here}, so tasks stop before they start"),
    )
    .fix(format!("name subnets of {there} in `subnets`, or a file system of {here}"))
    .command(format!("aws efs describe-mount-targets --file-system-id {id}"))
}

/// The subnets of the tasks that mount a file system.
fn subnets_mounting(input: CheckInput<'_>, id: &str) -> BTreeSet<String> {
    let unread = DefinitionReading::default();
    let profiles = input.needs.profiles.iter().enumerate().filter(|(at, profile)| {
        let definition = input.view.cluster.definitions.get(*at).unwrap_or(&unread);
        let of_definition = usable(definition).ok().flatten();
        profile.storage.iter().any(|volume| volume.file_system == id)
            || of_definition.is_some_and(|facts| facts.file_systems.iter().any(|found| found == id))
    });
    profiles.flat_map(|(_, profile)| profile.subnets.iter().cloned()).collect()
}
