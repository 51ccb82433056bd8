//! Who may have written what steers this host. A state folder may lie where others write as well, so
//! nothing in it is believed that another user may have made: neither who this host is (`owner`,
//! `machine`), nor that it takes no jobs (`paused`), nor a job's record.
//!
//! Trusted are this user and root, who can do everything anyway. Whoever owns the folder is this user:
//! commands refuse the folder of another one before they read a file in it.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fargate_model::text::{escape, shell_word};
use nix::unistd::{Gid, Group, Uid, User, geteuid};

use super::folder::PARTS;
use super::{StateError, StateFolder};

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
/// Names in such a folder are removed and changed by their owners only. Source: inode(7).
const STICKY: u32 = 0o1000;
/// Who may not even pass through a folder can open nothing in it.
const OTHERS_PASS: u32 = 0o011;

/// Why a file or a folder is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistrustedPath {
    /// Who may have written it.
    pub what: String,
    /// The command that mends it.
    pub mend: String,
}

/// True if others than its owner and root may write it. A group of the owner's own name without
/// further members is the owner, as user private groups are: with a umask of 002 all that such a user
/// makes may be written by that group.
///
/// Source: adduser.conf(5), `USERGROUPS`; Debian's sshd judges files by the same thought.
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

/// True for this user and root.
#[must_use]
pub fn is_trusted_owner(owner: u32) -> bool {
    owner == 0 || owner == geteuid().as_raw()
}

