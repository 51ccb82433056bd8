//! Which places of this container can be written, from `/proc/self/mountinfo`.
//!
//! It only reads that one file, and does not judge whose files lie there.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// File systems on which no file is kept.
const WITHOUT_FILES: [&str; 10] = [
    "proc",
    "sysfs",
    "cgroup",
    "cgroup2",
    "devpts",
    "mqueue",
    "securityfs",
    "debugfs",
    "tracefs",
    "bpf",
];
/// File systems that other machines and other jobs use as well.
const NETWORK: [&str; 5] = ["nfs", "nfs4", "cifs", "smb3", "ceph"];

/// The places where files are mounted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct WritableMounts {
    /// Every place, whatever is mounted there.
    pub all: Vec<PathBuf>,
    /// Places with files that can be written, and that belong to this task alone.
    pub own: Vec<PathBuf>,
    /// Places on a network file system that can be written.
    pub shared: Vec<PathBuf>,
}

impl WritableMounts {
    /// Those of this process.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system if the kernel does not tell them.
    pub fn of_this_process() -> std::io::Result<Self> {
        Ok(Self::parse(&std::fs::read("/proc/self/mountinfo")?))
    }

    /// Source of the format: `proc_pid_mountinfo(5)`.
    fn parse(text: &[u8]) -> Self {
        let mut found = Self::default();
        for line in text.split(|byte| *byte == b'\n') {
            let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
            let dash = fields.iter().position(|field| *field == b"-");
            let (Some(place), Some(options), Some(dash)) = (fields.get(4), fields.get(5), dash)
            else {
                continue;
            };
            let place = PathBuf::from(OsString::from_vec(unescaped(place)));
            let kind = fields.get(dash + 1).copied().unwrap_or_default();
            let is = |kinds: &[&str]| kinds.iter().any(|known| known.as_bytes() == kind);
            let read_only =
                |options: &[u8]| options.split(|byte| *byte == b',').any(|o| o == b"ro");
            let super_options = fields.get(dash + 3).copied().unwrap_or_default();
            let is_writable = !read_only(options) && !read_only(super_options);
            let is_kernels = ["/proc", "/sys"].iter().any(|folder| place.starts_with(folder));
            // A later mount at the same place covers the earlier one.
            found.all.retain(|known| *known != place);
            found.own.retain(|known| *known != place);
            found.shared.retain(|known| *known != place);
            if is_writable && !is(&WITHOUT_FILES) && !is_kernels {
                let list = if is(&NETWORK) || is_foreign_fuse(kind) {
                    &mut found.shared
                } else {
                    &mut found.own
                };
                list.push(place.clone());
            }
            found.all.push(place);
        }
        found
    }

    /// Whether this path lies on a network file system that can be written.
    pub fn is_shared(&self, path: &Path) -> bool {
        let nearest = path.ancestors().find(|place| self.all.iter().any(|known| known == place));
        nearest.is_some_and(|place| self.shared.iter().any(|shared| shared == place))
    }
}

/// Whether a program elsewhere keeps the files. Rootless engines keep the container's own so.
fn is_foreign_fuse(kind: &[u8]) -> bool {
    (kind == b"fuse" || kind.starts_with(b"fuse.")) && kind != b"fuse.fuse-overlayfs"
}

/// The kernel writes space, tab, line break and backslash as three octal digits.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, others)) = rest.split_first() {
        let octal = (first == b'\\').then(|| others.get(..3)).flatten();
        let octal = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                plain.push(byte);
                rest = &others[3..];
            }
            None => {
                plain.push(first);
                rest = others;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_places_of_this_task_that_can_be_written_are_its_own() {
        let text = b"\
22 1 0:20 / / rw,relatime - overlay overlay rw,lowerdir=/a
23 22 0:21 / /proc rw,nosuid - proc proc rw
24 22 0:22 / /dev rw - tmpfs tmpfs rw
25 22 0:23 / /usr ro,relatime master:1 - ext4 /dev/vda rw
26 22 0:24 / /opt rw - ext4 /dev/vdb ro
27 22 0:25 / /my\\040data rw shared:3 - ext4 /dev/vdc rw
28 22 0:26 / /efs rw - nfs4 fs-1.efs:/ rw
29 22 0:27 / /sys/fs/x rw - tmpfs tmpfs rw
30 22 0:28 / /dev ro - tmpfs tmpfs rw
31 22 0:29 / /shared rw - fuse.bindfs /files rw
32 22 0:30 / /own rw - fuse.fuse-overlayfs overlay rw
not a line
";
        let found = WritableMounts::parse(text);
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(found.own, paths(&["/", "/my data", "/own"]));
        assert_eq!(found.shared, paths(&["/efs", "/shared"]));
        assert!(found.is_shared(Path::new("/efs/builds")) && !found.is_shared(Path::new("/usr/x")));
    }
}
