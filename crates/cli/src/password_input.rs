//! Reads a password from a terminal without showing it, or from standard input. It is never an argument of
//! this program, because every user of the host can read those.

use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;

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
    let silent = SilentTerminal::enter()?;
    tell!("password of user `{}` (it is not shown):", fargate_model::text::escape(user));
    let mut line = TypedLine::default();
    for byte in io::stdin().lock().bytes() {
        let byte = byte.map_err(|error| format!("reading the password: {error}"))?;
        match line.take(byte) {
            TypingState::Goes => {}
            TypingState::Done => break,
            TypingState::Stopped => return Err("interrupted; nothing was written".to_owned()),
        }
    }
    drop(silent);
    Ok(line.bytes)
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
