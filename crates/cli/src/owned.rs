//! Whether the state folder is this user's own, and what to do where it is not.

use std::io::ErrorKind;
use std::path::Path;

use fargate_driver::state::{Folder, StateError};
use fargate_model::text::escape;
use nix::unistd::{Uid, User, geteuid};

/// Refuses a folder in which another user's jobs keep their state.
///
/// # Errors
///
/// One line that names that user.
pub fn by_this_user(root: &Path) -> Result<(), String> {
    match Folder::owned_by_another(root) {
        None => Ok(()),
        Some(owner) => Err(format!(
            "the state folder {} belongs to {}, and this is {}: run it as the user that owns it",
            escape(&root.display().to_string()),
            name(owner),
            name(geteuid())
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
        _ => None,
    }
}

/// The user's name, else the number.
fn name(user: Uid) -> String {
    let named = User::from_uid(user).ok().flatten();
    named.map_or_else(|| format!("user {user}"), |user| format!("user {}", escape(&user.name)))
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
