//! Finds the instructions of a Dockerfile: parser directives, comments, lines that go on, heredocs, flags.
//!
//! Source: Docker's reference of the Dockerfile; moby/buildkit, frontend/dockerfile/parser.

use super::dockerfile_error::DockerfileError;

/// Largest Dockerfile, in bytes. Ours.
pub const MAX_DOCKERFILE_BYTES: usize = 1024 * 1024;

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerfileInstruction {
    /// Where it begins, from 1.
    pub line: usize,
    /// Its first word, in capital letters.
    pub keyword: String,
    /// `--name=value`, in order; the value is empty for `--name`.
    pub flags: Vec<(String, String)>,
    /// The rest, with the lines that go on joined.
    pub arguments: String,
    /// The texts of its heredocs.
    pub heredocs: Vec<String>,
}

impl DockerfileInstruction {
    /// The value of a flag.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<&str> {
        self.flags.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The arguments as words, as `COPY` takes them: with quotes resolved, or as a list in JSON.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let is_list = self.arguments.starts_with('[');
        match serde_json::from_str::<Vec<String>>(&self.arguments) {
            Ok(words) if is_list => words,
            _ => split_words(&self.arguments),
        }
    }
}

/// The instructions of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedDockerfile {
    /// Its path in the context.
    pub file: String,
    /// The image of `# syntax=`, which the engine would fetch to read the file.
    pub syntax: Option<String>,
    /// All instructions.
    pub instructions: Vec<DockerfileInstruction>,
}

impl ParsedDockerfile {
    /// Whether it uses what the engine's first builder does not know: mounts, heredocs and other flags.
    #[must_use]
    pub fn needs_buildkit(&self) -> bool {
        let is_known = |flag: &str| ["from", "chown", "platform"].contains(&flag);
        self.instructions.iter().any(|one| {
            let is_health = one.keyword == "HEALTHCHECK";
            !one.heredocs.is_empty()
                || (!is_health && one.flags.iter().any(|(flag, _)| !is_known(flag)))
        })
    }

    /// Reads a Dockerfile; `file` is its path in messages.
    ///
    /// # Errors
    ///
    /// [`DockerfileError`], if it has no instructions that could be built.
    pub fn parse(file: &str, content: &[u8]) -> Result<Self, DockerfileError> {
        let file = file.to_owned();
        if content.len() > MAX_DOCKERFILE_BYTES {
            return Err(DockerfileError::TooLarge { file, most_bytes: MAX_DOCKERFILE_BYTES });
        }
        let text = as_text(&file, content)?;
        let directives = ParserDirectives::of(text);
        let mut lexer =
            DockerfileLexer { file: &file, lines: text.lines().enumerate(), directives };
        let mut instructions = Vec::new();
        while let Some(instruction) = lexer.next()? {
            instructions.push(instruction);
        }
        match instructions.iter().find(|one| one.keyword != "ARG") {
            None => return Err(DockerfileError::Empty { file }),
            Some(first) if first.keyword != "FROM" => {
                let found = format!("`{}`", first.keyword);
                return Err(DockerfileError::NoBase { file, line: first.line, found });
            }
            Some(_) => {}
        }
        let syntax = lexer.directives.syntax;
        Ok(Self { file, syntax, instructions })
    }
}

fn as_text<'a>(file: &str, content: &'a [u8]) -> Result<&'a str, DockerfileError> {
    let line_of = |at: usize| content[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    let text = std::str::from_utf8(content).map_err(|error| DockerfileError::NotText {
        file: file.to_owned(),
        line: line_of(error.valid_up_to()),
    })?;
    match text.find("\r\n") {
        Some(at) => {
            Err(DockerfileError::CarriageReturn { file: file.to_owned(), line: line_of(at) })
        }
        None => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
    }
}

/// `# escape=` and `# syntax=`, which stand before everything else.
struct ParserDirectives {
    escape: char,
    syntax: Option<String>,
}

