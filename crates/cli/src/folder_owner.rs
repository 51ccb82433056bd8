//! Tells whether the state folder belongs to this user, and what to do if it does not.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use fargate_model::text::{escape, shell_word};
use fargate_state::{StateError, StateFolder, user_name};
use nix::unistd::geteuid;

/// Refuses a state folder of another user, whose jobs use it.
///
/// # Errors
///
/// If the folder belongs to another user; the line names that user.
pub fn by_this_user(root: &Path) -> Result<(), String> {
    match StateFolder::owned_by_another(root) {
        None => Ok(()),
        Some(owner) => Err(format!(
            "the state folder {} belongs to {}, and this is {}: run it as the user that owns it",
            escape(&root.display().to_string()),
            user_name(owner),
            user_name(geteuid())
        )),
    }
}

/// What to do about an error, if the reason is that this user lacks rights.
pub fn hint(error: &StateError, root: &Path) -> Option<String> {
    match error {
        StateError::Disk { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            let root = escape(&root.display().to_string());
            Some(format!("run it as the user that owns {root}"))
        }
        // In another user's folder, a part that changes its owner would stop that user's jobs.
        StateError::Distrusted { path, .. } if path != root && is_of_another(root) => {
            let root = escape(&root.display().to_string());
            Some(format!("run it as the user that owns {root}"))
        }
        StateError::Distrusted { path, why } => {
            let path = shell_word(&path.display().to_string());
            Some(format!("look at it with `ls -ld {path}`, then `{}`", why.mend))
        }
        _ => None,
    }
}

fn is_of_another(root: &Path) -> bool {
    std::fs::metadata(root).is_ok_and(|metadata| metadata.uid() != geteuid().as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_missing_rights_are_mended_by_another_user() {
        let line = |source: std::io::Error| {
            let path = "/s/jobs".into();
            hint(&StateError::Disk { doing: "using the folder", path, source }, Path::new("/s"))
        };
        for number in [nix::libc::EACCES, nix::libc::EPERM] {
            let said = line(std::io::Error::from_raw_os_error(number));
            assert_eq!(said.as_deref(), Some("run it as the user that owns /s"));
        }
        for number in [nix::libc::ENOSPC, nix::libc::EROFS, nix::libc::ENOTDIR] {
            assert_eq!(line(std::io::Error::from_raw_os_error(number)), None);
        }
        let held = StateError::Held { path: "/s/locks/paused".into() };
        assert_eq!(hint(&held, Path::new("/s")), None);
    }
}
