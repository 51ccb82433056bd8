//! Checks before the start that this host gives what a process needs: some open files and a thread.
//! A limit is then reported in one line, and not by a library that panics in the middle of a job.
//!
//! It also keeps the memory of this process private, before a secret is read: no core files, and no
//! access for other processes.
//!
//! It promises nothing for later. If a limit is reached later, the stage fails as for any other
//! reason.

use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The host refused something that every process needs.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct HostError {
    /// What was being done.
    pub doing: &'static str,
    /// The operating system's words.
    #[source]
    pub source: io::Error,
}

impl HostError {
    /// Makes one in `map_err`, for what the operating system refused.
    pub fn of(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { doing, source }
    }
}

/// Most files that a stage was seen to have open, and half as many again: streams, event loop, log,
/// state and connections.
const FILES: usize = 24;

/// Checks that this process can open enough files and start a thread. It raises its own soft limit
/// of open files if that is too low.
///
/// # Errors
///
/// [`HostError`].
pub fn check() -> Result<(), HostError> {
    if open_some().is_err() {
        raise_limit();
        open_some().map_err(HostError::of("opening the files that a stage needs"))?;
    }
    start_thread().map_err(HostError::of("starting a thread"))
}

/// Keeps the memory of this process private. The kernel writes no core file of it, and no other
/// process of this user can read its memory or its environment in `/proc`, or attach to it. Root
/// still can.
///
/// Call it before a secret is read. Programs that it starts, for example a `credential_process`,
/// write no core files either.
///
/// # Errors
///
/// Returns the operating system's error if one of the two is refused. The other one is done all the
/// same.
pub fn keep_memory_private() -> io::Result<()> {
    // This limit is for kernels whose core pattern also receives cores of protected processes.
    let limited = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    set_dumpable(false)?;
    Ok(limited?)
}

fn open_some() -> io::Result<()> {
    let any = io::stdin();
    let opened: io::Result<Vec<_>> = (0..FILES).map(|_| any.as_fd().try_clone_to_owned()).collect();
    match opened {
        // A closed stream says nothing about limits.
        Err(error) if error.raw_os_error() == Some(Errno::EBADF as i32) => Ok(()),
        opened => opened.map(drop),
    }
}

/// Raises the soft limit of open files by twice what a stage needs, if the hard limit allows it.
fn raise_limit() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let wanted = soft.saturating_add(FILES as u64 * 2).min(hard);
    // If it is refused, the second check reports it.
    let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted, hard);
}

fn start_thread() -> io::Result<()> {
    let thread = std::thread::Builder::new().stack_size(64 * 1024).spawn(|| ())?;
    thread.join().map_err(|_| io::Error::other("it ended at once"))
}

/// Whether the host lacks something that processes share, other than disk space.
pub(crate) fn is_short_of(error: &io::Error) -> bool {
    let short = [Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM, Errno::EAGAIN];
    error.raw_os_error().is_some_and(|code| short.contains(&Errno::from_raw(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_gives_what_a_stage_needs() {
        check().unwrap();
    }

    #[test]
    fn a_full_disk_is_no_limit_of_processes() {
        let error = |errno: Errno| io::Error::from_raw_os_error(errno as i32);
        assert!(is_short_of(&error(Errno::EMFILE)) && is_short_of(&error(Errno::ENOMEM)));
        assert!(!is_short_of(&error(Errno::ENOSPC)) && !is_short_of(&error(Errno::EIO)));
        assert!(!is_short_of(&io::Error::other("full")));
    }
}
