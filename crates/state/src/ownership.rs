//! Whether a state folder is this user's alone. It may lie where others write as well, so nothing in it
//! is believed that another user may have made: neither who this host is (`owner`, `machine`), nor that
//! it takes no jobs (`paused`), nor a job's record.
//!
//! Whoever owns the folder is this user: commands refuse the folder of another one before they read a
//! file in it.

use std::path::{Path, PathBuf};

use fargate_files::{DistrustedPath, FileError, require_own_folder};

use crate::folder::PARTS;
use crate::{StateError, StateFolder};

impl StateFolder {
    /// Why others may remove and rename what is in the folder, if they may.
    ///
    /// This alone does not harm a job, because each file is checked when it is read. But if
    /// somebody removes all records, every task looks like one that no job needs.
    #[must_use]
    pub fn shared_with_others(root: &Path) -> Option<DistrustedPath> {
        fargate_files::shared_with_others(root)
    }

    /// The first folder in it that this user cannot trust, and why. Then no job is prepared.
    #[must_use]
    pub fn distrusted_part(root: &Path) -> Option<(PathBuf, DistrustedPath)> {
        PARTS.into_iter().find_map(|part| match require_own_folder(&root.join(part)) {
            Err(FileError::Distrusted { path, why }) => Some((path, why)),
            _ => None,
        })
    }

    /// Refuses a folder from which others may remove all records.
    pub(crate) fn require_unshared(root: &Path) -> Result<(), StateError> {
        match Self::shared_with_others(root) {
            None => Ok(()),
            Some(why) => Err(StateError::Distrusted { path: root.to_owned(), why }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
    use std::path::Path;

    use nix::unistd::geteuid;

    use super::*;
    use crate::JobAdmission;
    use crate::examples::empty_folder;
    use fargate_files as files;

    /// The user id of `nobody`.
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

    /// Each file that controls this host, with a content that a stranger would like to put there.
    const STEERING: [(&str, &str); 3] = [
        ("owner", "host-of-a-stranger"),
        ("machine", "0000"),
        ("paused", r#"{"hold":"pause","who":"stranger","since_unix_s":1}"#),
    ];

    async fn is_believed(folder: &StateFolder, file: &str) -> bool {
        match file {
            "owner" => {
                folder.owner(None).await.is_ok_and(|own| own.owner.as_str().contains("stranger"))
            }
            // Its content matters only if something identifies machines here.
            "machine" => files::read(&folder.root().join(file)).is_ok_and(|text| text.is_some()),
            _ => folder.intake() != JobAdmission::Open,
        }
    }

    #[tokio::test]
    async fn what_others_may_write_steers_nothing_unless_they_cannot_reach_it() {
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
                let seen = is_believed(&folder, file).await;
                assert_eq!(seen, believed, "{file} {of_file:o} in {of_folder:o}");
            }
            fs::remove_file(&path).unwrap();
        }
    }

    #[tokio::test]
    async fn what_another_user_made_steers_nothing_whatever_it_is() {
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
                assert!(!is_believed(&folder, file).await, "{file}");
                fs::remove_file(&path).unwrap();
            }
            // A file of root is trusted, because root may look after the host.
            fs::write(&path, text).unwrap();
            assert!(is_believed(&folder, file).await, "{file}");
            fs::remove_file(&path).unwrap();
        }
    }

    #[tokio::test]
    async fn the_words_name_the_owner_or_the_mode_and_what_mends_it() {
        let (root, folder) = empty_folder();
        let owner = root.path().join("owner");
        fs::write(&owner, "host-1").unwrap();
        set_mode(&owner, 0o646);
        set_mode(root.path(), 0o755);
        let told = async || {
            let error = folder.owner(None).await.unwrap_err();
            let why = error.why();
            let text = format!("{error}\n{}", why.block(fargate_model::cause::ColourMode::Off));
            text.replace(&root.path().display().to_string(), "ROOT")
        };
        insta::assert_snapshot!(told().await, @r#"
    not using ROOT/owner: others than its owner may write it (mode 0646)
    error: another user may have written ROOT/owner
      ROOT/owner: "others than its owner may write it (mode 0646)"
      Fix: look at it with `ls -ld ROOT/owner`, then correct it
        chmod go-w ROOT/owner
    "#);
        if is_root() {
            chown(&owner, Some(4_000_000), None).unwrap();
            insta::assert_snapshot!(told().await.lines().next().unwrap(), @"not using ROOT/owner: it belongs to user 4000000, and only files of root are trusted");
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
            // A job runs all the same.
            StateFolder::open(root.path(), std::time::Duration::ZERO).unwrap();
        }
        if is_root() {
            set_mode(root.path(), 0o755);
            chown(root.path(), Some(NOBODY), None).unwrap();
            assert!(matches!(existing(), Err(StateError::Distrusted { .. })));
        }
    }

    #[tokio::test]
    async fn an_old_folder_with_the_mode_of_a_umask_of_002_goes_on_unless_the_group_has_others_in_it()
     {
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
            assert_eq!(
                (shared.is_none(), is_believed(&folder, "owner").await),
                (fine, fine),
                "{group}"
            );
        }
    }

    #[tokio::test]
    async fn half_a_file_of_another_user_is_never_put_in_the_place_of_ours() {
        if !is_root() {
            return;
        }
        let (root, folder) = empty_folder();
        let planted = root.path().join("owner.new");
        fs::write(&planted, "").unwrap();
        lchown(&planted, Some(NOBODY), None).unwrap();
        folder.owner(None).await.unwrap();
        assert_eq!(fs::metadata(root.path().join("owner")).unwrap().uid(), 0);
    }
}
