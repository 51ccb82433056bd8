//! Where the lines of the operator's log go: a file or journald's socket. Nothing here ever waits for
//! whoever reads them: a pipe that nobody reads, a terminal that was stopped, a full disk and a hung
//! journald cost lines, and no stage of a job a moment.
//!
//! A disk that hangs is none of this: no system call on it has a way to give up.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use fargate_state::is_trusted_owner;
use nix::errno::Errno;
use nix::fcntl::{OFlag, readlinkat};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

use crate::log_line::LineDestination;

/// Source: systemd.journal-fields(7), and the native journal protocol's documentation.
const JOURNAL: &str = "/run/systemd/journal/socket";
/// Most symbolic links on the way to a log. Source: `path_resolution(7)`.
const MAX_LINKS: usize = 40;
/// What a pipe that is ready takes without waiting. Source: pipe(7), `PIPE_BUF`.
const AT_ONCE: usize = 4096;

/// See the module.
pub struct LogSink {
    /// None: journald.
    path: Option<PathBuf>,
    opened: Option<OpenedSink>,
    dropped: u64,
    /// The last line was taken in part only.
    is_mid_line: bool,
}

enum OpenedSink {
    File(File),
    Journal(UnixDatagram),
}

impl LogSink {
    /// A log in this file, else in journald. It is opened when there is something to write, and
    /// again for each line for as long as that fails: a reader may come later.
    pub fn new(path: Option<PathBuf>) -> Self {
        Self { path, opened: None, dropped: 0, is_mid_line: false }
    }

    /// Who reads the lines.
    pub fn reader(&self) -> LineDestination {
        if self.path.is_some() { LineDestination::Plain } else { LineDestination::Journal }
    }

    /// How many lines were dropped since the last time that this was told.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// This many dropped lines stand in the log now, as their number.
    pub fn told_dropped(&mut self, lines: u64) {
        self.dropped = self.dropped.saturating_sub(lines);
    }

    /// A line was dropped.
    pub fn count_dropped(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }

    /// Writes one line, if it can be done at once; false if not.
    pub fn put(&mut self, line: &str, priority: u8) -> bool {
        if self.opened.is_none() {
            self.opened = open(self.path.as_deref()).ok();
        }
        match &mut self.opened {
            None => false,
            Some(OpenedSink::Journal(socket)) => {
                let entry = format!(
                    "PRIORITY={priority}\nSYSLOG_IDENTIFIER=fargate-runner\nMESSAGE={line}\n"
                );
                socket.send(entry.as_bytes()).is_ok()
            }
            Some(OpenedSink::File(file)) => {
                let begin = if self.is_mid_line { "\n" } else { "" };
                // One write per line: several processes append to the same file.
                let text = format!("{begin}{line}\n");
                let written = write_now(file, text.as_bytes());
                self.is_mid_line = match written {
                    0 => self.is_mid_line,
                    written => written < text.len(),
                };
                written == text.len()
            }
        }
    }
}

/// How many bytes were taken at once.
fn write_now(file: &mut File, bytes: &[u8]) -> usize {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => break,
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    written
}

fn open(path: Option<&Path>) -> io::Result<OpenedSink> {
    match path {
        Some(path) => open_file(path).map(OpenedSink::File),
        None => {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            socket.connect(JOURNAL)?;
            Ok(OpenedSink::Journal(socket))
        }
    }
}

/// Opens a log without waiting for a reader. Of symbolic links only those are followed that this user
/// or root has made: who may make files beside a log must not choose what is written to instead.
fn open_file(path: &Path) -> io::Result<File> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match append(&path, OFlag::O_NOFOLLOW) {
            Err(error) if error.raw_os_error() == Some(Errno::ELOOP as i32) => {
                match target(&path)? {
                    Some(next) => path = next,
                    None => return append(&path, OFlag::empty()),
                }
            }
            opened => return opened,
        }
    }
    Err(Errno::ELOOP.into())
}

