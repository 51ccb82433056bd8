//! What is said of a value that is not allowed. It knows neither the key nor the file.

use fargate_model::text::escape_within;

/// What is allowed in place of a value, to follow `key ... is "x", `.
pub(crate) struct ValueRefusal {
    pub(crate) allowed: String,
    pub(crate) hint: Option<String>,
    /// Whether the value may be a secret, so that no message shows it.
    is_hidden: bool,
}

impl ValueRefusal {
    pub(crate) fn new(allowed: impl Into<String>) -> Self {
        Self { allowed: allowed.into(), hint: None, is_hidden: false }
    }

    /// The refusal of a value that may be a secret.
    pub(crate) fn hidden(allowed: impl Into<String>) -> Self {
        Self { is_hidden: true, ..Self::new(allowed) }
    }

    /// The value as a message shows it.
    pub(crate) fn shown(&self, given: &str) -> String {
        if self.is_hidden { "a value that is not shown".to_owned() } else { quoted(given) }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

pub(crate) type CheckResult<T> = Result<T, ValueRefusal>;

/// What was given, harmless and short, in quotes.
pub(crate) fn quoted(given: &str) -> String {
    format!("\"{}\"", escape_within(given, 60))
}
