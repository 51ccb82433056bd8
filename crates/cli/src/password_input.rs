//! Reads a password from a terminal without showing it, or from standard input. It is never an argument of
//! this program, because every user of the host can read those.

use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::streams::{masker, tell};

/// Longest password. A secret of Secrets Manager takes no more.
const LONGEST: usize = 65_536;

/// The terminal without echo. Dropping it gives the terminal its own settings back.
struct SilentTerminal {
    before: Termios,
}

impl SilentTerminal {
    fn enter() -> Result<Self, String> {
        let stdin = io::stdin();
        let failed = |error| format!("turning the echo of the terminal off: {error}");
        let before = tcgetattr(stdin.as_fd()).map_err(failed)?;
        let mut silent = before.clone();
        // Signals are off as well: Ctrl-C would end this process before the echo is on again.
        silent.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
        tcsetattr(stdin.as_fd(), SetArg::TCSAFLUSH, &silent).map_err(failed)?;
        Ok(Self { before })
    }
}

impl Drop for SilentTerminal {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin().as_fd(), SetArg::TCSAFLUSH, &self.before);
    }
}

/// The signals that ask this process to end, held back while the terminal has no echo: whoever ended it
/// then would leave the person's shell without one.
struct HeldSignals {
    mask: SigSet,
    arrived: SignalFd,
}

impl HeldSignals {
    fn hold() -> Result<Self, String> {
        let failed = |error: Errno| format!("holding back signals: {error}");
        let mut mask = SigSet::empty();
        [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT]
            .into_iter()
            .for_each(|signal| mask.add(signal));
        mask.thread_block().map_err(failed)?;
        let arrived = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .map_err(failed)?;
        Ok(Self { mask, arrived })
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        // The command has answered the signal with an error of its own.
        while let Ok(Some(_)) = self.arrived.read_signal() {}
        let _ = self.mask.thread_unblock();
    }
}

/// The password of `user`. From now on it is masked in all that this program writes.
///
/// # Errors
///
/// In words, if it cannot be read or is empty.
pub fn password(user: &str, from_stdin: bool) -> Result<Zeroizing<String>, String> {
    let bytes = match from_stdin {
        true => of_stdin()?,
        false => typed(user)?,
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| "the password is no text in UTF-8")?;
    if text.is_empty() {
        return Err("the password is empty".to_owned());
    }
    masker().remember(text);
    Ok(Zeroizing::new(text.to_owned()))
}

/// All of standard input, without the line break at its end.
fn of_stdin() -> Result<Zeroizing<Vec<u8>>, String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 2));
    let limit = u64::try_from(LONGEST + 2).unwrap_or(u64::MAX);
    let read = io::stdin().lock().take(limit).read_to_end(&mut bytes);
    read.map_err(|error| format!("reading the password from standard input: {error}"))?;
    for end in [b'\n', b'\r'] {
        if bytes.last() == Some(&end) {
            bytes.pop();
        }
    }
    match bytes.len() <= LONGEST {
        true => Ok(bytes),
        false => Err(format!("the password is longer than {LONGEST} bytes")),
    }
}

/// What a person types, up to Enter.
fn typed(user: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    if !io::stdin().is_terminal() {
        return Err("the password is typed at a terminal, and standard input is none\nhint: \
                    `--password-stdin` reads it from standard input"
            .to_owned());
    }
    // Dropped in the other order: the terminal is itself again before a signal can end this process.
    let held = HeldSignals::hold()?;
    let _silent = SilentTerminal::enter()?;
    tell!("password of user `{}` (it is not shown):", fargate_model::text::escape(user));
    let interrupted = || Err("interrupted; nothing was written".to_owned());
    let mut line = TypedLine::default();
    loop {
        let Some(byte) = next_byte(&held)? else { return interrupted() };
        match line.take(byte) {
            TypingState::Goes => {}
            TypingState::Done => return Ok(line.bytes),
            TypingState::Stopped => return interrupted(),
        }
    }
}

/// The next byte that is typed. `None` if a signal came instead.
fn next_byte(held: &HeldSignals) -> Result<Option<u8>, String> {
    let failed = |error: Errno| format!("reading the password: {error}");
    let stdin = io::stdin();
    loop {
        let mut waiting = [
            PollFd::new(held.arrived.as_fd(), PollFlags::POLLIN),
            PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut waiting, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            ready => ready.map_err(failed)?,
        };
        if waiting[0].any() == Some(true) {
            return Ok(None);
        }
        let mut byte = [0];
        return match nix::unistd::read(stdin.as_fd(), &mut byte) {
            Err(Errno::EINTR) => continue,
            // Half a password must not count as a whole one.
            Ok(0) => Err("the terminal was closed; nothing was written".to_owned()),
            read => read.map(|_| Some(byte[0])).map_err(failed),
        };
    }
}

/// A line that is typed byte by byte.
#[derive(Default)]
struct TypedLine {
    bytes: Zeroizing<Vec<u8>>,
}

/// Whether more is to come.
#[derive(Debug, PartialEq, Eq)]
enum TypingState {
    Goes,
    Done,
    Stopped,
}

impl TypedLine {
    fn take(&mut self, byte: u8) -> TypingState {
        const CTRL_C: u8 = 3;
        const CTRL_D: u8 = 4;
        const CTRL_U: u8 = 21;
        match byte {
            b'\n' | b'\r' | CTRL_D => return TypingState::Done,
            CTRL_C => return TypingState::Stopped,
            CTRL_U => self.bytes.clear(),
            8 | 127 => self.remove_letter(),
            // A line that is too long is refused later, not cut here.
            other if self.bytes.len() <= LONGEST => self.bytes.push(other),
            _ => {}
        }
        TypingState::Goes
    }

    /// Takes the last letter away, which may have several bytes.
    fn remove_letter(&mut self) {
        while let Some(byte) = self.bytes.pop() {
            let goes_on = byte & 0b1100_0000 == 0b1000_0000;
            if !goes_on {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8]) -> (Vec<u8>, TypingState) {
        let mut line = TypedLine::default();
        let mut state = TypingState::Goes;
        for &byte in bytes {
            state = line.take(byte);
        }
        (line.bytes.to_vec(), state)
    }

    #[test]
    fn a_line_can_be_corrected_and_interrupted() {
        assert_eq!(typed(b"ab\x7fc\n"), (b"ac".to_vec(), TypingState::Done));
        assert_eq!(typed("aé\x7f\x7f\x7fb\r".as_bytes()), (b"b".to_vec(), TypingState::Done));
        assert_eq!(typed(b"wrong\x15right\x04"), (b"right".to_vec(), TypingState::Done));
        assert_eq!(typed(b"ab\x03").1, TypingState::Stopped);
    }
}
