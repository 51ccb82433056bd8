//! Secrets that reach the job as files. Each variable that begins with [`SECRET_FILE_PREFIX`] becomes a file
//! that only the job's user may read, and the rest of its name becomes a variable with the path.
//!
//! A process cannot take a value out of the environment that the kernel shows of it, so this program replaces
//! itself by itself with the new environment, before it does anything else. It reads no other secret and knows
//! no scripts.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use fargate_protocol::SECRET_FILE_PREFIX;
use nix::sys::statfs::{TMPFS_MAGIC, statfs};

/// Names the folder with the files, for the process that removes it.
const FOLDER_VARIABLE: &str = "FARGATE_RUNNER_SECRET_FOLDER";
/// How the name of that folder begins. Random characters follow, so that nobody can be there first.
const FOLDER_PREFIX: &str = "fargate-runner-secrets-";
/// Folders that are in memory in most containers.
const IN_MEMORY: [&str; 2] = ["/dev/shm", "/run"];
/// Folders of the container's own disk, if it has none in memory.
const ON_DISK: [&str; 4] = ["/run", "/tmp", "/var/tmp", "/"];

/// Why there are no files. No value is repeated.
#[derive(Debug, thiserror::Error)]
pub enum SecretFilesError {
    /// What follows the prefix is no name that a script could use, or one that the agent needs itself.
    #[error(
        "the container's variable {variable} asks for a secret file, and {name:?} is not a name for it: \
         allowed are letters, digits and `_`, not a digit first, and no name of the agent itself; correct \
         `secrets` of the task definition"
    )]
    Name { variable: String, name: String },
    /// A folder, a file or random bytes could not be had.
    #[error("writing the secret files of the container: {doing}")]
    Write {
        doing: String,
        #[source]
        source: io::Error,
    },
}

/// A secret to write.
struct SecretFile {
    variable: OsString,
    name: String,
    value: Vec<u8>,
}

/// Writes the files and replaces this process. Returns if there are no secrets to write.
///
/// # Errors
///
/// Returns [`SecretFilesError`] if a name is not allowed or a file cannot be written. What was written is
/// removed again.
pub fn place() -> Result<(), SecretFilesError> {
    let secrets = secrets_of(std::env::vars_os())?;
    if secrets.is_empty() {
        return Ok(());
    }
    let roots = FolderRoots { in_memory: &IN_MEMORY, on_disk: &ON_DISK };
    let folder = roots.make_folder()?;
    let started = write_all(&folder, &secrets).and_then(|()| {
        let program = std::env::current_exe().map_err(failed("finding the agent's program"))?;
        let mut again = Command::new(program);
        again.args(std::env::args_os().skip(1));
        for secret in &secrets {
            again.env_remove(&secret.variable).env(&secret.name, folder.join(&secret.name));
        }
        // It returns only if it failed.
        let source = again.env(FOLDER_VARIABLE, &folder).exec();
        Err(failed("starting the agent again without their values")(source))
    });
    remove_folder(&folder);
    started
}

/// Removes the files of this task. Call it once, when its last script has ended.
pub fn remove() {
    if let Some(folder) = std::env::var_os(FOLDER_VARIABLE) {
        remove_folder(Path::new(&folder));
    }
}

/// Removes a folder of ours and nothing else, whatever the variable says.
fn remove_folder(folder: &Path) {
    let name = folder.file_name().and_then(OsStr::to_str).unwrap_or_default();
    if name.starts_with(FOLDER_PREFIX) {
        // What cannot be removed ends with the container.
        let _ = std::fs::remove_dir_all(folder);
    }
}

fn failed(doing: impl Into<String>) -> impl FnOnce(io::Error) -> SecretFilesError {
    let doing = doing.into();
    move |source| SecretFilesError::Write { doing, source }
}

/// The secrets among these variables.
fn secrets_of(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Vec<SecretFile>, SecretFilesError> {
    let secret = |(variable, value): (OsString, OsString)| {
        let name = variable.as_bytes().strip_prefix(SECRET_FILE_PREFIX.as_bytes())?;
        let name = String::from_utf8_lossy(name).into_owned();
        let checked = match is_allowed(&name) {
            true => Ok(SecretFile { variable, name, value: value.into_vec() }),
            false => Err(SecretFilesError::Name {
                variable: variable.to_string_lossy().into_owned(),
                name,
            }),
        };
        Some(checked)
    };
    variables.filter_map(secret).collect()
}

/// Whether scripts can use this variable, and the agent does not.
fn is_allowed(name: &str) -> bool {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_name = starts_well && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_name && !crate::environment::is_ours(OsStr::new(name))
}

/// Where the folder may be made.
struct FolderRoots<'a> {
    in_memory: &'a [&'a str],
    on_disk: &'a [&'a str],
}