fn append(path: &Path, flags: OFlag) -> io::Result<File> {
    let flags = flags | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).custom_flags(flags.bits()).open(path)
}

/// Where a symbolic link leads; none where the kernel itself made it, as the one behind `/dev/stderr`.
fn target(path: &Path) -> io::Result<Option<PathBuf>> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
    let link = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    if fstatfs(&link)?.filesystem_type() == PROC_SUPER_MAGIC {
        return Ok(None);
    }
    if !is_trusted_owner(link.metadata()?.uid()) {
        return Err(ErrorKind::PermissionDenied.into());
    }
    let next = readlinkat(&link, "")?;
    Ok(Some(path.parent().unwrap_or(Path::new("")).join(next)))
}

/// One line on stderr, or as much of it as goes without waiting.
pub fn to_stderr_now(line: &str) {
    let stderr = io::stderr();
    let line = format!("{line}\n");
    for part in line.as_bytes().chunks(AT_ONCE) {
        let mut ready = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
        let is_ready = matches!(poll(&mut ready, PollTimeout::ZERO), Ok(1..));
        if !is_ready || stderr.lock().write_all(part).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    fn sink(path: &Path) -> LogSink {
        LogSink::new(Some(path.to_owned()))
    }

    #[test]
    fn a_pipe_takes_lines_once_somebody_reads_it_and_never_makes_anybody_wait() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        let mut sink = sink(&path);
        assert!(!sink.put("nobody reads", 6));
        let flags = OFlag::O_NONBLOCK.bits();
        let mut reader = OpenOptions::new().read(true).custom_flags(flags).open(&path).unwrap();
        assert!(sink.put("one", 6));
        let mut taken = 1;
        while sink.put(&"x".repeat(5000), 6) {
            taken += 1;
            assert!(taken < 1000, "a pipe without an end");
        }
        let mut read = Vec::new();
        let _ = reader.read_to_end(&mut read);
        assert!(read.starts_with(b"one\nxxx"));
        assert!(sink.put("after", 6));
        let _ = reader.read_to_end(&mut read);
        // What was cut stands on a line of its own.
        assert!(read.ends_with(b"\nafter\n"), "{:?}", &read[read.len() - 20..]);
        drop(reader);
        assert!(!sink.put("the reader is gone", 6));
    }

    #[test]
    fn own_links_are_followed_also_those_of_the_kernel_and_circles_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let log = File::create(at("log")).unwrap();
        symlink("log", at("relative")).unwrap();
        symlink(at("relative"), at("absolute")).unwrap();
        use std::os::fd::AsRawFd;
        let kernel = PathBuf::from(format!("/proc/self/fd/{}", log.as_raw_fd()));
        symlink(&kernel, at("kernel")).unwrap();
        symlink("new", at("dangling")).unwrap();
        let paths = [at("log"), at("relative"), at("absolute"), kernel, at("kernel")];
        for path in &paths {
            assert!(sink(path).put("line", 6), "{path:?}");
        }
        assert!(sink(&at("dangling")).put("line", 6));
        let read = |name| std::fs::read_to_string(at(name)).unwrap();
        assert_eq!((read("log"), read("new")), ("line\n".repeat(paths.len()), "line\n".into()));
        symlink("circle", at("circle")).unwrap();
        assert!(!sink(&at("circle")).put("line", 6));
    }

    #[test]
    fn a_link_of_another_user_is_not_followed() {
        if !nix::unistd::geteuid().is_root() {
            return println!("SKIPPED: only root can make a link of another user");
        }
        let folder = tempfile::tempdir().unwrap();
        let (link, victim) = (folder.path().join("log"), folder.path().join("victim"));
        std::fs::write(&victim, "").unwrap();
        symlink(&victim, &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(65534), None).unwrap();
        assert!(!sink(&link).put("line", 6));
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "");
    }

    #[test]
    fn a_full_disk_takes_no_line() {
        assert!(!sink(Path::new("/dev/full")).put("line", 6));
        assert!(sink(Path::new("/dev/null")).put("line", 6));
    }
}
