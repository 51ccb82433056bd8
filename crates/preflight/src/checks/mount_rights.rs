//! Whether the policy of a file system and the task role together let tasks mount it as the volumes say.
//!
//! In one account, either policy is enough, and a denial in either wins. Source: AWS IAM User Guide, "Policy
//! evaluation logic".

use fargate_aws::EfsAccessPoint;
use fargate_config::{StorageVolume, VolumeAccess, VolumeSeparation};
use fargate_efs::{FolderOwner, MadeAccessPoint};

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::checks::file_system::usable_file_system;
use crate::checks::file_system_policy::{ACCESS_POINT, MOUNT, NO_POINT, TLS, VIA_TARGET, WRITE};
use crate::checks::mounted_volumes::{MountedVolume, mounted_volumes};
use crate::needed_rights::AccountPlace;
use crate::policy::{PolicyAnswer, PolicyDocument, PolicyPrincipal, PolicyQuestion, answer_of};
use crate::reading::AwsReading;
use crate::views::{FileSystemView, RoleView};

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let mut findings: Vec<CheckFinding> = Vec::new();
    for mounted in mounted_volumes(input) {
        let finding = one(input, &mounted.volume, mounted.task_role);
        let finding = finding.map(|finding| with_fix_of_definition(&mounted, finding));
        findings.extend(finding.filter(|finding| !findings.contains(finding)));
    }
    findings
}

/// What to do about a volume of a task definition that somebody else made: neither the configuration nor
/// `efs apply` knows it.
fn with_fix_of_definition(mounted: &MountedVolume<'_>, finding: CheckFinding) -> CheckFinding {
    let Some(facts) = mounted.definition.filter(|_| finding.is_fail()) else { return finding };
    let fix = match mounted.volume.iam && mounted.task_role.is_none() {
        true => format!("register a revision of {} with a task role, or without `iam`", facts.name),
        false => {
            "let the policy of the file system name the task role of the definition".to_owned()
        }
    };
    let id = &mounted.volume.file_system;
    finding.fix(fix).command(format!("aws efs describe-file-system-policy --file-system-id {id}"))
}

fn one(input: CheckInput<'_>, volume: &StorageVolume, role: Option<&str>) -> Option<CheckFinding> {
    let unread = FileSystemView::default();
    let view = input.view.storage.file_systems.get(&volume.file_system).unwrap_or(&unread);
    // A file system that is not there fails in its own check.
    if view.found.known().is_some() && usable_file_system(view).is_none() {
        return None;
    }
    let (name, id) = (&volume.name, &volume.file_system);
    let subject = format!("whether tasks may mount the volume `{name}`");
    let text = match view.policy.or_unknown(&subject) {
        Ok(text) => text,
        Err(unknown) => return Some(unknown),
    };
    // Without a policy everybody is let in.
    let Some(text) = text else {
        return Some(CheckFinding::pass(format!("{id} has no policy, so it lets in everybody")));
    };
    let document = match PolicyDocument::read(text) {
        Ok(document) => document,
        Err(why) => return Some(CheckFinding::unknown(format!("{subject}: its policy: {why}"))),
    };
    let who = match (volume.iam, role) {
        (false, _) => None,
        (true, Some(role)) => Some(role),
        (true, None) => {
            let found = format!(
                "the volume `{name}` is mounted with `iam`, and its tasks have no task role"
            );
            return Some(
                refused(volume, found).fix("give the profile a `task_role`, or set `iam = false`"),
            );
        }
    };
    Some(judged(input, volume, view, &document, who))
}

