//! The ids that the crates exchange. Each is checked once, where it is read.
//!
//! It makes no random bits: the caller gives them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is not a valid id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not {expected}")]
pub struct IdError {
    /// The text that was given, cut to 80 characters.
    pub given: String,
    /// What is allowed, as a noun phrase.
    pub expected: &'static str,
}

fn refuse(given: &str, expected: &'static str) -> IdError {
    IdError { given: crate::text::escape_within(given, 80), expected }
}

/// 128 random bits, written as 32 hexadecimal digits.
///
/// As the client token of a *launch*, it stands for one RunTask with its exact parameters. As the
/// id of a *run*, it stands for one `run` process: the same id attaches to the script that it
/// started, and never starts it again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RandomToken(String);

impl RandomToken {
    /// Makes the token of these random bits.
    #[must_use]
    pub fn from_bits(bits: [u8; 16]) -> Self {
        Self(hex::encode(bits))
    }

    /// The 32 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RandomToken {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        let ok = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if ok { Ok(Self(text)) } else { Err(refuse(&text, "a token of 32 hexadecimal digits")) }
    }
}

impl From<RandomToken> for String {
    fn from(token: RandomToken) -> Self {
        token.0
    }
}

impl fmt::Display for RandomToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of the manager host that started a task. Every task of ours has it as `startedBy`, and
/// nothing else, because ECS filters only by the exact value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskOwner(String);

impl TaskOwner {
    /// Longest `startedBy` in characters. Source: Amazon ECS API Reference, `RunTask`.
    pub const MAX_LENGTH: usize = 128;

    /// The text that goes into `startedBy`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TaskOwner {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        let charset = |b: u8| b.is_ascii_alphanumeric() || b"-_/".contains(&b);
        let ok = !text.is_empty() && text.len() <= Self::MAX_LENGTH && text.bytes().all(charset);
        if ok {
            Ok(Self(text))
        } else {
            Err(refuse(&text, "an owner: 1 to 128 letters, digits, `-`, `_` and `/`"))
        }
    }
}

impl From<TaskOwner> for String {
    fn from(owner: TaskOwner) -> Self {
        owner.0
    }
}

impl fmt::Display for TaskOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The ARN of a task, as ECS gave it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskArn(pub String);

impl TaskArn {
    /// The part after the last slash. On ECS these are 32 hexadecimal digits.
    #[must_use]
    pub fn task_id(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The first 8 characters of the task's id, to show to people.
    #[must_use]
    pub fn short(&self) -> String {
        crate::text::escape(self.task_id()).chars().take(8).collect()
    }
}

impl fmt::Display for TaskArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_holds_only_what_started_by_accepts() {
        assert!(TaskOwner::try_from("ci-1/host_A".to_owned()).is_ok());
        for bad in ["", "a b", "ü", &"x".repeat(129)] {
            assert!(TaskOwner::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_task_is_shown_by_8_characters_of_its_id() {
        let arn = TaskArn("arn:aws:ecs:eu-west-1:123456789012:task/ci/5a7c1e90d1f24f0f".into());
        assert_eq!(arn.short(), "5a7c1e90");
        assert_eq!(TaskArn("\x1b[2J".into()).short(), "\\x1b[2J");
    }
}
