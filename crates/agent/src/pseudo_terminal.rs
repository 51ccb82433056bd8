//! A pseudo-terminal and the program in it: the agent keeps one end, and a session of its own has the
//! other end as its controlling terminal.
//!
//! A program gets a session and a terminal by steps that only it can take itself. So the agent starts
//! itself again, takes these steps, and becomes the program. No call here needs NSS or the path of a
//! terminal: an image may mount `/dev/pts` or not.
//!
//! It knows neither SSH nor limits.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{ExitCode, Stdio};

use rustix::io::Errno;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

use crate::process::ProcessSpec;

/// The argument that the agent gives to itself in a new terminal. Nobody else uses it.
pub const IN_TERMINAL: &str = "in-terminal";
/// Exit status if the program could not be started, as a shell reports it.
const CANNOT_START: u8 = 126;

/// Columns and rows of a terminal. 0 stands for a size that nobody told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowSize {
    pub columns: u32,
    pub rows: u32,
}

impl WindowSize {
    fn as_kernel(self) -> Winsize {
        let cells = |cells: u32| u16::try_from(cells).unwrap_or(u16::MAX);
        Winsize {
            ws_col: cells(self.columns),
            ws_row: cells(self.rows),
            ws_xpixel: 0,
            ws_ypixel: 0,
        }
    }
}

/// The agent's end of a terminal. Dropping it hangs the terminal up: the kernel sends SIGHUP to the
/// session in it.
pub struct PseudoTerminal {
    // Two descriptors of one end, because the library reads and writes by different types.
    output: pipe::Receiver,
    input: pipe::Sender,
}

impl PseudoTerminal {
    /// Opens a terminal of this size and starts a program in it. Standard input of `start` is not used.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error if there is no terminal left or nothing can be started. A
    /// program that does not exist is no error here: the exit status 126 tells it.
    pub fn start(start: ProcessSpec<'_>, size: WindowSize) -> io::Result<(Self, Child)> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = openpt(flags)?;
        unlockpt(&ours)?;
        let theirs = ioctl_tiocgptpeer(&ours, flags)?;
        tcsetwinsize(&ours, size.as_kernel())?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        let output = pipe::Receiver::from_file_unchecked(File::from(ours.try_clone()?))?;
        let input = pipe::Sender::from_file_unchecked(File::from(ours))?;
        let stream = || theirs.try_clone().map(Stdio::from);
        let mut command = Command::new("/proc/self/exe");
        command
            .arg(IN_TERMINAL)
            .arg(start.program)
            .args(start.arguments)
            .env_clear()
            .envs(start.environment)
            .stdin(stream()?)
            .stdout(stream()?)
            .stderr(stream()?)
            .kill_on_drop(true);
        if let Some(directory) = start.directory {
            command.current_dir(directory);
        }
        Ok((Self { output, input }, command.spawn()?))
    }

    /// Tells the program that its terminal has another size.
    pub fn resize(&self, size: WindowSize) {
        // A terminal that is gone needs no size.
        let _ = tcsetwinsize(&self.input, size.as_kernel());
    }

    /// Reads what the program wrote. `None` once nobody holds the other end: that is EIO to the kernel.
    pub async fn read(&self, buffer: &mut [u8]) -> Option<usize> {
        loop {
            self.output.readable().await.ok()?;
            match self.output.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read.ok().filter(|length| *length > 0),
            }
        }
    }

    /// Writes what a person typed. It waits while the program reads nothing and the terminal is full.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error if nobody holds the other end any more.
    pub async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.input.writable().await?;
            match self.input.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => bytes = &bytes[written?..],
            }
        }
        Ok(())
    }
}

/// Takes the terminal on standard input as the controlling terminal of a new session, and becomes the
/// program of `arguments`. Returns only if that fails.
pub fn become_program(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(program) = arguments.next() else { return ExitCode::from(CANNOT_START) };
    let error = match lead_session() {
        Ok(()) => std::process::Command::new(&program).args(arguments).exec(),
        Err(error) => error.into(),
    };
    eprintln!("error: starting {}: {error}", program.to_string_lossy());
    ExitCode::from(CANNOT_START)
}

fn lead_session() -> Result<(), Errno> {
    rustix::process::setsid()?;
    rustix::process::ioctl_tiocsctty(io::stdin())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_no_terminal_has_is_the_largest_one() {
        let size = WindowSize { columns: 1 << 20, rows: 24 }.as_kernel();
        assert_eq!((size.ws_col, size.ws_row), (u16::MAX, 24));
    }
}
