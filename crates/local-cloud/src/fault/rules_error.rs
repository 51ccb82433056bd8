//! Why rules are refused: which line, what was given, what is allowed.

use std::fmt;

use fargate_model::text::{bytes, count, escape_within};

/// Longest text of rules.
const MAX_BYTES: usize = 64 * 1024;
/// Most rules that are kept at a time.
pub(crate) const MAX_RULES: usize = 1000;
/// Wrong lines that the message lists; it counts the others.
const TOLD: usize = 10;
/// Characters of a wrong line that the message repeats.
const REPEATED: usize = 60;

/// Why a text is not accepted as rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultRulesError {
    /// The text is longer than any file of rules.
    #[error("reading fault rules: they are longer than {}", bytes(as_u64(MAX_BYTES)))]
    TooLong,
    /// The file is not text.
    #[error("reading fault rules: byte {at} is not UTF-8, and rules are lines of text")]
    NotText {
        /// Where, counted from 1.
        at: usize,
    },
    /// There would be too many rules.
    #[error(
        "taking {} fault rules; at most {} are kept at a time", count(as_u64(*given)),
        count(as_u64(MAX_RULES))
    )]
    TooMany {
        /// How many there would be.
        given: usize,
    },
    /// Some lines are not rules.
    #[error("{}", told(.0))]
    Lines(Vec<InvalidRuleLine>),
}

impl FaultRulesError {
    /// Longest text of rules.
    pub(crate) const MAX_BYTES: usize = MAX_BYTES;
}

/// A line that is not a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRuleLine {
    /// Its number, counted from 1.
    pub number: usize,
    /// The line, with control characters escaped, and shortened.
    pub text: String,
    /// What is wrong, what was given and what is allowed.
    pub reason: String,
}

impl InvalidRuleLine {
    pub(crate) fn new(number: usize, text: &str, reason: String) -> Self {
        Self { number, text: escape_within(text, REPEATED), reason }
    }
}

impl fmt::Display for InvalidRuleLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, `{}`: {}", self.number, self.text, self.reason)
    }
}

fn as_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn told(lines: &[InvalidRuleLine]) -> String {
    let mut told: Vec<String> = lines.iter().take(TOLD).map(InvalidRuleLine::to_string).collect();
    if lines.len() > TOLD {
        told.push(format!("and {} more lines are wrong", lines.len() - TOLD));
    }
    told.join("\n")
}
