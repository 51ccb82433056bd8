//! Splits one line into words, quoted texts and a comment. It knows no rule.

/// What separates words.
const BLANKS: [char; 2] = [' ', '\t'];

/// Why a quoted text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum QuoteError {
    /// It has no closing quotation mark.
    #[error("a text begins with \" and has no \" at its end")]
    NoEnd,
    /// An escape that the language does not have, such as `\x`.
    #[error("`\\{0}` is unknown within a text; allowed: \\\" \\\\ \\n \\r \\t")]
    Escape(char),
    /// Something follows the closing mark at once, as in `"a"b`.
    #[error("after the \" that ends a text, a blank or the end of the line is expected")]
    Behind,
}

/// The part of a line that is still to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct RuleWords<'a> {
    rest: &'a str,
}

impl<'a> RuleWords<'a> {
    pub fn of(text: &'a str) -> Self {
        Self { rest: text.trim_matches(BLANKS) }
    }

    /// The next word, which stays; empty at the end.
    pub fn peek(&self) -> &'a str {
        self.rest.split(BLANKS).next().unwrap_or_default()
    }

    /// Takes the next word; empty at the end.
    pub fn take(&mut self) -> &'a str {
        let word = self.peek();
        self.skip(word.len());
        word
    }

    /// Takes the next word if it equals `word`.
    pub fn take_if(&mut self, word: &str) -> bool {
        let is_it = self.peek() == word;
        if is_it {
            self.skip(word.len());
        }
        is_it
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest[bytes..].trim_start_matches(BLANKS);
    }

    pub fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// The rest of the line, unread.
    pub fn rest(&self) -> &'a str {
        self.rest
    }

    /// Takes a quoted text, if one is next.
    pub fn quoted(&mut self) -> Result<Option<String>, QuoteError> {
        let Some(inner) = self.rest.strip_prefix('"') else { return Ok(None) };
        let mut text = String::new();
        let mut chars = inner.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    let behind = &inner[at + 1..];
                    if !behind.is_empty() && !behind.starts_with(BLANKS) {
                        return Err(QuoteError::Behind);
                    }
                    self.rest = behind.trim_start_matches(BLANKS);
                    return Ok(Some(text));
                }
                '\\' => text.push(match chars.next() {
                    Some((_, c @ ('"' | '\\'))) => c,
                    Some((_, 'n')) => '\n',
                    Some((_, 'r')) => '\r',
                    Some((_, 't')) => '\t',
                    Some((_, other)) => return Err(QuoteError::Escape(other)),
                    None => return Err(QuoteError::NoEnd),
                }),
                c => text.push(c),
            }
        }
        Err(QuoteError::NoEnd)
    }
}

/// The line without the comment at its end: `#` at the beginning or after a blank, outside quotes.
pub(super) fn without_comment(line: &str) -> &str {
    let (mut quoted, mut escaped, mut blank) = (false, false, true);
    for (at, c) in line.char_indices() {
        match c {
            '#' if blank && !quoted => return &line[..at],
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
        blank = BLANKS.contains(&c);
    }
    line
}

/// Splits a line at its first colon that a blank, or the end of the line, follows.
pub(super) fn parted(line: &str) -> Option<(&str, &str)> {
    let at = line.match_indices(':').map(|(at, _)| at).find(|at| {
        let behind = &line[at + 1..];
        behind.is_empty() || behind.starts_with(BLANKS)
    })?;
    Some((&line[..at], &line[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::text::in_quotes;

    #[test]
    fn a_comment_begins_after_a_blank_and_outside_quotes() {
        for (line, bare) in [
            ("# all of it", ""),
            ("a b # c", "a b "),
            ("a#b", "a#b"),
            ("a \"x # y\" # z", "a \"x # y\" "),
            (r#"a "x \" # y" # z"#, r#"a "x \" # y" "#),
            (r#"a "x \\" # y"#, r#"a "x \\" "#),
            ("a \"never closed # b", "a \"never closed # b"),
        ] {
            assert_eq!(without_comment(line), bare);
        }
    }

    #[test]
    fn a_quoted_text_is_what_was_put_in_quotes() {
        for text in ["", "plain", "\"\\\n\r\t", "a # b: c", "größer \u{2028} \u{0}"] {
            let quoted = in_quotes(text);
            assert!(!quoted.contains('\n'), "{quoted}");
            let line = format!("{quoted} next");
            let mut words = RuleWords::of(&line);
            assert_eq!(words.quoted(), Ok(Some(text.to_owned())));
            assert_eq!(words.take(), "next");
        }
        assert_eq!(RuleWords::of("word").quoted(), Ok(None));
        assert_eq!(RuleWords::of("\"open").quoted(), Err(QuoteError::NoEnd));
        assert_eq!(RuleWords::of("\"open\\").quoted(), Err(QuoteError::NoEnd));
        assert_eq!(RuleWords::of("\"a\\x\"").quoted(), Err(QuoteError::Escape('x')));
        assert_eq!(RuleWords::of("\"a\"b").quoted(), Err(QuoteError::Behind));
    }
}
