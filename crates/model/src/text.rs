//! How durations, sizes and the text of others are written for people, in one way everywhere.
//!
//! It knows nothing of colours, languages or terminal widths, and it masks no secrets.

mod lines;
mod money;

use std::fmt::Write as _;
use std::time::Duration;

pub use lines::{CleanLines, LinePart};
pub use money::{money, plain_dollars, rough_money};

/// Writes a duration: `40 ms`, `0.24 s`, `41.2 s`, `4m 12s`, `2h 05m`, `3d 04h`. It never rounds
/// up.
#[must_use]
pub fn duration(d: Duration) -> String {
    let ms = d.as_millis();
    let s = d.as_secs();
    match s {
        0 if ms < 100 => format!("{ms} ms"),
        0 => format!("0.{:02} s", ms / 10),
        1..60 => format!("{s}.{} s", ms % 1000 / 100),
        60..3600 => format!("{}m {:02}s", s / 60, s % 60),
        3600..86400 => format!("{}h {:02}m", s / 3600, s % 3600 / 60),
        _ => format!("{}d {:02}h", s / 86400, s % 86400 / 3600),
    }
}

/// Writes a wait that still goes on, in whole seconds: `9 s`, `1m 03s`.
#[must_use]
pub fn ticking(d: Duration) -> String {
    if d.as_secs() < 60 { format!("{} s", d.as_secs()) } else { duration(d) }
}

/// How often something was tried, and for how long: `tried once`, `tried 3 times in 12 s`.
#[must_use]
pub fn tried(tries: usize, waited: &str) -> String {
    match tries {
        0 | 1 => "tried once".to_owned(),
        tries => format!("tried {tries} times in {waited}"),
    }
}

/// Writes a number of bytes in powers of 1000, with two or three digits: `412 MB`, `5.0 MB`, `840
/// B`.
#[must_use]
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let mut unit = 0;
    let mut scale: u64 = 1;
    while unit + 1 < UNITS.len() && n / scale >= 1000 {
        unit += 1;
        scale *= 1000;
    }
    let whole = n / scale;
    if unit == 0 || whole >= 100 {
        format!("{whole} {}", UNITS[unit])
    } else {
        format!("{whole}.{} {}", n % scale * 10 / scale, UNITS[unit])
    }
}

/// Writes CPU units as `1 vCPU` or `0.25 vCPU`.
#[must_use]
pub fn vcpu(cpu_units: u32) -> String {
    let thousandths = u64::from(cpu_units) * 1000 / 1024;
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    format!("{} vCPU", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Writes a multiple of 1024 MiB as `2 GB`, and any other amount as `512 MiB`.
#[must_use]
pub fn memory(memory_mib: u32) -> String {
    if memory_mib != 0 && memory_mib.is_multiple_of(1024) {
        format!("{} GB", memory_mib / 1024)
    } else {
        format!("{memory_mib} MiB")
    }
}

/// Writes a number with commas: `1,204`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Escapes a text as [`escape`] does, and cuts it in the middle if it is longer than `limit`
/// characters. Use it for text that a job, an image or AWS controls.
///
/// Time and memory depend on the limit, not on the length of the text.
#[must_use]
pub fn escape_within(text: &str, limit: usize) -> String {
    let is_long = text.len() > limit && text.chars().nth(2 * limit).is_some();
    if !is_long {
        let escaped = escape(text);
        return if escaped.chars().nth(limit).is_none() {
            escaped
        } else {
            cut(&escaped, &escaped, limit)
        };
    }
    // A character never becomes shorter when it is escaped, so `limit` characters of each end
    // suffice.
    let head: String = text.chars().take(limit).collect();
    let tail_at = text.char_indices().rev().nth(limit).map_or(0, |(at, _)| at);
    cut(&escape(&head), &escape(&text[tail_at..]), limit)
}

/// Joins the beginning of one text and the end of another by `...`, in `limit` characters.
fn cut(head: &str, tail: &str, limit: usize) -> String {
    let keep = limit.saturating_sub(3);
    let head: String = head.chars().take(keep - keep / 2).collect();
    let skipped = tail.chars().count() - keep / 2;
    let tail: String = tail.chars().skip(skipped).collect();
    format!("{head}...{tail}")
}

/// Replaces each character that a reader cannot see by one that he can.
///
/// Control characters, including line ends, become `\x1b`. Line and paragraph separators, direction
/// marks and characters without width become `\u{202e}`. A second pass changes nothing.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            let _ = write!(out, "\\x{:02x}", u32::from(c));
        } else if is_unseen(c) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a terminal or a page obeys this character, or shows nothing for it.
///
/// Source: Unicode Standard, `DerivedCoreProperties`, `Default_Ignorable_Code_Point`, and the
/// categories Zl and Zp. U+FE00 to U+FE0F are left out: they only choose how the character before
/// them looks.
fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// An error and all that caused it, in one line. A cause whose words stand there already is not
/// repeated.
#[must_use]
pub fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = String::new();
    for cause in std::iter::successors(Some(error), |error| error.source()) {
        let words = cause.to_string();
        if line.is_empty() {
            line = words;
        } else if !line.contains(&words) {
            line = format!("{line}: {words}");
        }
    }
    line
}