/// `user NAME`, else with the number.
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
        "it belongs to {}, and only what {this} has made is believed",
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
/// [`StateError::Distrusted`].
pub(super) fn require_own_file(path: &Path, file: &Metadata) -> Result<(), StateError> {
    let distrusted = |why| Err(StateError::Distrusted { path: path.to_owned(), why });
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

/// Why something that could not be opened is not believed, if its owner is the reason: a link, a pipe
/// or a locked file of another user.
pub(super) fn unopened(path: &Path) -> Option<StateError> {
    let owner = std::fs::symlink_metadata(path).ok()?.uid();
    let why = (!is_trusted_owner(owner)).then(|| of_another(owner, removal(path)))?;
    Some(StateError::Distrusted { path: path.to_owned(), why })
}

impl StateFolder {
    /// Why others may remove and rename what lies in the folder, if they may. Each file is looked at
    /// when it is read, so that this alone does no harm to a job; but who takes all records away makes
    /// each task look like one that no job needs.
    #[must_use]
    pub fn shared_with_others(root: &Path) -> Option<DistrustedPath> {
        let metadata = std::fs::metadata(root).ok()?;
        // Who made a link to it may lead it elsewhere.
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

    /// The first folder in it that this user cannot trust, and why: with it no job is prepared.
    #[must_use]
    pub fn distrusted_part(root: &Path) -> Option<(PathBuf, DistrustedPath)> {
        PARTS.into_iter().find_map(|part| match require_own_folder(&root.join(part)) {
            Err(StateError::Distrusted { path, why }) => Some((path, why)),
            _ => None,
        })
    }

    /// Refuses a folder of which others may take all records away.
    pub(super) fn require_unshared(root: &Path) -> Result<(), StateError> {
        match Self::shared_with_others(root) {
            None => Ok(()),
            Some(why) => Err(StateError::Distrusted { path: root.to_owned(), why }),
        }
    }
}

/// Refuses one of the folders that hold keys and locks if it is not of this user alone. They lie in a
/// state folder that everybody may write to, such as /tmp, as well.
///
/// # Errors
///
/// [`StateError::Distrusted`] if another user made it or may write it, [`StateError::Disk`] if it is
/// not there or is no folder.
pub(super) fn require_own_folder(folder: &Path) -> Result<(), StateError> {
    let unusable = StateError::disk("using the folder", folder);
    let metadata = match std::fs::symlink_metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) => return Err(unusable(error)),
    };
    match not_ours_alone(folder, &metadata) {
        Some(why) => Err(StateError::Distrusted { path: folder.to_owned(), why }),
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

/// Only root gives files to another user.
fn as_root() -> &'static str {
    if geteuid().is_root() { "" } else { "sudo " }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};

    use super::*;
    use crate::state::{JobAdmission, atomic, empty_folder};

    /// The user that nobody is.
    const NOBODY: u32 = 65534;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn is_root() -> bool {
        if !geteuid().is_root() {
            println!("SKIPPED: only root can make files of another user");
        }
        geteuid().is_root()
    }

    /// Each file that steers this host, with what a stranger would like to stand in it.
    const STEERING: [(&str, &str); 3] = [
        ("owner", "host-of-a-stranger"),
        ("machine", "0000"),
        ("paused", r#"{"hold":"pause","who":"stranger","since_unix_s":1}"#),
    ];

    fn is_believed(folder: &StateFolder, file: &str) -> bool {
        match file {
            "owner" => folder.owner(None).is_ok_and(|own| own.owner.as_str().contains("stranger")),
            // What it says is compared only where something tells machines apart.
            "machine" => atomic::read(&folder.root().join(file)).is_ok_and(|text| text.is_some()),
            _ => folder.intake() != JobAdmission::Open,
        }
    }

    #[test]
    fn what_others_may_write_steers_nothing_unless_they_cannot_reach_it() {
        let (root, folder) = empty_folder();
        for (file, text) in STEERING {
            let path = root.path().join(file);
            fs::write(&path, text).unwrap();
            for (of_folder, of_file, believed) in [
                (0o755, 0o600, true),
                (0o755, 0o644, true),
                (0o755, 0o666, false),
                (0o1777, 0o646, false),
                (0o711, 0o606, false),
                (0o700, 0o666, true),
            ] {
                set_mode(root.path(), of_folder);
                set_mode(&path, of_file);
                let seen = is_believed(&folder, file);
                assert_eq!(seen, believed, "{file} {of_file:o} in {of_folder:o}");
            }
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn what_another_user_made_steers_nothing_whatever_it_is() {
        if !is_root() {
            return;
        }
        let (root, folder) = empty_folder();
        set_mode(root.path(), 0o1777);
        let elsewhere = root.path().join("elsewhere");
        for (file, text) in STEERING {
            let path = root.path().join(file);
            fs::write(&elsewhere, text).unwrap();
            let put: [fn(&Path, &str, &Path); 4] = [
                |path, text, _| fs::write(path, text).unwrap(),
                |path, text, _| {
                    fs::write(path, text).unwrap();
                    set_mode(path, 0);
                },
                |path, _, elsewhere| symlink(elsewhere, path).unwrap(),
                |path, _, _| {
                    let mode = nix::sys::stat::Mode::from_bits_truncate(0o666);
                    nix::unistd::mkfifo(path, mode).unwrap();
                },
            ];
            for put in put {
                put(&path, text, &elsewhere);
                lchown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
                assert!(!is_believed(&folder, file), "{file}");
                fs::remove_file(&path).unwrap();
            }
            // Root's own is believed, as whoever looks after a host may write it.
            fs::write(&path, text).unwrap();
            assert!(is_believed(&folder, file), "{file}");
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn the_words_name_the_owner_or_the_mode_and_what_mends_it() {
        let (root, folder) = empty_folder();
        let owner = root.path().join("owner");
        fs::write(&owner, "host-1").unwrap();
        set_mode(&owner, 0o646);
        set_mode(root.path(), 0o755);
        let told = || {
            let error = folder.owner(None).unwrap_err();
            let why = error.why();
            let text = format!("{error}\n{}", why.block(fargate_model::cause::ColourMode::Off));
            text.replace(&root.path().display().to_string(), "ROOT")
        };
        insta::assert_snapshot!(told(), @r#"
    not using ROOT/owner: others than its owner may write it (mode 0646)
    error: another user may have written ROOT/owner
      ROOT/owner: "others than its owner may write it (mode 0646)"
      Fix: look at it with `ls -ld ROOT/owner`, then mend it
        chmod go-w ROOT/owner
    "#);
        if is_root() {
            chown(&owner, Some(4_000_000), None).unwrap();
            insta::assert_snapshot!(told().lines().next().unwrap(), @"not using ROOT/owner: it belongs to user 4000000, and only what root has made is believed");
        }
    }

    #[test]
    fn a_folder_from_which_others_may_take_files_away_is_not_used_to_stop_tasks() {
        let (root, _folder) = empty_folder();
        let existing = || StateFolder::existing(root.path(), std::time::Duration::ZERO);
        for (mode, usable) in
            [(0o700, true), (0o755, true), (0o1777, true), (0o757, false), (0o777, false)]
        {
            set_mode(root.path(), mode);
            assert_eq!(existing().is_ok(), usable, "{mode:o}");
            assert_eq!(StateFolder::shared_with_others(root.path()).is_none(), usable, "{mode:o}");
            // A job goes on all the same.
            StateFolder::open(root.path(), std::time::Duration::ZERO).unwrap();
        }
        if is_root() {
            set_mode(root.path(), 0o755);
            chown(root.path(), Some(NOBODY), None).unwrap();
            assert!(matches!(existing(), Err(StateError::Distrusted { .. })));
        }
    }

    #[test]
    fn a_group_of_ones_own_is_nobody_else_and_any_other_group_is() {
        // Of all systems, only the group of root is known to be one.
        assert!(is_own_group(0, 0));
        assert!(!is_own_group(4_000_000, 0) && !is_own_group(0, 4_000_000));
    }

    #[test]
    fn an_old_folder_with_the_mode_of_a_umask_of_002_goes_on_unless_the_group_has_others_in_it() {
        if !is_root() {
            return;
        }
        let (root, folder) = empty_folder();
        let owner = root.path().join("owner");
        fs::write(&owner, "host-of-a-stranger").unwrap();
        set_mode(&owner, 0o664);
        set_mode(root.path(), 0o775);
        for (group, fine) in [(0, true), (4_000_000, false)] {
            chown(root.path(), None, Some(group)).unwrap();
            chown(&owner, None, Some(group)).unwrap();
            let shared = StateFolder::shared_with_others(root.path());
            assert_eq!((shared.is_none(), is_believed(&folder, "owner")), (fine, fine), "{group}");
        }
    }

    #[test]
    fn half_a_file_of_another_user_is_never_put_in_the_place_of_ours() {
        if !is_root() {
            return;
        }
        let (root, folder) = empty_folder();
        let planted = root.path().join("owner.new");
        fs::write(&planted, "").unwrap();
        lchown(&planted, Some(NOBODY), None).unwrap();
        folder.owner(None).unwrap();
        assert_eq!(fs::metadata(root.path().join("owner")).unwrap().uid(), 0);
    }
}
