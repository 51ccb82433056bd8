//! Whether each volume has the access point that tasks mount it through, with the folder and the user that the
//! configuration asks for.

use fargate_aws::{EFS_AVAILABLE, EfsAccessPoint};
use fargate_config::{
    JobProfile, RefBinding, StorageVolume, VolumeAccess, VolumeSeparation, is_one_project,
};
use fargate_efs::{FolderOwner, MadeAccessPoint, ProtectionLevel};

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::checks::file_system::usable_file_system;
use crate::checks::mounted_volumes::{MountedVolume, mounted_volumes};
use crate::views::FileSystemView;

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let mut findings: Vec<CheckFinding> = Vec::new();
    for mounted in mounted_volumes(input) {
        let finding = one(input, &mounted);
        // The same volume in several profiles is said once.
        findings.extend(finding.filter(|finding| !findings.contains(finding)));
    }
    findings
}

fn one(input: CheckInput<'_>, mounted: &MountedVolume<'_>) -> Option<CheckFinding> {
    let volume: &StorageVolume = &mounted.volume;
    let name = &volume.name;
    let unread = FileSystemView::default();
    let view = input.view.storage.file_systems.get(&volume.file_system).unwrap_or(&unread);
    // A file system that is not there fails in its own check.
    if view.found.known().is_some() && usable_file_system(view).is_none() {
        return None;
    }
    if volume.access() == VolumeAccess::Root {
        let place = match (&mounted.definition, volume.folder.as_str()) {
            (Some(_), folder) if folder != "/" => format!("the folder {folder}"),
            _ => "the root".to_owned(),
        };
        return Some(CheckFinding::pass(format!(
            "the volume `{name}` is {place} of its file system"
        )));
    }
    let points =
        match view.access_points.or_unknown(&format!("the access point of the volume `{name}`")) {
            Ok(points) => points,
            Err(unknown) => return Some(unknown),
        };
    Some(match volume.access() {
        VolumeAccess::Root => return None,
        VolumeAccess::Fixed(id) => fixed(mounted, id, points),
        VolumeAccess::Made(_) => made(mounted.profile, volume, points),
    })
}

fn fixed(mounted: &MountedVolume<'_>, id: &str, points: &[EfsAccessPoint]) -> CheckFinding {
    let (name, file_system) = (&mounted.volume.name, &mounted.volume.file_system);
    let fail = |found: String| {
        let finding = CheckFinding::fail(found, format!("tasks cannot mount the volume `{name}`"));
        match mounted.definition {
            None => finding.fix(
                "correct `access_point` of the volume, or leave it out and let `efs apply` make one",
            ),
            Some(facts) => finding
                .fix(format!(
                    "register a revision of {} with an access point that is there",
                    facts.name
                ))
                .command(format!("aws efs describe-access-points --file-system-id {file_system}")),
        }
    };
    match points.iter().find(|point| point.id == id) {
        None => fail(format!("{file_system} has no access point {id}")),
        Some(point) if point.state != EFS_AVAILABLE => fail(format!("{id} is {}", point.state)),
        Some(point) => match point.shape.user {
            Some((0, _)) => CheckFinding::warn(format!(
                "{id} lets every job act as root in {} of {file_system}",
                point.shape.root
            ))
            .fix("make an access point with a user that is not root"),
            Some((uid, gid)) => {
                let root = &point.shape.root;
                CheckFinding::pass(format!(
                    "`{name}`: {id} is {root} of {file_system}, as {uid}:{gid}"
                ))
            }
            None => CheckFinding::pass(format!(
                "`{name}`: {id} is {} of {file_system}; each job acts as its own user",
                point.shape.root
            )),
        },
    }
}

/// The access points that `efs apply` makes.
fn made(profile: &JobProfile, volume: &StorageVolume, points: &[EfsAccessPoint]) -> CheckFinding {
    let name = &volume.name;
    let owners = owners(profile, volume);
    if owners.is_empty() {
        return CheckFinding::pass(format!(
            "`{name}`: no project is named, so each job looks for that of its project"
        ));
    }
    let mut problems = Vec::new();
    let mut projects: Vec<&str> = Vec::new();
    for owner in &owners {
        let wanted = MadeAccessPoint::new(volume, owner.clone());
        let ready = |point: &&EfsAccessPoint| wanted.is(point) && point.state == EFS_AVAILABLE;
        match points.iter().filter(ready).count() {
            1 => continue,
            0 => problems.push(absent(&wanted, points)),
            count => problems.push(format!("{count} access points for {owner}, and none is taken")),
        }
        if let FolderOwner::Project { project, .. } = owner {
            projects.push(project);
        }
    }
    if problems.is_empty() {
        return CheckFinding::pass(format!("`{name}` has all {} that it needs", owners.len()));
    }
    projects.dedup();
    let projects: String = projects.iter().map(|project| format!(" --project {project}")).collect();
    CheckFinding::fail(
        format!("the volume `{name}`: {}", problems.join("; ")),
        format!("tasks cannot mount the volume `{name}`"),
    )
    .fix("make it with an administrator's credentials")
    .command(format!("fargate-runner efs apply{projects}"))
}

/// Why there is none, in words.
fn absent(wanted: &MadeAccessPoint, points: &[EfsAccessPoint]) -> String {
    let (owner, root) = (&wanted.owner, wanted.root());
    if let Some(point) = points.iter().find(|point| wanted.is(point)) {
        return format!("{} for {owner} is {}", point.id, point.state);
    }
    if let Some(point) = points.iter().find(|point| wanted.has_our_tags(point)) {
        let shape = &point.shape;
        let user = shape.user.map_or("its own".to_owned(), |(uid, gid)| format!("{uid}:{gid}"));
        return format!(
            "{} for {owner} is {} as {user}, where {root} and the user of the volume are expected",
            point.id, shape.root
        );
    }
    format!("no access point for {owner} ({root})")
}

/// For whom access points are needed, as far as the configuration names projects.
fn owners(profile: &JobProfile, volume: &StorageVolume) -> Vec<FolderOwner> {
    if volume.access() == VolumeAccess::Made(VolumeSeparation::None) {
        return vec![FolderOwner::Everyone];
    }
    let projects = profile.projects.iter().filter(|pattern| is_one_project(pattern));
    let levels = ProtectionLevel::ALL
        .into_iter()
        .filter(|level| *level == ProtectionLevel::Protected || profile.refs == RefBinding::Any);
    let levels: Vec<ProtectionLevel> = levels.collect();
    projects
        .flat_map(|project| {
            levels.iter().map(|protection| FolderOwner::Project {
                project: project.to_lowercase(),
                protection: *protection,
            })
        })
        .collect()
}
