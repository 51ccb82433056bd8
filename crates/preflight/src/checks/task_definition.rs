//! Whether a profile's task definition can start a task on Fargate.

use fargate_config::{DefinitionSource, JobProfile};
use fargate_model::size::FargateSize;

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::checks::by_profile::by_profile;
use crate::views::{DefinitionFacts, DefinitionReading};

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    by_profile(input, |profile, definition| Some(one(profile, definition)))
}

fn one(profile: &JobProfile, definition: &DefinitionReading) -> CheckFinding {
    let facts = match definition.or_unknown("the task definition") {
        Ok(Ok(facts)) => facts,
        Ok(Err(why)) => return failed(profile, why),
        Err(unknown) => return unknown,
    };
    let problems = problems(profile, facts);
    if !problems.is_empty() {
        return failed(profile, &format!("{}: {}", facts.name, problems.join("; ")));
    }
    match (profile.definition(), size_of(profile, facts)) {
        (_, Err(why)) => failed(profile, &format!("{}: {why}", facts.name)),
        (DefinitionSource::Fixed(_), Ok(size)) => {
            CheckFinding::pass(format!("{} is active, {size}", facts.name))
        }
        (DefinitionSource::Derived(_), Ok(size)) => {
            let template = &profile.task_definition_template;
            CheckFinding::pass(format!("the template `{template}` is valid, {size}"))
        }
    }
}

/// The size of a profile's tasks: its own, else that of the definition.
///
/// # Errors
///
/// What is wrong with it, in words.
pub(crate) fn size_of(
    profile: &JobProfile,
    facts: &DefinitionFacts,
) -> Result<FargateSize, String> {
    let own = |cpu: Option<u32>, memory: Option<u32>| {
        DefinitionFacts { cpu, memory, ..DefinitionFacts::default() }.size()
    };
    match profile.definition() {
        DefinitionSource::Derived(_) => facts.size(),
        DefinitionSource::Fixed(_) => {
            own(profile.cpu_units.or(facts.cpu), profile.memory_mib.or(facts.memory))
        }
    }
}

fn problems(profile: &JobProfile, facts: &DefinitionFacts) -> Vec<String> {
    let mut found = Vec::new();
    if !facts.is_active {
        found.push("it is inactive, so no task is started from it".to_owned());
    }
    if !facts.is_for_fargate {
        found.push("Fargate does not run it: `requiresCompatibilities` has no FARGATE".to_owned());
    }
    if facts.network_mode != "awsvpc" {
        found.push(format!("its network mode is `{}`; Fargate needs awsvpc", facts.network_mode));
    }
    if !facts.containers.contains(&profile.container) {
        let others = match facts.containers.is_empty() {
            true => "none at all".to_owned(),
            false => facts.containers.join(", "),
        };
        found.push(format!("it has no container `{}`; it has {others}", profile.container));
    }
    if !["X86_64", "ARM64"].contains(&facts.architecture.as_str()) {
        found.push(format!("Fargate has no processor `{}`", facts.architecture));
    }
    found
}

fn failed(profile: &JobProfile, found: &str) -> CheckFinding {
    let finding = CheckFinding::fail(found, "no task can be started from the task definition");
    match profile.definition() {
        DefinitionSource::Fixed(name) => finding
            .fix("correct `task_definition`, or register a revision that Fargate runs")
            .command(format!("aws ecs describe-task-definition --task-definition {name}")),
        DefinitionSource::Derived(_) => finding
            .fix("correct the template or the keys of the profile")
            .command("fargate-runner task-definition render"),
    }
}
