//! The keys that a list understands, read from the bytes that a terminal sends. What is not known is left out.

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKey {
    /// The row above.
    Up,
    /// The row below.
    Down,
    /// Return.
    Enter,
    /// Escape, alone.
    Escape,
    /// Backspace.
    Backspace,
    /// Ctrl-C where the terminal makes no signal of it.
    Interrupt,
    /// A character that can be shown.
    Character(char),
}

/// The keys in these bytes. A terminal sends a sequence at once, so an Escape at the end is the key.
#[must_use]
pub fn list_keys(bytes: &[u8]) -> Vec<ListKey> {
    let text = String::from_utf8_lossy(bytes);
    let mut rest = text.as_ref();
    let mut keys = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (key, length) = match first {
            '\x1b' => sequence(rest),
            '\r' | '\n' => (Some(ListKey::Enter), 1),
            '\x7f' | '\x08' => (Some(ListKey::Backspace), 1),
            '\x03' => (Some(ListKey::Interrupt), 1),
            other if other.is_control() || other == char::REPLACEMENT_CHARACTER => {
                (None, other.len_utf8())
            }
            other => (Some(ListKey::Character(other)), other.len_utf8()),
        };
        keys.extend(key);
        rest = &rest[length..];
    }
    keys
}

/// The key of what begins with Escape, and how long it is. Source: ECMA-48, control sequences; `ESC O` is what arrows send
/// in the application mode of the cursor keys.
fn sequence(text: &str) -> (Option<ListKey>, usize) {
    let Some(introducer) = text[1..].chars().next() else { return (Some(ListKey::Escape), 1) };
    if !matches!(introducer, '[' | 'O') {
        return (Some(ListKey::Escape), 1);
    }
    let end = text[2..].find(|c: char| ('@'..='~').contains(&c));
    let Some(end) = end.map(|end| end + 2) else { return (None, text.len()) };
    let key = match text.as_bytes()[end] {
        b'A' => Some(ListKey::Up),
        b'B' => Some(ListKey::Down),
        _ => None,
    };
    (key, end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ListKey::{Backspace, Character, Down, Enter, Escape, Interrupt, Up};

    #[test]
    fn arrows_letters_and_escape_are_told_apart() {
        let typed = b"\x1b[A\x1b[B\x1bOAq/\xc3\xa9\x7f\r\x03\x1b";
        let expected = [
            Up,
            Down,
            Up,
            Character('q'),
            Character('/'),
            Character('é'),
            Backspace,
            Enter,
            Interrupt,
            Escape,
        ];
        assert_eq!(list_keys(typed), expected);
    }

    #[test]
    fn what_is_not_known_is_left_out_whole() {
        // F5, Ctrl-Right, half a sequence, bytes that are no text.
        assert_eq!(list_keys(b"\x1b[15~\x1b[1;5Cx"), [Character('x')]);
        assert_eq!(list_keys(b"\x1b[1;"), []);
        assert_eq!(list_keys(&[0xff, 0x01, b'x']), [Character('x')]);
        assert_eq!(list_keys(b"\x1bx"), [Escape, Character('x')]);
    }
}
