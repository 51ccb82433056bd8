//! Who may have written a file, and whether what stands in it is believed.
//!
//! Trusted are this user and root, who can do everything anyway. It judges owners and modes; it changes
//! neither.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use fargate_model::text::{escape, shell_word};
use nix::unistd::{Gid, Group, Uid, User, geteuid};

use crate::FileError;

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
/// In a folder with this bit, only owners may remove or rename their files. Source: inode(7).
const STICKY: u32 = 0o1000;
/// A user who may not even pass through a folder can open nothing in it.
const OTHERS_PASS: u32 = 0o011;

/// Why a file or folder is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistrustedPath {
    /// Who may have written it.
    pub what: String,
    /// The command that corrects it.
    pub mend: String,
}

/// Whether others than the owner and root may write it.
///
/// A group counts as the owner if it has the owner's name and no other member. With such user
/// private groups and a umask of 002, everything that a user creates is writable for that group.
///
/// Source: adduser.conf(5), `USERGROUPS`; Debian's sshd judges files in the same way.
#[must_use]
pub fn others_may_write(metadata: &Metadata) -> bool {
    let mode = metadata.mode();
    mode & OTHERS_WRITE != 0
        || mode & GROUP_WRITES != 0 && !is_own_group(metadata.gid(), metadata.uid())
}

fn is_own_group(group: u32, owner: u32) -> bool {
    let group = Group::from_gid(Gid::from_raw(group)).ok().flatten();
    let owner = User::from_uid(Uid::from_raw(owner)).ok().flatten();
    group.zip(owner).is_some_and(|(group, owner)| {
        group.name == owner.name && group.mem.iter().all(|member| *member == owner.name)
    })
}

/// Whether it is this user or root.
#[must_use]
pub fn is_trusted_owner(owner: u32) -> bool {
    owner == 0 || owner == geteuid().as_raw()
}

/// `user NAME`, or the number if there is no name.
#[must_use]
pub fn user_name(user: Uid) -> String {
    let named = User::from_uid(user).ok().flatten();
    named.map_or_else(|| format!("user {user}"), |user| format!("user {}", escape(&user.name)))
}

fn of_another(owner: u32, mend: String) -> DistrustedPath {
    let this = match geteuid() {
        root if root.is_root() => "root".to_owned(),
        user => format!("{} or root", user_name(user)),
    };
    let what = format!(
        "it belongs to {}, and only files of {this} are trusted",
        user_name(Uid::from_raw(owner))
    );
    DistrustedPath { what, mend }
}

fn of_others(metadata: &Metadata, path: &Path) -> DistrustedPath {
    let mode = metadata.mode() & 0o7777;
    let may = if metadata.is_dir() { "take files out of it" } else { "write it" };
    let what = format!("others than its owner may {may} (mode {mode:04o})");
    DistrustedPath { what, mend: format!("chmod go-w {}", shell_word(&path.display().to_string())) }
}

fn removal(path: &Path) -> String {
    format!("rm {}", shell_word(&path.display().to_string()))
}

/// Refuses an open file that others may have written. In a folder that lets nobody else pass, its mode
/// says nothing.
///
/// # Errors
///
/// [`FileError::Distrusted`].
pub fn require_own_file(path: &Path, file: &Metadata) -> Result<(), FileError> {
    let distrusted = |why| Err(FileError::Distrusted { path: path.to_owned(), why });
    if !is_trusted_owner(file.uid()) {
        return distrusted(of_another(file.uid(), removal(path)));
    }
    let is_closed =
        |folder: Metadata| folder.mode() & OTHERS_PASS == 0 && is_trusted_owner(folder.uid());
    let folder = path.parent().map(std::fs::metadata);
    if others_may_write(file) && !folder.is_some_and(|folder| folder.is_ok_and(is_closed)) {
        return distrusted(of_others(file, path));
    }
    Ok(())
}

/// Why something that could not be opened is not trusted, if its owner is the reason: a link, a
/// pipe or a locked file of another user.
pub(crate) fn unopened(path: &Path) -> Option<FileError> {
    let owner = std::fs::symlink_metadata(path).ok()?.uid();
    let why = (!is_trusted_owner(owner)).then(|| of_another(owner, removal(path)))?;
    Some(FileError::Distrusted { path: path.to_owned(), why })
}

/// Why others may remove and rename what lies in the folder `root`, if they may.
#[must_use]
pub fn shared_with_others(root: &Path) -> Option<DistrustedPath> {
    let metadata = std::fs::metadata(root).ok()?;
    // Whoever made a link to the folder may change its target.
    let link = std::fs::symlink_metadata(root).ok()?;
    let owners = [link.uid(), metadata.uid()];
    if let Some(owner) = owners.into_iter().find(|owner| !is_trusted_owner(*owner)) {
        let path = shell_word(&root.display().to_string());
        let mend = format!("{}chown -h {} {path}", as_root(), geteuid());
        return Some(of_another(owner, mend));
    }
    let shared = others_may_write(&metadata) && metadata.mode() & STICKY == 0;
    shared.then(|| of_others(&metadata, root))
}

/// Refuses one of the folders that hold keys and locks if it is not of this user alone. They lie in a
/// state folder that everybody may write to, such as /tmp, as well.
///
/// # Errors
///
/// [`FileError::Distrusted`] if another user made it or may write it, [`FileError::Disk`] if it is
/// not there or is no folder.
pub fn require_own_folder(folder: &Path) -> Result<(), FileError> {
    let unusable = FileError::disk("using the folder", folder);
    let metadata = match std::fs::symlink_metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) => return Err(unusable(error)),
    };
    match not_ours_alone(folder, &metadata) {
        Some(why) => Err(FileError::Distrusted { path: folder.to_owned(), why }),
        None if metadata.is_dir() => Ok(()),
        None => Err(unusable(io::ErrorKind::NotADirectory.into())),
    }
}

fn not_ours_alone(folder: &Path, metadata: &Metadata) -> Option<DistrustedPath> {
    let path = shell_word(&folder.display().to_string());
    let owner = user_name(Uid::from_raw(metadata.uid()));
    if metadata.is_symlink() {
        let what = format!("it is a symbolic link of {owner}, and a folder is expected");
        return Some(DistrustedPath { what, mend: removal(folder) });
    }
    if metadata.uid() != geteuid().as_raw() {
        let this = user_name(geteuid());
        let what = format!("it belongs to {owner}, and a folder of {this} alone is expected");
        let mend = match metadata.is_dir() {
            true => format!("{}chown -h {} {path}", as_root(), geteuid()),
            false => removal(folder),
        };
        return Some(DistrustedPath { what, mend });
    }
    let shared = metadata.is_dir() && metadata.mode() & (GROUP_WRITES | OTHERS_WRITE) != 0;
    shared.then(|| {
        let mend = format!("chmod 700 {path}");
        DistrustedPath { mend, ..of_others(metadata, folder) }
    })
}

/// Only root can give files to another user.
fn as_root() -> &'static str {
    if geteuid().is_root() { "" } else { "sudo " }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_of_ones_own_is_nobody_else_and_any_other_group_is() {
        // Only the group of root exists on all systems.
        assert!(is_own_group(0, 0));
        assert!(!is_own_group(4_000_000, 0) && !is_own_group(0, 4_000_000));
    }
}
