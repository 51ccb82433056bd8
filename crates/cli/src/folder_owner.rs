//! Whether the state folder is this user's own, and what to do where it is not.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use fargate_model::text::{escape, shell_word};
use fargate_state::{StateError, StateFolder, user_name};
use nix::unistd::geteuid;

/// Refuses a folder in which another user's jobs keep their state.
///
/// # Errors
///
/// One line that names that user.
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

/// What to do about an error for which this user's rights are the reason.
pub fn hint(error: &StateError, root: &Path) -> Option<String> {
    match error {
        StateError::Disk { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            let root = escape(&root.display().to_string());
            Some(format!("run it as the user that owns {root}"))
        }
        // To give one part of another user's folder away would only stop that one's jobs.
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