/// Writes a text as one word of a shell's command line, for a person to paste.
///
/// A plain text stays as it is, and other text is put in single quotes. If it holds characters that
/// could move a cursor, it becomes `$'...'` with these bytes as numbers.
///
/// Source: POSIX.1-2024, Shell Command Language, 2.2.
#[must_use]
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    if escape(text) == text {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut out = "$'".to_owned();
    for byte in text.bytes() {
        match byte {
            b'\'' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=b'~' => out.push(char::from(byte)),
            byte => {
                let _ = write!(out, "\\{byte:03o}");
            }
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_use_two_units_and_are_never_rounded_up() {
        let cases = [
            (40, "40 ms"),
            (240, "0.24 s"),
            (999, "0.99 s"),
            (41_299, "41.2 s"),
            (59_999, "59.9 s"),
            (252_000, "4m 12s"),
            (7_500_000, "2h 05m"),
            (273_600_000, "3d 04h"),
        ];
        for (ms, text) in cases {
            assert_eq!(duration(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn sizes_are_written_as_aws_writes_them() {
        assert_eq!((vcpu(256).as_str(), memory(512).as_str()), ("0.25 vCPU", "512 MiB"));
        assert_eq!((vcpu(4096).as_str(), memory(8192).as_str()), ("4 vCPU", "8 GB"));
        assert_eq!(bytes(5_000_000), "5.0 MB");
        assert_eq!(bytes(412_345_678), "412 MB");
        assert_eq!(bytes(840), "840 B");
        assert_eq!(count(1_234_567), "1,234,567");
    }

    #[test]
    fn foreign_text_cannot_move_the_cursor_and_is_cut_in_the_middle() {
        assert_eq!(escape("a\x1b[2Jb\r\nü\u{202e}"), "a\\x1b[2Jb\\x0d\\x0aü\\u{202e}");
        assert_eq!(escape_within("abcdefghijkl", 9), "abc...jkl");
    }

    #[test]
    fn what_a_reader_cannot_see_is_written_so_that_he_can() {
        for hidden in [
            '\u{7}',
            '\u{1b}',
            '\u{7f}',
            '\u{9b}',
            '\u{ad}',
            '\u{61c}',
            '\u{200b}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{3164}',
            '\u{feff}',
            '\u{fff9}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e007f}',
            '\u{e0100}',
        ] {
            let shown = escape(&format!("a{hidden}b"));
            assert!(
                shown.is_ascii() && shown.starts_with("a\\") && shown.ends_with('b'),
                "{shown}"
            );
            assert_eq!(escape(&shown), shown);
        }
        assert_eq!(escape("grün 漢字 \u{2764}\u{fe0f}"), "grün 漢字 \u{2764}\u{fe0f}");
    }

    #[test]
    fn a_long_text_is_cut_as_a_short_one_is() {
        for (n, limit) in
            [(0, 0), (5, 0), (5, 2), (9, 9), (10, 9), (18, 9), (19, 9), (40, 9), (9000, 300)]
        {
            let text: String = "ü\u{1b}x".chars().cycle().take(n).collect();
            let escaped = escape(&text);
            let whole = if escaped.chars().count() <= limit {
                escaped
            } else {
                cut(&escaped, &escaped, limit)
            };
            assert_eq!(escape_within(&text, limit), whole, "{n} within {limit}");
        }
        let long = "\u{1b}".repeat(10_000_000);
        assert_eq!(escape_within(&long, 40).chars().count(), 40);
    }

    #[test]
    fn a_word_for_a_shell_is_one_word_and_moves_no_cursor() {
        let cases = [
            ("/srv/runner/0a.json", "/srv/runner/0a.json"),
            ("/srv/my runner", "'/srv/my runner'"),
            ("~/$(reboot);*", "'~/$(reboot);*'"),
            ("it's", r"'it'\''s'"),
            ("ä", "'ä'"),
            ("", "''"),
            ("a'\\b\x1b\n\u{202e}", r"$'a\'\\b\033\012\342\200\256'"),
        ];
        for (text, word) in cases {
            assert_eq!(shell_word(text), word);
        }
    }
}
