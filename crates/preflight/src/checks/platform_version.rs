//! Whether the platform version can run what a profile asks for. AWS has no call that lists versions.
//!
//! Source: Amazon ECS Developer Guide, "Fargate platform versions": 1.4.0 is the newest one for Linux, and
//! LATEST is that one.

use fargate_config::{JobProfile, TaskArchitecture};

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::checks::by_profile::by_profile;
use crate::views::DefinitionReading;

const LATEST: &str = "LATEST";
const NEWEST: &str = "1.4.0";
/// The most CPU units that older versions have.
const OLD_CPU: u32 = 4096;

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    by_profile(input, |profile, definition| {
        let version = profile.platform_version.as_deref().unwrap_or(LATEST);
        Some(match version {
            LATEST | NEWEST => CheckFinding::pass(version),
            old => old_version(old, profile, definition),
        })
    })
}

fn old_version(
    version: &str,
    profile: &JobProfile,
    definition: &DefinitionReading,
) -> CheckFinding {
    let facts = definition.known().and_then(|found| found.as_ref().ok());
    let cpu = profile.cpu_units.or(facts.and_then(|facts| facts.cpu)).unwrap_or_default();
    let reasons = [
        (
            "EFS",
            !profile.storage.is_empty()
                || facts.is_some_and(|facts| !facts.file_systems.is_empty()),
        ),
        ("more than 4 vCPU", cpu > OLD_CPU),
        ("a disk of its own size", facts.is_some_and(|facts| facts.disk_gib.is_some())),
        ("ARM on Spot", profile.architecture == TaskArchitecture::Arm64),
    ];
    let needs: Vec<&str> = reasons.iter().filter(|(_, is)| *is).map(|(what, _)| *what).collect();
    let fix = format!("leave out `platform_version`, or set it to \"{NEWEST}\"");
    if needs.is_empty() {
        return CheckFinding::unknown(format!("nobody can ask AWS whether it still has {version}"))
            .fix(fix);
    }
    let found = format!("platform version {version} has no {}", needs.join(", no "));
    CheckFinding::fail(found, "ECS refuses to start a task").fix(fix)
}
