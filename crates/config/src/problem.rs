//! What is wrong with a configuration file, in sentences that suffice by themselves.
//!
//! Nothing here decides what is wrong, and nothing here chooses colours or exit codes.

use std::fmt;
use std::path::{Path, PathBuf};

use fargate_model::text::escape;

use crate::value::KeyLocation;

/// How many further problems `Problems` prints under the first.
const SHOWN: usize = 9;

/// One thing that is wrong, or only noticed, in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The file, as it was named.
    pub path: PathBuf,
    /// The line it is on, from 1; `None` where the whole file is meant or a key is absent.
    pub line: Option<usize>,
    /// The dotted key, such as `defaults.ssh.port`.
    pub key: Option<String>,
    /// What is wrong: lower case, one line, names the key, what was given and what is allowed.
    pub message: String,
    /// What to do about it, with commands and settings in backticks.
    pub hint: Option<String>,
}

impl ConfigProblem {
    /// A problem of the key at `place`; `rest` follows its name.
    pub(crate) fn of_key(
        path: &Path,
        place: &KeyLocation,
        rest: &str,
        hint: Option<String>,
    ) -> Self {
        let message = format!("key `{}` {rest}", place.key);
        Self {
            path: path.to_owned(),
            line: place.line,
            key: Some(place.key.clone()),
            message,
            hint,
        }
    }

    /// `config.toml:12` or `config.toml`.
    fn place(&self) -> String {
        let path = escape(&self.path.display().to_string());
        self.line.map_or_else(|| path.clone(), |line| format!("{path}:{line}"))
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.message)
    }
}

impl std::error::Error for ConfigProblem {}

/// Every problem of a file, in the order of the file; never empty.
///
/// Displayed, it is what follows `error: ` on a terminal: the first problem, the others as
/// indented facts, and the hint of the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The problems; those without a line come last.
    pub problems: Vec<ConfigProblem>,
}

impl ConfigError {
    /// The first problem, which is where to begin.
    #[must_use]
    pub fn first(&self) -> Option<&ConfigProblem> {
        self.problems.first()
    }

    /// One line for each further problem, at most ten lines.
    #[must_use]
    pub fn facts(&self) -> Vec<String> {
        let others = self.problems.get(1..).unwrap_or_default();
        let mut facts: Vec<String> =
            others.iter().take(SHOWN).map(ConfigProblem::to_string).collect();
        if others.len() > SHOWN {
            facts.push(format!("and {} more", others.len() - SHOWN));
        }
        facts
    }
}

impl From<ConfigProblem> for ConfigError {
    fn from(problem: ConfigProblem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.first() else { return Ok(()) };
        write!(f, "{first}")?;
        for fact in self.facts() {
            write!(f, "\n  {fact}")?;
        }
        first.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\nhint: {hint}"))
    }
}

impl std::error::Error for ConfigError {}