impl ParserDirectives {
    fn of(text: &str) -> Self {
        let mut directives = Self { escape: '\\', syntax: None };
        for line in text.lines() {
            let Some((name, value)) = line
                .strip_prefix('#')
                .and_then(|comment| comment.split_once('='))
                .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
            else {
                break;
            };
            match name.as_str() {
                "escape" if value == "`" => directives.escape = '`',
                "syntax" => directives.syntax = Some(value.to_owned()),
                "escape" | "check" => {}
                _ => break,
            }
        }
        directives
    }
}

struct DockerfileLexer<'a> {
    file: &'a str,
    lines: std::iter::Enumerate<std::str::Lines<'a>>,
    directives: ParserDirectives,
}

impl DockerfileLexer<'_> {
    fn next(&mut self) -> Result<Option<DockerfileInstruction>, DockerfileError> {
        let Some((at, text)) = self.logical_line() else { return Ok(None) };
        let (keyword, rest) = text.split_once(char::is_whitespace).unwrap_or((&text, ""));
        let (flags, arguments) = split_flags(rest.trim());
        let mut instruction = DockerfileInstruction {
            line: at + 1,
            keyword: keyword.to_ascii_uppercase(),
            flags,
            arguments: arguments.to_owned(),
            heredocs: Vec::new(),
        };
        if ["RUN", "COPY", "ADD"].contains(&instruction.keyword.as_str()) {
            for (word, strips) in heredoc_words(&instruction.arguments) {
                let text = self.heredoc(at + 1, &word, strips)?;
                instruction.heredocs.push(text);
            }
        }
        Ok(Some(instruction))
    }

    /// The next line that is no comment, with those that it goes on in.
    fn logical_line(&mut self) -> Option<(usize, String)> {
        let mut begun: Option<(usize, String)> = None;
        for (at, line) in self.lines.by_ref() {
            let trimmed = line.trim_start();
            // Within a line that goes on, comments and empty lines are left out.
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            let (_, text) = begun.get_or_insert_with(|| (at, String::new()));
            // A line goes on after an escape at its end, and blanks may follow that.
            match trimmed.trim_end().strip_suffix(self.directives.escape) {
                Some(goes_on) => text.push_str(goes_on),
                None => {
                    text.push_str(trimmed.trim_end());
                    break;
                }
            }
        }
        begun
    }

    fn heredoc(
        &mut self,
        line: usize,
        word: &str,
        strips: bool,
    ) -> Result<String, DockerfileError> {
        let mut text = String::new();
        for (_, content) in self.lines.by_ref() {
            let content = if strips { content.trim_start_matches('\t') } else { content };
            if content == word {
                return Ok(text);
            }
            text += content;
            text.push('\n');
        }
        let (file, word) = (self.file.to_owned(), word.to_owned());
        Err(DockerfileError::OpenHeredoc { file, line, word })
    }
}

/// The flags that stand before everything else, and what follows them.
fn split_flags(mut rest: &str) -> (Vec<(String, String)>, &str) {
    let mut flags = Vec::new();
    while let Some(flag) = rest.strip_prefix("--") {
        let (word, after) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        flags.push((name.to_owned(), value.to_owned()));
        rest = after.trim_start();
    }
    (flags, rest)
}

/// The words after `<<`, each with whether tabs are taken from the text. `<<<` is something else.
fn heredoc_words(arguments: &str) -> Vec<(String, bool)> {
    let mut words = Vec::new();
    let starts = arguments.match_indices("<<").map(|(at, _)| at);
    for at in starts {
        let before = arguments[..at].chars().next_back();
        if before.is_some_and(|c| !c.is_whitespace() && !c.is_ascii_digit()) {
            continue;
        }
        let after = &arguments[at + 2..];
        let (strips, after) = after.strip_prefix('-').map_or((false, after), |rest| (true, rest));
        let after = after.trim_start_matches(['"', '\'']);
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let word: String = after.chars().take_while(|c| is_word(*c)).collect();
        if word.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            words.push((word, strips));
        }
    }
    words
}

