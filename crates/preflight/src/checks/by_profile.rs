//! Puts the findings of several profiles together: what is said of all is said once.

use fargate_config::JobProfile;

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::job_needs::ProfileGroup;
use crate::views::{DefinitionFacts, DefinitionReading};

/// Judges each profile with its task definition. `None` says nothing of a profile.
pub(crate) fn by_profile(
    input: CheckInput<'_>,
    judge: impl Fn(&JobProfile, &DefinitionReading) -> Option<CheckFinding>,
) -> Vec<CheckFinding> {
    let unread = DefinitionReading::default();
    let mut groups: Vec<ProfileGroup<CheckFinding>> = Vec::new();
    for (at, profile) in input.needs.profiles.iter().enumerate() {
        let definition = input.view.cluster.definitions.get(at).unwrap_or(&unread);
        let Some(need) = judge(profile, definition) else { continue };
        match groups.iter_mut().find(|group| group.need == need) {
            Some(group) => group.names.push(profile.name.clone()),
            None => {
                let names = vec![profile.name.clone()];
                groups.push(ProfileGroup { names, is_all: false, need });
            }
        }
    }
    let all = input.needs.profiles.len();
    let finding = |mut group: ProfileGroup<CheckFinding>| {
        group.is_all = group.names.len() == all;
        let suffix = group.suffix();
        CheckFinding { found: format!("{}{suffix}", group.need.found), ..group.need }
    };
    groups.into_iter().map(finding).collect()
}

/// The definition of a profile, if it can be used: one that cannot is the business of another check.
///
/// # Errors
///
/// What a check says if it is not known.
pub(crate) fn usable(
    definition: &DefinitionReading,
) -> Result<Option<&DefinitionFacts>, CheckFinding> {
    Ok(definition.or_unknown("the task definition")?.as_ref().ok())
}

/// Whether a profile has a definition that cannot be used: what depends on it is not judged.
pub(crate) fn has_failed_definition(input: CheckInput<'_>) -> bool {
    let definitions = &input.view.cluster.definitions;
    definitions.iter().any(|found| found.known().is_some_and(Result::is_err))
}