impl FolderRoots<'_> {
    /// Makes a folder that only this user may enter, in memory where it can.
    fn make_folder(&self) -> Result<PathBuf, SecretFilesError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| {
            failed("drawing a random name for their folder")(io::Error::other(error.to_string()))
        })?;
        let name = format!("{FOLDER_PREFIX}{}", hex::encode(bytes));
        let make = |root: &&str| {
            let folder = Path::new(root).join(&name);
            DirBuilder::new().mode(0o700).create(&folder).ok()?;
            Some(folder)
        };
        let in_memory = self.in_memory.iter().filter(|root| is_in_memory(Path::new(root)));
        if let Some(folder) = in_memory.into_iter().find_map(make) {
            return Ok(folder);
        }
        // A volume may outlive the task, so only the container's own disk will do.
        let on_disk = self.on_disk.iter().filter(|root| is_own_disk(Path::new(root)));
        if let Some(folder) = on_disk.into_iter().find_map(make) {
            eprintln!(
                "warning: no folder of this container is in memory and writable ({}), so its secret files \
                 are on the task's own disk, in {}; a `tmpfs` at /run keeps them in memory",
                self.in_memory.join(", "),
                folder.display()
            );
            return Ok(folder);
        }
        let tried = self.in_memory.iter().chain(self.on_disk).copied().collect::<Vec<_>>();
        let doing = format!(
            "making a folder in one of {}; give the container a `tmpfs` at /run",
            tried.join(", ")
        );
        Err(failed(doing)(io::Error::from(io::ErrorKind::ReadOnlyFilesystem)))
    }
}

fn is_in_memory(folder: &Path) -> bool {
    statfs(folder).is_ok_and(|found| found.filesystem_type() == TMPFS_MAGIC)
}

/// Whether a folder is on the same device as the root, so that no volume is mounted there.
fn is_own_disk(folder: &Path) -> bool {
    let device = |path: &Path| path.metadata().map(|data| data.dev());
    matches!((device(folder), device(Path::new("/"))), (Ok(own), Ok(root)) if own == root)
}

fn write_all(folder: &Path, secrets: &[SecretFile]) -> Result<(), SecretFilesError> {
    for secret in secrets {
        let path = folder.join(&secret.name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o400);
        let written = options.open(&path).and_then(|mut file| file.write_all(&secret.value));
        written.map_err(failed(format!("writing {}", path.display())))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(given: &[(&str, &str)]) -> Result<Vec<SecretFile>, SecretFilesError> {
        secrets_of(given.iter().map(|(name, value)| (name.into(), value.into())))
    }

    /// Folders for one test. The name of the folder that holds them differs from ours, so it is removed by
    /// the test itself.
    fn folder(what: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("{what}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn only_variables_with_the_prefix_become_files_and_their_names_are_checked() {
        let found = secrets(&[
            ("PATH", "/bin"),
            ("FARGATE_RUNNER_SECRET_FILE_NPM_TOKEN", "s3cret"),
            ("FARGATE_RUNNER_IDLE_S", "1"),
        ]);
        let found = found.expect("one secret");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].name.as_str(), &found[0].value[..]), ("NPM_TOKEN", &b"s3cret"[..]));
        for name in ["", "1A", "A-B", "../A", "A B", "é", "SSH_PUBLIC_KEY", "FARGATE_RUNNER_USER"]
        {
            let variable = format!("{SECRET_FILE_PREFIX}{name}");
            let error = secrets(&[(&variable, "s3cret")]).err().expect(name).to_string();
            assert!(error.contains(&variable) && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_file_has_the_exact_value_and_only_its_user_may_read_it() {
        let root = folder("secret-files");
        let at = root.to_str().unwrap();
        let made = FolderRoots { in_memory: &[], on_disk: &[at] }.make_folder();
        // The temporary folder of a test may be a mount of its own.
        let Ok(made) = made else {
            assert!(!is_own_disk(&root));
            return;
        };
        assert_eq!(made.metadata().unwrap().mode() & 0o7777, 0o700);
        let secrets = secrets(&[("FARGATE_RUNNER_SECRET_FILE_A", "line\nother\n")]).unwrap();
        write_all(&made, &secrets).unwrap();
        let file = made.join("A");
        assert_eq!(std::fs::read(&file).unwrap(), b"line\nother\n");
        let data = file.metadata().unwrap();
        assert_eq!(data.mode() & 0o7777, 0o400);
        assert_eq!(data.uid(), nix::unistd::geteuid().as_raw());
        remove_folder(&made);
        assert!(!made.exists());
        remove_folder(&root);
        assert!(root.exists(), "a folder with another name is not ours");
        std::fs::remove_dir(&root).unwrap();
    }

    #[test]
    fn a_container_without_a_writable_folder_is_told_what_to_add() {
        let none = FolderRoots { in_memory: &["/proc"], on_disk: &["/sys"] };
        let error = none.make_folder().unwrap_err();
        let source = std::error::Error::source(&error).expect("a cause");
        insta::assert_snapshot!(format!("{error}: {source}"), @"writing the secret files of the container: making a folder in one of /proc, /sys; give the container a `tmpfs` at /run: read-only filesystem or storage medium");
    }
}
