//! Pieces of TOML as text: keys, strings and comments.

/// A key as TOML, in quotes only where it needs them.
pub(crate) fn toml_key(text: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !text.is_empty() && text.bytes().all(bare) { text.to_owned() } else { toml_string(text) }
}

/// A TOML string. The checks let no control character through.
pub(crate) fn toml_string(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Text as lines of a comment, broken between words. What stands in backticks stays in one line.
pub(crate) fn toml_comment(text: &str, width: usize) -> String {
    let mut out = String::new();
    for paragraph in text.lines() {
        let mut line = "#".to_owned();
        for word in words_of(paragraph) {
            if line.chars().count() + 1 + word.chars().count() > width {
                out.push_str(&line);
                out.push('\n');
                line = "#".to_owned();
            }
            line.push(' ');
            line.push_str(&word);
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// The words of a text; one in backticks may have spaces.
fn words_of(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for piece in text.split(' ') {
        match words.last_mut() {
            Some(open) if open.matches('`').count() % 2 == 1 => {
                open.push(' ');
                open.push_str(piece);
            }
            _ => words.push(piece.to_owned()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_backticks_stays_in_one_line() {
        assert_eq!(toml_comment("one `two three` four", 10), "# one\n# `two three`\n# four\n");
    }
}
