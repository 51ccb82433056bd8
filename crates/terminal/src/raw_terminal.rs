//! A terminal that passes every key on as it is, for a program elsewhere that has a terminal of its own.
//!
//! It neither reads nor writes. Keys that usually send signals send none, so the caller must end by
//! itself: with a value of [`RawTerminal`] alive, no signal handler and no panic may skip its drop.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// A terminal in raw mode. Dropping it gives the terminal its own settings back.
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

    fn enter(terminal: OwnedFd) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&terminal, OptionalActions::Now, &raw)?;
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
    use rustix::termios::LocalModes;

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
