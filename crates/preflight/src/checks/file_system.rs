//! Whether the file systems that tasks mount are there.

use fargate_aws::{EFS_AVAILABLE, EfsFileSystem};

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::views::FileSystemView;

/// The file system, if tasks can mount it.
pub(crate) fn usable_file_system(view: &FileSystemView) -> Option<&EfsFileSystem> {
    view.found.known()?.as_ref().filter(|found| found.state == EFS_AVAILABLE)
}

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let region = &input.view.access.region;
    let systems = input.view.storage.file_systems.iter();
    systems
        .map(|(id, view)| {
            let consequence = format!("tasks cannot mount {id}, so they stop before they start");
            match view.found.or_unknown(&format!("the file system {id}")) {
                Err(unknown) => unknown,
                Ok(Some(found)) if found.state == EFS_AVAILABLE => {
                    CheckFinding::pass(format!("{id} is available"))
                }
                Ok(Some(found)) => {
                    let finding =
                        CheckFinding::fail(format!("{id} is {}", found.state), consequence);
                    finding.fix("wait until it is available, or make it again")
                }
                Ok(None) => {
                    let found = format!("{region} has no file system {id}");
                    CheckFinding::fail(found, consequence)
                        .fix("correct `file_system` of the volume, or `region`")
                        .command("aws efs describe-file-systems")
                }
            }
        })
        .collect()
}