fn judged(
    input: CheckInput<'_>,
    volume: &StorageVolume,
    view: &FileSystemView,
    document: &PolicyDocument,
    who: Option<&str>,
) -> CheckFinding {
    let (name, id) = (&volume.name, &volume.file_system);
    let subject = format!("whether tasks may mount the volume `{name}`");
    let unread = RoleView::default();
    let role = who.map(|who| input.view.access.role(who).unwrap_or(&unread));
    let arn = role.and_then(|role| Some(role.role.known()?.as_ref()?.arn.clone()));
    if let (Some(role), None) = (role, &arn) {
        return match role.role.or_unknown(&subject) {
            Err(unknown) => unknown,
            // One that is not there fails in its own check.
            Ok(_) => CheckFinding::pass(format!("`{name}` is judged when its task role is there")),
        };
    }
    let points = match points_of(volume, view) {
        Ok(points) => points,
        Err(failed) => {
            let unknown = failed.or_unknown(&subject).err();
            return unknown.unwrap_or_else(|| CheckFinding::unknown(subject));
        }
    };
    if points.is_empty() {
        return without_point(volume);
    }
    let tls = if volume.transit_encryption { "true" } else { "false" };
    let principal = arn.as_deref().map_or(PolicyPrincipal::Anonymous, PolicyPrincipal::Role);
    let shown = who.unwrap_or("everybody");
    let of_account = input.view.access.identity.known();
    let of_account =
        of_account.map(|identity| AccountPlace::new(&input.view.access.region, identity));
    let resource =
        of_account.map(|place| place.arn("elasticfilesystem", None, &format!("file-system/{id}")));
    let actions: &[&str] = if volume.read_only { &[MOUNT] } else { &[MOUNT, WRITE] };
    for (point, action) in
        points.iter().flat_map(|point| actions.iter().map(move |action| (point, *action)))
    {
        let context = [(TLS, tls), (VIA_TARGET, "true"), (ACCESS_POINT, point.as_str())];
        let question = PolicyQuestion { principal, action, resource: None, context: &context };
        match answer_of([document], question) {
            PolicyAnswer::Allowed => continue,
            PolicyAnswer::Denied => {
                let found = format!("the policy of {id} denies {shown} {action}");
                return refused(volume, found).fix("take the statement away that denies it");
            }
            PolicyAnswer::Unclear(why) => {
                return CheckFinding::unknown(format!("{subject}: {why}"));
            }
            PolicyAnswer::Silent => {}
        }
        // The policy of a file system names no other one; the policies of a role may.
        match own_answer(role, action, resource.as_deref(), &context) {
            Ok(PolicyAnswer::Allowed) => {}
            Ok(PolicyAnswer::Unclear(why)) => {
                return CheckFinding::unknown(format!("{subject}: {why}"));
            }
            Ok(_) => {
                let found =
                    format!("neither the policy of {id} nor its own lets {shown} call {action}");
                return refused(volume, found);
            }
            Err(failed) => {
                return failed
                    .or_unknown(&subject)
                    .err()
                    .unwrap_or_else(|| CheckFinding::unknown(subject));
            }
        }
    }
    CheckFinding::pass(format!("{shown} may mount `{name}` of {id}"))
}

/// What the role's own policies say; nothing, for a mount without a role.
///
/// # Errors
///
/// The reading of the policies, if they are not known.
fn own_answer(
    role: Option<&RoleView>,
    action: &str,
    resource: Option<&str>,
    context: &[(&str, &str)],
) -> Result<PolicyAnswer, AwsReading<()>> {
    let Some(role) = role else { return Ok(PolicyAnswer::Silent) };
    let Some(policies) = role.policies.known() else {
        return Err(role.policies.failed().unwrap_or_default());
    };
    let read = policies.iter().map(|policy| PolicyDocument::read(&policy.text));
    let documents: Vec<PolicyDocument> = match read.collect() {
        Ok(documents) => documents,
        Err(why) => return Ok(PolicyAnswer::Unclear(format!("a policy of the role: {why}"))),
    };
    let principal = PolicyPrincipal::OfIdentity;
    Ok(answer_of(&documents, PolicyQuestion { principal, action, resource, context }))
}

/// What is said of a volume that has no access point yet.
fn without_point(volume: &StorageVolume) -> CheckFinding {
    let name = &volume.name;
    match volume.access() {
        // Which projects have jobs is not known, so no other check misses the access point.
        VolumeAccess::Made(VolumeSeparation::Project) => CheckFinding::unknown(format!(
            "whether tasks may mount the volume `{name}`: no project has an access point yet"
        ))
        .fix("make those of a project, and run the check again")
        .command("fargate-runner efs apply --project GROUP/PROJECT"),
        VolumeAccess::Root | VolumeAccess::Fixed(_) | VolumeAccess::Made(_) => {
            CheckFinding::pass(format!("`{name}` is judged when its access point is there"))
        }
    }
}

/// The ARNs of the access points of a volume. One that is missing is the business of another check.
///
/// # Errors
///
/// The reading of the access points, if they are not known.
fn points_of(volume: &StorageVolume, view: &FileSystemView) -> Result<Vec<String>, AwsReading<()>> {
    if volume.access() == VolumeAccess::Root {
        return Ok(vec![NO_POINT.to_owned()]);
    }
    let Some(points) = view.access_points.known() else {
        return Err(view.access_points.failed().unwrap_or_default());
    };
    let is_meant = |point: &EfsAccessPoint| match volume.access() {
        VolumeAccess::Root => false,
        VolumeAccess::Fixed(id) => point.id == id,
        VolumeAccess::Made(VolumeSeparation::None) => {
            MadeAccessPoint::new(volume, FolderOwner::Everyone).is(point)
        }
        // Each project has its own.
        VolumeAccess::Made(VolumeSeparation::Project) => {
            MadeAccessPoint::of_some_project(volume, point).is_some()
        }
    };
    Ok(points.iter().filter(|point| is_meant(point)).map(|point| point.arn.clone()).collect())
}

fn refused(volume: &StorageVolume, found: String) -> CheckFinding {
    let consequence = format!("tasks cannot mount the volume `{}`: EFS denies access", volume.name);
    CheckFinding::fail(found, consequence)
        .fix("let the policy of the file system name the task role")
        .command("fargate-runner efs apply")
}
