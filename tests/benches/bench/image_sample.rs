//! An image of 950 MB on an engine of its own, in two layers: what Debian's packages for git, a compiler and
//! Node have on this machine, as the image of a CI job does, and as many other files as are missing to its
//! size. The same machine always gives the same image.

use std::collections::{BTreeSet, HashSet};
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use fargate_tests::PlainEngine;
use sha2::{Digest, Sha256};

/// Packages whose files come first, with all that they need.
const PACKAGES: [&str; 6] = ["apt", "bash", "build-essential", "git", "nodejs", "python3"];
/// Where the other files come from.
const ROOTS: [&str; 5] = ["/usr/bin", "/usr/include", "/usr/lib", "/usr/share", "/usr/sbin"];
/// Bytes of files in the lower layer and in the upper one, as a Debian base and its compilers have them.
const LAYER_BYTES: [u64; 2] = [120_000_000, 830_000_000];
/// Larger files are left out: a single one would be most of the image.
const LARGEST_FILE: u64 = 100_000_000;
/// The time of all files.
const TIME: &str = "@1700000000";
/// The name of the image.
const NAME: &str = "bench-sample:1";

/// The image, and its engine.
pub struct SampleImage {
    engine: PlainEngine,
    config: PathBuf,
}

impl SampleImage {
    /// Starts an engine and makes the image, with files below `folder`.
    pub fn make(engine: PlainEngine, folder: &Path) -> Result<Self, Box<dyn Error>> {
        let context = folder.join("sample");
        let config = folder.join("docker");
        fs::create_dir_all(&context)?;
        fs::create_dir_all(&config)?;
        let mut files = mixed_files()?;
        let packaged = packaged_files()?;
        let known: HashSet<&Path> = packaged.iter().map(|(path, _)| path.as_path()).collect();
        files.retain(|(path, _)| !known.contains(path.as_path()));
        files.extend(packaged);
        for (layer, bytes) in LAYER_BYTES.into_iter().enumerate() {
            pack(&mut files, bytes, &context.join(format!("layer-{layer}.tar")))?;
        }
        let this = Self { engine, config };
        let place = |name: &str| context.join(name).into_os_string();
        this.docker(["import".into(), place("layer-0.tar"), "bench-base:1".into()])?;
        fs::remove_file(context.join("layer-0.tar"))?;
        fs::write(
            context.join("Dockerfile"),
            "FROM bench-base:1\nADD layer-1.tar /\nCMD [\"true\"]\n",
        )?;
        this.docker(["build".into(), "--tag".into(), NAME.into(), context.clone().into()])?;
        fs::remove_dir_all(&context)?;
        Ok(this)
    }

    /// Its name on the engine.
    pub fn name(&self) -> &'static str {
        NAME
    }

    /// What `DOCKER_HOST` says to reach the engine.
    pub fn docker_host(&self) -> &str {
        self.engine.docker_host()
    }

    /// The folder of Docker's configuration, which has the logins.
    pub fn docker_config(&self) -> &Path {
        &self.config
    }

    /// Docker's client on this engine.
    pub fn docker_command(&self) -> Command {
        let mut command = Command::new("docker");
        command.env("DOCKER_HOST", self.docker_host()).env("DOCKER_BUILDKIT", "0");
        command.arg("--config").arg(&self.config);
        command
    }

    /// Calls it; any exit but 0 is an error.
    pub fn docker<const N: usize>(&self, arguments: [OsString; N]) -> Result<(), Box<dyn Error>> {
        done(self.docker_command().args(arguments))
    }
}

/// Runs a command whose output nobody needs.
fn done(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command.output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

/// The files of the packages and of all that these need, with their sizes, in an order that has nothing to do
/// with what they are; of packages that this machine does not have, none.
fn packaged_files() -> Result<Vec<(PathBuf, u64)>, Box<dyn Error>> {
    let mut apt = Command::new("apt-cache");
    apt.args(["depends", "--recurse", "--installed", "--important"]).args(PACKAGES);
    let needed = String::from_utf8_lossy(&apt.output()?.stdout).into_owned();
    let names = needed.lines().filter(|line| !line.starts_with([' ', '|', '<']));
    let mut dpkg = Command::new("dpkg-query");
    let listed = dpkg.arg("--listfiles").args(names).output()?.stdout;
    let paths: BTreeSet<&[u8]> = listed.split(|byte| *byte == b'\n').collect();
    let mut files = Vec::new();
    for path in paths.into_iter().filter(|path| !path.is_empty()) {
        let path = PathBuf::from(OsStr::from_bytes(path));
        if let Ok(found) = path.symlink_metadata()
            && found.is_file()
        {
            files.push((path, found.len()));
        }
    }
    mix(&mut files);
    Ok(files)
}

fn mix(files: &mut [(PathBuf, u64)]) {
    files.sort_by_cached_key(|(path, _)| Sha256::digest(path.as_os_str().as_bytes()));
}

/// All other files with their sizes, in an order like that.
fn mixed_files() -> Result<Vec<(PathBuf, u64)>, Box<dyn Error>> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = ROOTS.iter().map(PathBuf::from).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push((entry.path(), entry.metadata()?.len()));
            }
        }
    }
    files.retain(|(_, size)| *size <= LARGEST_FILE);
    mix(&mut files);
    Ok(files)
}

/// Packs the last of these files, so many bytes of them, into a tar, and takes them from the list.
fn pack(files: &mut Vec<(PathBuf, u64)>, bytes: u64, tar: &Path) -> Result<(), Box<dyn Error>> {
    let list = tar.with_extension("list");
    let mut names = fs::File::create(&list)?;
    let mut packed = 0;
    while packed < bytes {
        let (path, size) = files.pop().ok_or("the files of this machine are too few")?;
        names.write_all(&[&path.into_os_string().into_vec(), &b"\0"[..]].concat())?;
        packed += size;
    }
    let mut command = Command::new("tar");
    command.args(["--create", "--absolute-names", "--transform=s,^/,,", "--null", "--sort=name"]);
    command.args(["--owner=0", "--group=0", "--numeric-owner", "--mtime", TIME]);
    command.arg("--file").arg(tar).arg("--files-from").arg(&list);
    done(&mut command)?;
    fs::remove_file(list)?;
    Ok(())
}
