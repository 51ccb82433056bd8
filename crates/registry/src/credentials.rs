//! User name and password of a registry, and the one JSON form in which ECS reads them from a secret.
//!
//! Source: Amazon ECS Developer Guide, "Private registry authentication for tasks". The agent of ECS
//! compares the names of members without regard to case and ignores further members.

use std::fmt;

use serde_json::{Value, json};
use zeroize::Zeroizing;

/// Longest value of a secret, in bytes. Source: AWS Secrets Manager API Reference, `PutSecretValue`.
const MAX_SECRET: usize = 65_536;

/// A login of a registry.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryCredentials {
    username: String,
    password: Zeroizing<String>,
}

/// Why a text is no login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsFormError {
    /// The value is bytes and no text.
    #[error("the value is binary; ECS reads a text")]
    Binary,
    /// It is no JSON object.
    #[error("the value is not a JSON object")]
    NoObject,
    /// A member is missing or empty.
    #[error("the JSON has no `{0}`")]
    Missing(&'static str),
    /// A member is no text.
    #[error("`{0}` in the JSON is not a text in quotation marks")]
    NoText(&'static str),
    /// A user name or password that cannot be used.
    #[error("the {0} has a control character or a line break")]
    ControlCharacter(&'static str),
    /// A user name with a colon cannot be sent by HTTP.
    #[error("the user name has a colon, which no registry can receive")]
    Colon,
    /// Too long for a secret.
    #[error("user name and password together are longer than {MAX_SECRET} bytes")]
    TooLong,
}

impl fmt::Debug for RegistryCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryCredentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl RegistryCredentials {
    /// A login that a person gave.
    ///
    /// # Errors
    ///
    /// [`CredentialsFormError`], if it is empty or cannot be sent to a registry.
    pub fn new(username: &str, password: &str) -> Result<Self, CredentialsFormError> {
        let text = |name: &'static str, value: &str| {
            if value.is_empty() {
                return Err(CredentialsFormError::Missing(name));
            }
            match value.chars().any(char::is_control) {
                true => Err(CredentialsFormError::ControlCharacter(name)),
                false => Ok(()),
            }
        };
        text("username", username)?;
        text("password", password)?;
        if username.contains(':') {
            return Err(CredentialsFormError::Colon);
        }
        let password = Zeroizing::new(password.to_owned());
        let login = Self { username: username.to_owned(), password };
        if login.to_json().len() > MAX_SECRET {
            return Err(CredentialsFormError::TooLong);
        }
        Ok(login)
    }

    /// Reads the text of a secret as ECS does.
    ///
    /// # Errors
    ///
    /// [`CredentialsFormError`], which repeats nothing of the text.
    pub fn from_json(text: &str) -> Result<Self, CredentialsFormError> {
        let Ok(Value::Object(members)) = serde_json::from_str(text) else {
            return Err(CredentialsFormError::NoObject);
        };
        let member = |wanted: &'static str| {
            let exact = members.get(wanted);
            let found = exact.or_else(|| {
                members.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, v)| v)
            });
            match found {
                None | Some(Value::Null) => Err(CredentialsFormError::Missing(wanted)),
                Some(Value::String(text)) => Ok(text.as_str()),
                Some(_) => Err(CredentialsFormError::NoText(wanted)),
            }
        };
        Self::new(member("username")?, member("password")?)
    }

    /// The text of the secret.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<String> {
        let json = json!({ "username": self.username, "password": self.password.as_str() });
        Zeroizing::new(json.to_string())
    }

    /// The user name.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_ecs_reads() {
        let login = RegistryCredentials::new("ci", "open \"sesame\" \\ é").unwrap();
        let json = login.to_json();
        assert_eq!(json.as_str(), r#"{"password":"open \"sesame\" \\ é","username":"ci"}"#);
        assert_eq!(RegistryCredentials::from_json(&json).unwrap(), login);
        assert!(!format!("{login:?}").contains("sesame"));
        let other = r#"{"Username":"ci","PASSWORD":"p","more":1}"#;
        assert_eq!(RegistryCredentials::from_json(other).unwrap().password(), "p");
    }

    #[test]
    fn a_text_that_ecs_cannot_read_is_told_without_repeating_it() {
        for (text, said) in [
            ("ci:canary", "the value is not a JSON object"),
            ("", "the value is not a JSON object"),
            ("[\"canary\"]", "the value is not a JSON object"),
            (r#"{"user":"canary","password":"canary"}"#, "the JSON has no `username`"),
            (r#"{"username":"ci"}"#, "the JSON has no `password`"),
            (r#"{"username":"ci","password":""}"#, "the JSON has no `password`"),
            (
                r#"{"username":"ci","password":["canary"]}"#,
                "`password` in the JSON is not a text in quotation marks",
            ),
            (
                r#"{"username":"ci","password":"canary\n"}"#,
                "the password has a control character or a line break",
            ),
            (
                r#"{"username":"a:b","password":"canary"}"#,
                "the user name has a colon, which no registry can receive",
            ),
        ] {
            assert_eq!(
                RegistryCredentials::from_json(text).unwrap_err().to_string(),
                said,
                "{text}"
            );
        }
    }
}
