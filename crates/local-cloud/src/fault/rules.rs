//! Rules as a file holds them: one each line, `#` for comments.

use std::fmt;
use std::str::FromStr;

use super::parse;
use super::rule::FaultRule;
use super::rule_errors::{FaultRulesError, InvalidRuleLine};
use super::words::without_comment;

/// Longest text of rules.
pub(super) const MAX_BYTES: usize = 64 * 1024;
/// Most rules that are kept at a time.
pub(super) const MAX_RULES: usize = 1000;

/// Rules in their order. Of those that strike one call, the first one counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FaultRules(pub(super) Vec<FaultRule>);

impl FaultRules {
    /// Reads the rules of a file; a text without rules is fine.
    ///
    /// # Errors
    ///
    /// [`FaultRulesError`], with every line that is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FaultRulesError> {
        if bytes.len() > MAX_BYTES {
            return Err(FaultRulesError::TooLong);
        }
        let text = str::from_utf8(bytes)
            .map_err(|error| FaultRulesError::NotText { at: error.valid_up_to() + 1 })?;
        // Some editors begin a file with a mark that is no text.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (mut rules, mut wrong) = (Vec::new(), Vec::new());
        for (index, line) in text.lines().enumerate() {
            let bare = without_comment(line).trim();
            if bare.is_empty() {
                continue;
            }
            match parse::rule(bare) {
                Ok(rule) => rules.push(rule),
                Err(reason) => wrong.push(InvalidRuleLine::new(index + 1, line.trim(), &reason)),
            }
        }
        match wrong.is_empty() {
            false => Err(FaultRulesError::Lines(wrong)),
            true if rules.len() > MAX_RULES => Err(FaultRulesError::TooMany { given: rules.len() }),
            true => Ok(Self(rules)),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rules, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &FaultRule> {
        self.0.iter()
    }
}

impl FromStr for FaultRules {
    type Err = FaultRulesError;

    fn from_str(text: &str) -> Result<Self, FaultRulesError> {
        Self::from_bytes(text.as_bytes())
    }
}

/// One line for each.
impl fmt::Display for FaultRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|rule| writeln!(f, "{rule}"))
    }
}
