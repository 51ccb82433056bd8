//! The language in which a person writes fault rules: lines of text that become `FaultRule`s, and an
//! explanation for each line that is no rule. What each word means stands in `reference.txt`.

mod answer;
mod line_error;
mod operations;
mod parser;
mod timing;
mod value;
mod words;

use std::str::FromStr;

use crate::fault::{FaultRules, FaultRulesError, InvalidRuleLine, MAX_RULES};
use words::without_comment;

/// The rule language, described by commented examples; every example is a rule that can be used.
pub const FAULT_REFERENCE: &str = include_str!("reference.txt");

impl FaultRules {
    /// Reads the rules of a file; a text without rules is fine.
    ///
    /// # Errors
    ///
    /// [`FaultRulesError`], with every line that is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FaultRulesError> {
        if bytes.len() > FaultRulesError::MAX_BYTES {
            return Err(FaultRulesError::TooLong);
        }
        let text = str::from_utf8(bytes)
            .map_err(|error| FaultRulesError::NotText { at: error.valid_up_to() + 1 })?;
        // Some editors begin a file with a byte order mark, which is no text.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (mut rules, mut wrong) = (Vec::new(), Vec::new());
        for (index, line) in text.lines().enumerate() {
            let bare = without_comment(line).trim();
            if bare.is_empty() {
                continue;
            }
            match parser::rule(bare) {
                Ok(rule) => rules.push(rule),
                Err(reason) => {
                    wrong.push(InvalidRuleLine::new(index + 1, line.trim(), reason.to_string()));
                }
            }
        }
        match wrong.is_empty() {
            false => Err(FaultRulesError::Lines(wrong)),
            true if rules.len() > MAX_RULES => Err(FaultRulesError::TooMany { given: rules.len() }),
            true => Ok(Self(rules)),
        }
    }
}

impl FromStr for FaultRules {
    type Err = FaultRulesError;

    fn from_str(text: &str) -> Result<Self, FaultRulesError> {
        Self::from_bytes(text.as_bytes())
    }
}

#[cfg(test)]
mod tests;
