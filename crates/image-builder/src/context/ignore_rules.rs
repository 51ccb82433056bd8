//! The patterns of `.dockerignore`, by the rules of Docker's own tools (and not those of git).
//!
//! Source: Docker's reference of the Dockerfile, ".dockerignore file"; github.com/moby/patternmatcher. The
//! Engine API applies none of this, so whoever sends a context must.

use regex::bytes::Regex;

use super::context_error::ContextError;

/// The patterns of one file, in order. The last one that matches decides.
#[derive(Debug, Default)]
pub struct IgnoreRules {
    rules: Vec<IgnoreRule>,
}

#[derive(Debug)]
struct IgnoreRule {
    expression: Regex,
    /// `!`: what matches is taken in again.
    takes_in: bool,
    /// The pattern as it was cleaned.
    pattern: String,
}

/// Which rules match a path or one of its parents.
#[derive(Clone, Debug, Default)]
pub(super) struct MatchedRules(Vec<bool>);

impl IgnoreRules {
    /// Reads a file of patterns; `file` is its name in messages.
    ///
    /// # Errors
    ///
    /// [`ContextError::Pattern`] for a line that is no pattern.
    pub fn parse(file: &str, text: &str) -> Result<Self, ContextError> {
        let mut rules = Vec::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            let line = line.trim();
            let (takes_in, pattern) = match line.strip_prefix('!') {
                Some(pattern) => (true, pattern.trim()),
                None => (false, line),
            };
            let wrong = |what| ContextError::Pattern {
                file: file.to_owned(),
                line: at + 1,
                pattern: line.to_owned(),
                what,
            };
            match (pattern.is_empty(), takes_in) {
                (true, true) => return Err(wrong("takes in nothing")),
                (true, false) => continue,
                (false, _) => {}
            }
            let pattern = clean(pattern);
            let expression = Regex::new(&expression(&pattern))
                .map_err(|_| wrong("has a `[` without its `]`, or a range that is empty"))?;
            rules.push(IgnoreRule { expression, takes_in, pattern });
        }
        Ok(Self { rules })
    }

    /// Whether some rule takes in again what others ignore, so that an ignored folder must be read, too.
    pub(super) fn takes_some_in(&self) -> bool {
        self.rules.iter().any(|rule| rule.takes_in)
    }

    /// Whether a rule takes in exactly this path.
    pub(super) fn asks_for(&self, path: &str) -> bool {
        self.rules.iter().any(|rule| rule.takes_in && rule.pattern == path)
    }

    /// Which rules match a path; `parent` is the result for its folder.
    pub(super) fn matched(&self, parent: &MatchedRules, path: &str) -> MatchedRules {
        let of_parent = |at: usize| parent.0.get(at).copied().unwrap_or(false);
        let matches = |(at, rule): (usize, &IgnoreRule)| {
            of_parent(at) || rule.expression.is_match(path.as_bytes())
        };
        MatchedRules(self.rules.iter().enumerate().map(matches).collect())
    }

    /// Whether the path of this result is ignored.
    pub(super) fn ignores(&self, matched: &MatchedRules) -> bool {
        let mut hits = self.rules.iter().zip(&matched.0).rev();
        hits.find(|(_, hit)| **hit).is_some_and(|(rule, _)| !rule.takes_in)
    }

    /// Whether a path is ignored, by itself or by one of its parents.
    #[must_use]
    pub fn is_ignored(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let matched =
            ends.fold(MatchedRules::default(), |parent, end| self.matched(&parent, &path[..end]));
        self.ignores(&matched)
    }
}

/// The path without `.`, `..` and doubled or outer slashes, as Go's `filepath.Clean` makes it.
fn clean(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match part {
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            // Nothing is above the context.
            ".." if pattern.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A pattern as a regular expression.
fn expression(pattern: &str) -> String {
    let mut out = String::from("(?s-u)^");
    let mut characters = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(character) = characters.next() {
        match character {
            '*' if !in_class && characters.next_if_eq(&'*').is_some() => {
                characters.next_if_eq(&'/');
                out.push_str(if characters.peek().is_none() { ".*" } else { "(?:.*/)?" });
            }
            '*' if !in_class => out.push_str("[^/]*"),
            '?' if !in_class => out.push_str("[^/]"),
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                if characters.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '-' if in_class => out.push('-'),
            '\\' => out.push_str(&escaped(characters.next().unwrap_or('\\'))),
            other => out.push_str(&escaped(other)),
        }
    }
    out + "$"
}

/// A character that stands for itself, by its bytes.
fn escaped(character: char) -> String {
    match character.is_ascii() {
        true => regex::escape(&character.to_string()),
        false => {
            let mut room = [0; 4];
            let bytes = character.encode_utf8(&mut room).bytes();
            bytes.map(|byte| format!("\\x{byte:02x}")).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignored(rules: &str, path: &str) -> bool {
        IgnoreRules::parse(".dockerignore", rules).unwrap().is_ignored(path)
    }

    /// Rows of Docker's reference and of the tests of moby/patternmatcher.
    #[test]
    fn patterns_match_as_docker_says() {
        for (rules, path, expected) in [
            ("*/temp*", "somedir/temporary.txt", true),
            ("*/temp*", "somedir/temp/a", true),
            ("*/temp*", "temporary", false),
            ("*/*/temp*", "somedir/subdir/temporary.txt", true),
            ("temp?", "tempa", true),
            ("temp?", "temp/", false),
            ("**/*.go", "a.go", true),
            ("**/*.go", "a/b/c.go", true),
            ("**/*.go", "a/b/c.got", false),
            ("**", "a/b", true),
            ("dir/**", "dir/a/b", true),
            ("dir/**", "dir", false),
            ("**/dir2/*", "dir/dir2/file", true),
            ("**/dir2", "dir/dir2/dir3/file", true),
            ("abc/**/def", "abc/def", true),
            ("abc/**/def", "abc/x/y/def", true),
            ("/foo", "foo/bar", true),
            ("./foo/", "foo", true),
            ("../foo", "foo", false),
            ("a/../b", "b", true),
            ("foo", "sub/foo", false),
            ("[a-c].txt", "b.txt", true),
            ("[^a-c].txt", "b.txt", false),
            ("a.txt", "abtxt", false),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("(x)+{1}|$", "(x)+{1}|$", true),
            ("ü?", "üb", true),
            ("a^", "a^", true),
            (" padded ", "padded", true),
            ("# comment", "# comment", false),
            ("\u{feff}first", "first", true),
        ] {
            assert_eq!(ignored(rules, path), expected, "{rules:?} {path:?}");
        }
    }

    #[test]
    fn the_last_pattern_that_matches_decides() {
        let first = "*.md\n!README*.md\nREADME-secret.md";
        assert!(ignored(first, "a.md") && ignored(first, "README-secret.md"));
        assert!(!ignored(first, "README.md"));
        assert!(!ignored("*.md\nREADME-secret.md\n!README*.md", "README-secret.md"));
        assert!(!ignored("foo\n!foo/bar", "foo/bar/baz"));
        assert!(ignored("foo\n!foo/bar", "foo/other"));
        assert!(!ignored("**\n!src", "src/main.rs"));
    }

    #[test]
    fn a_pattern_that_means_nothing_is_told_with_its_line() {
        for (rules, what) in [("a\n[b", "a `[`"), ("a\n!", "takes in nothing"), ("a\n[]", "a `[`")]
        {
            let error = IgnoreRules::parse("x.dockerignore", rules).unwrap_err().to_string();
            assert!(error.starts_with("x.dockerignore:2: ") && error.contains(what), "{error}");
        }
    }
}
