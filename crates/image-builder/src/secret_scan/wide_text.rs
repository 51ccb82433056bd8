//! Recognises UTF-16 and makes bytes of it that rules can read: one byte for each letter that all secrets have.
//!
//! Nothing else is decoded: a letter that no secret has becomes a byte that no rule takes.

/// Most bytes of a file that are looked at.
const HEAD: usize = 8000;
/// Stands for a unit that is not ASCII.
const OTHER: u8 = 0xff;

/// UTF-16, and which byte of a unit comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WideText {
    /// The low byte, as on Windows.
    LittleEndian,
    /// The high byte.
    BigEndian,
}

impl WideText {
    /// Whether a file that begins with these bytes is such a text: it has the mark of one, or nine of ten units are
    /// printable ASCII.
    pub fn of(file: &[u8]) -> Option<Self> {
        let head = &file[..file.len().min(HEAD)];
        match head {
            [0xff, 0xfe, ..] => Some(Self::LittleEndian),
            [0xfe, 0xff, ..] => Some(Self::BigEndian),
            [_, 0, _, 0, ..] => Self::LittleEndian.fits(head).then_some(Self::LittleEndian),
            [0, _, 0, _, ..] => Self::BigEndian.fits(head).then_some(Self::BigEndian),
            _ => None,
        }
    }

    fn fits(self, head: &[u8]) -> bool {
        let units = head.chunks_exact(2);
        let all = units.len();
        let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
        let fitting = units.filter(|unit| is_text(&self.letter(unit))).count();
        fitting * 10 >= all * 9
    }

    fn letter(self, unit: &[u8]) -> u8 {
        let (low, high) = match self {
            Self::LittleEndian => (unit[0], unit[1]),
            Self::BigEndian => (unit[1], unit[0]),
        };
        if high == 0 && low.is_ascii() { low } else { OTHER }
    }

    /// Appends the letters of all whole units of `bytes`.
    pub fn append(self, bytes: &[u8], text: &mut Vec<u8>) {
        text.extend(bytes.chunks_exact(2).map(|unit| self.letter(unit)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    }

    #[test]
    fn a_text_is_known_by_its_mark_or_by_its_letters() {
        let marked = wide("\u{feff}дом", u16::to_be_bytes);
        assert_eq!(WideText::of(&marked), Some(WideText::BigEndian));
        let plain = wide("[Settings]\r\nName=1\r\n", u16::to_le_bytes);
        assert_eq!(WideText::of(&plain), Some(WideText::LittleEndian));
        let mut letters = Vec::new();
        WideText::LittleEndian.append(&plain, &mut letters);
        assert_eq!(letters, b"[Settings]\r\nName=1\r\n");
    }

    #[test]
    fn tables_of_small_numbers_and_plain_texts_are_no_wide_text() {
        let table: Vec<u8> = (0_u16..200).flat_map(u16::to_le_bytes).collect();
        for bytes in [&table[..], &[0; 64], b"plain text", b"a", b""] {
            assert_eq!(WideText::of(bytes), None, "{bytes:?}");
        }
    }
}