/// Words as a shell splits them, as far as a Dockerfile does: quotes and escapes, no expansion.
pub(super) fn split_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\\', None | Some('"')) => {
                word.get_or_insert_default().extend(characters.next());
            }
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> ParsedDockerfile {
        ParsedDockerfile::parse("Dockerfile", text.as_bytes()).unwrap()
    }

    fn refused(content: &[u8]) -> String {
        ParsedDockerfile::parse("Dockerfile", content).unwrap_err().to_string()
    }

    #[test]
    fn lines_that_go_on_comments_and_flags_are_understood() {
        let file = parsed(
            "# syntax=docker/dockerfile:1\n# a comment\narg BASE=x\nFROM --platform=linux/amd64 $BASE AS b\n\
             RUN --mount=type=secret,id=npm --network=none a \\\n  # between\n\n  && b \\ \n && c\n\
             COPY [\"a b\", \"/c\"]\nCOPY --chown=1:1 'x y' z\\ w /d/\n",
        );
        assert_eq!(file.syntax.as_deref(), Some("docker/dockerfile:1"));
        let lines: Vec<_> = file.instructions.iter().map(|one| one.line).collect();
        assert_eq!(lines, [3, 4, 5, 10, 11]);
        let run = &file.instructions[2];
        assert_eq!(run.flag("mount"), Some("type=secret,id=npm"));
        assert_eq!(run.arguments, "a && b && c");
        assert_eq!(file.instructions[3].words(), ["a b", "/c"]);
        assert_eq!(file.instructions[4].words(), ["x y", "z w", "/d/"]);
    }

    #[test]
    fn the_escape_may_be_another_character() {
        let file = parsed("# escape=`\nFROM x\nRUN a `\n b\\\n");
        assert_eq!(file.instructions[1].arguments, "a b\\");
    }

    #[test]
    fn heredocs_are_no_instructions() {
        let file = parsed(
            "FROM x\nRUN <<EOF\nFROM secret\nEOF\nCOPY <<-\"A\" <<B /x/\n\tone\n\tA\ntwo\nB\nRUN cat <<<word\n",
        );
        let texts: Vec<_> = file.instructions.iter().map(|one| one.heredocs.concat()).collect();
        assert_eq!(texts, ["", "FROM secret\n", "one\ntwo\n", ""]);
    }

    #[test]
    fn each_file_that_cannot_be_built_has_one_clear_error() {
        insta::assert_snapshot!([
            refused(b""),
            refused(b"# only\n\n# comments\n"),
            refused(b"ARG A=1\n"),
            refused(b"FROM x\r\nRUN a\r\n"),
            refused(b"FROM x\nRUN \xff\n"),
            refused(b"RUN a\nFROM x\n"),
            refused(b"FROM x\nRUN <<EOF\na\n"),
            refused(&vec![b'#'; MAX_DOCKERFILE_BYTES + 1]),
        ].join("\n\n"), @r"
        reading Dockerfile: it has no instruction
        hint: a Dockerfile begins with `FROM`

        reading Dockerfile: it has no instruction
        hint: a Dockerfile begins with `FROM`

        reading Dockerfile: it has no instruction
        hint: a Dockerfile begins with `FROM`

        Dockerfile:1: the line ends with CR and LF; LF alone is expected
        hint: `sed -i 's/\r$//' Dockerfile`

        Dockerfile:2: this line is not UTF-8
        hint: save the file as UTF-8

        Dockerfile:1: `RUN` stands before the first `FROM`
        hint: only `ARG` may stand there

        Dockerfile:2: the text after `<<EOF` has no end
        hint: write a line `EOF` after it

        reading Dockerfile: it has more than 1048576 bytes
        hint: is this the Dockerfile?
        ");
    }
}
