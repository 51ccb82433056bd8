//! What a process needs of its host before it begins: some open files and a thread. Seen before
//! anything is started, so that a limit is told in one line, and not by a library that panics in the
//! middle of a job.
//!
//! It promises nothing for later: a limit that is met then ends the stage as any other refusal.
//!
//! And what this process takes from its host before it reads a secret: core files, and other
//! processes' looks at its memory.

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
    /// For `map_err`, where the operating system refuses something.
    pub fn of(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { doing, source }
    }
}

/// Files that a stage has open at once, the most that was seen, and half as many again: its streams,
/// event loop, log, state and connections.
const FILES: usize = 24;

/// Sees whether this process may open what a stage needs, and start a thread. Where only its own
/// limit forbids the files, that is raised.
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

/// Keeps the memory of this process to itself: no core file is written of it, and no other process
/// of this user can read its memory or its environment in `/proc`, or attach to it; root still can.
/// To be called before anything secret is read. Programs that it starts, such as a
/// `credential_process`, write no core files either.
///
/// # Errors
///
/// The operating system's: the rest is done all the same.
pub fn keep_memory_private() -> io::Result<()> {
    // The limit for where a pattern of the kernel pipes cores of processes that are not dumpable.
    let limited = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    set_dumpable(false)?;
    Ok(limited?)
}

fn open_some() -> io::Result<()> {
    let any = io::stdin();
    let opened: io::Result<Vec<_>> = (0..FILES).map(|_| any.as_fd().try_clone_to_owned()).collect();
    match opened {
        // A stream that was closed says nothing about limits.
        Err(error) if error.raw_os_error() == Some(Errno::EBADF as i32) => Ok(()),
        opened => opened.map(drop),
    }
}

/// The soft limit of open files grows by twice what a stage needs, as far as the hard one allows.
fn raise_limit() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let wanted = soft.saturating_add(FILES as u64 * 2).min(hard);
    // Where it is refused, the second look tells.
    let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted, hard);
}

fn start_thread() -> io::Result<()> {
    let thread = std::thread::Builder::new().stack_size(64 * 1024).spawn(|| ())?;
    thread.join().map_err(|_| io::Error::other("it ended at once"))
}

/// True if the host gave too little of what processes share, and not a disk.
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
