//! Whether the policy of a file system and the task role together let tasks mount it as the volumes say.
//!
//! In one account, either policy is enough, and a denial in either wins. Source: AWS IAM User Guide, "Policy
//! evaluation logic".

use fargate_config::{StorageVolume, VolumeAccess, VolumeSeparation};
use fargate_efs::{FolderOwner, MadeAccessPoint};

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::checks::file_system::usable_file_system;
use crate::checks::file_system_policy::{ACCESS_POINT, MOUNT, NO_POINT, TLS, VIA_TARGET, WRITE};
use crate::needed_rights::AccountPlace;
use crate::policy::{PolicyAnswer, PolicyDocument, PolicyPrincipal, PolicyQuestion, answer_of};
use crate::reading::AwsReading;
use crate::views::{FileSystemView, RoleView};

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let mut findings: Vec<CheckFinding> = Vec::new();
    for profile in &input.needs.profiles {
        for volume in &profile.storage {
            let finding = one(input, volume, profile.task_role.as_deref());
            findings.extend(finding.filter(|finding| !findings.contains(finding)));
        }
    }
    findings
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
            let found =
                format!("the volume `{name}` has `iam`, and its profile has no `task_role`");
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
    let Some(point) = point_of(volume, view) else {
        return CheckFinding::pass(format!("`{name}` is judged when its access point is there"));
    };
    let tls = if volume.transit_encryption { "true" } else { "false" };
    let context = [(TLS, tls), (VIA_TARGET, "true"), (ACCESS_POINT, point.as_str())];
    let principal = arn.as_deref().map_or(PolicyPrincipal::Anonymous, PolicyPrincipal::Role);
    let shown = who.unwrap_or("everybody");
    let of_account = input.view.access.identity.known();
    let of_account =
        of_account.map(|identity| AccountPlace::new(&input.view.access.region, identity));
    let resource =
        of_account.map(|place| place.arn("elasticfilesystem", None, &format!("file-system/{id}")));
    let actions: &[&str] = if volume.read_only { &[MOUNT] } else { &[MOUNT, WRITE] };
    for action in actions {
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

/// The ARN of the access point of a volume; none, if it is the business of another check.
fn point_of(volume: &StorageVolume, view: &FileSystemView) -> Option<String> {
    let points = view.access_points.known()?;
    match volume.access() {
        VolumeAccess::Root => Some(NO_POINT.to_owned()),
        VolumeAccess::Fixed(id) => {
            points.iter().find(|point| point.id == id).map(|point| point.arn.clone())
        }
        VolumeAccess::Made(VolumeSeparation::None) => {
            let wanted = MadeAccessPoint::new(volume, FolderOwner::Everyone);
            points.iter().find(|point| wanted.is(point)).map(|point| point.arn.clone())
        }
        // Each project has its own; `efs apply` writes one statement for all of them.
        VolumeAccess::Made(VolumeSeparation::Project) => None,
    }
}

fn refused(volume: &StorageVolume, found: String) -> CheckFinding {
    let consequence = format!("tasks cannot mount the volume `{}`: EFS denies access", volume.name);
    CheckFinding::fail(found, consequence)
        .fix("let the policy of the file system name the task role")
        .command("fargate-runner efs apply")
}
