//! Writes the lines of a stage's script for one shell: words in quotes, notices, exported variables.
//! Which lines a stage has is decided in `script`.

use super::job::{GitLabJob, JobVariable};
use super::variables::{JobFolders, StageVariables};

/// Which shell a script is written for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShellDialect {
    /// GNU bash, the usual one.
    #[default]
    Bash,
    /// A POSIX shell.
    Sh,
}

impl ShellDialect {
    /// The dialect that `config` named; bash where it named none.
    #[must_use]
    pub fn named(shell: Option<&str>) -> Option<Self> {
        match shell {
            None | Some("" | "bash") => Some(Self::Bash),
            Some("sh") => Some(Self::Sh),
            Some(_) => None,
        }
    }

    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Sh => "sh",
        }
    }

    /// `text` as one word of this shell.
    #[must_use]
    pub fn quoted(self, text: &str) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
        if !text.is_empty() && text.chars().all(plain) {
            return text.to_owned();
        }
        match self {
            Self::Bash => ansi_c(text),
            Self::Sh => format!("'{}'", text.replace('\'', r"'\''")),
        }
    }
}

/// bash's `$'...'`: the only quoting in which a script stays one line.
fn ansi_c(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len() + 8);
    out.push_str("$'");
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            c if c.is_ascii_control() => {
                write!(out, "\\x{:02x}", u32::from(c)).expect("a string takes all")
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// What a stage's script is made from.
#[derive(Debug)]
pub struct StageScriptInput<'a> {
    /// The job.
    pub job: &'a GitLabJob,
    /// Its variables, expanded.
    pub variables: &'a StageVariables,
    /// Where its files lie.
    pub places: &'a JobFolders,
    /// What `config` announced as host; shown by `prepare_script`.
    pub hostname: &'a str,
    /// The shell.
    pub dialect: ShellDialect,
}

/// Lines of a script that is being written.
#[derive(Debug)]
pub(super) struct StageScriptBuilder {
    pub(super) lines: String,
    /// The shell that the lines are for.
    pub(super) dialect: ShellDialect,
}

impl StageScriptBuilder {
    /// One line, as it is.
    pub(super) fn line(&mut self, line: impl AsRef<str>) {
        self.lines.push_str(line.as_ref());
        self.lines.push('\n');
    }

    /// Prints `text` in the runner's green.
    pub(super) fn notice(&mut self, text: &str) {
        let word = self.dialect.quoted(&format!("\x1b[32;1m{text}\x1b[0;m"));
        match self.dialect {
            ShellDialect::Bash => self.line(format!("echo {word}")),
            ShellDialect::Sh => self.line(format!("printf '%s\\n' {word}")),
        }
    }

    /// `text` as one word.
    pub(super) fn word(&self, text: &str) -> String {
        self.dialect.quoted(text)
    }

    fn export(&mut self, variable: &JobVariable, folder: &str) {
        if !is_name(&variable.key) {
            return;
        }
        let value = self.word(&variable.value);
        if variable.file {
            let path = self.word(&format!("{folder}/{}", variable.key));
            self.line(format!("mkdir -p {}", self.word(folder)));
            self.line(format!("printf '%s' {value} > {path}"));
            self.line(format!("export {}={path}", variable.key));
        } else {
            self.line(format!("export {}={value}", variable.key));
        }
    }

    /// All variables, then those that earlier stages left in the file behind `GITLAB_ENV`.
    pub(super) fn variables(&mut self, subject: &StageScriptInput) {
        let folder = subject.places.temporary();
        for variable in subject.variables.iter() {
            self.export(variable, &folder);
        }
        let file = self.word(&format!("{folder}/gitlab_runner_env"));
        self.line(format!("export GITLAB_ENV={file}"));
        self.line(format!("mkdir -p {}", self.word(&folder)));
        self.line(format!("touch {file}"));
        self.line(format!("while read -r line; do export \"$line\"; done < {file}"));
    }

    /// The user's lines, each shown before it runs.
    pub(super) fn user_lines(&mut self, lines: &[String]) {
        for line in lines {
            let shown = match line.trim_end().split_once('\n') {
                Some((first, _)) => format!("$ {first} # collapsed multi-line command"),
                None => format!("$ {line}"),
            };
            self.notice(&shown);
            self.line(line);
        }
    }
}

/// Whether a shell can export a variable of this name.
fn is_name(key: &str) -> bool {
    let mut chars = key.chars();
    chars.next().is_some_and(|c| c == '_' || c.is_ascii_alphabetic())
        && chars.all(|c| c == '_' || c.is_ascii_alphanumeric())
}
