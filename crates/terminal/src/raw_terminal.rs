//! A terminal that passes every key on as it is, for a program elsewhere that has a terminal of its own, or that gives
//! each key at once.
//!
//! It neither reads nor writes. In raw mode, keys that usually send signals send none, so the caller must end by
//! itself: with a value of [`RawTerminal`] alive, no signal handler and no panic may skip its drop.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// A terminal with other settings. Dropping it gives the terminal its own settings back.
#[derive(Debug)]
pub struct RawTerminal {
    terminal: OwnedFd,
    before: Termios,
}

impl RawTerminal {
    /// Puts the terminal on standard input into raw mode.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error if standard input is no terminal or refuses.
    pub fn on_stdin() -> io::Result<Self> {
        Self::enter(io::stdin().as_fd().try_clone_to_owned()?)
    }

    /// Lets the terminal on standard input give each key at once and show none. Keys that send signals still do, and
    /// lines are written as before.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error if standard input is no terminal or refuses.
    pub fn key_by_key() -> io::Result<Self> {
        let terminal = io::stdin().as_fd().try_clone_to_owned()?;
        Self::change(terminal, |modes| {
            modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        })
    }

    fn enter(terminal: OwnedFd) -> io::Result<Self> {
        Self::change(terminal, Termios::make_raw)
    }

    fn change(terminal: OwnedFd, change: impl FnOnce(&mut Termios)) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut changed = before.clone();
        change(&mut changed);
        tcsetattr(&terminal, OptionalActions::Now, &changed)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // A terminal that is gone needs no settings.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};

    use super::*;

    #[test]
    fn a_terminal_is_itself_again_after_a_panic() {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let keyboard = openpt(flags).unwrap();
        unlockpt(&keyboard).unwrap();
        let terminal = ioctl_tiocgptpeer(&keyboard, flags).unwrap();
        let cooked = LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        let modes = || tcgetattr(&terminal).unwrap().local_modes & cooked;
        assert_eq!(modes(), cooked);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _raw = RawTerminal::enter(terminal.try_clone().unwrap()).unwrap();
            assert_eq!(modes(), LocalModes::empty());
            panic!("a bug");
        }));
        assert!(panicked.is_err());
        assert_eq!(modes(), cooked);
    }
}
