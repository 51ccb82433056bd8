//! A call to AWS that failed, in one type for all operations of all services.
//!
//! It says what is known: whether the request was sent, and whether it may have had an effect.
//! Which cause a person is shown is decided elsewhere.

use std::error::Error;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;
use fargate_mask::SharedMasker;
use fargate_model::cause::CauseReport;
use fargate_model::text::error_chain;

use crate::causes::{find, untrusted, was_not_connected};
use crate::credential_error::NoCredentials;
use crate::http::{ProxyError, ResponseReadError};

/// Longest error text that is kept, in characters.
const LONGEST_TEXT: usize = 400;

/// STS did not give the role.
#[derive(Debug, thiserror::Error)]
#[error("assuming the role {role}")]
pub struct RoleCredentialsError {
    /// The role's ARN.
    pub role: String,
    /// The endpoint of STS.
    pub endpoint: String,
    /// The error.
    #[source]
    pub error: CallError,
}

/// Why a call has no result.
#[derive(Clone, Debug)]
pub enum CallError {
    /// The service answered with an exception.
    Answered {
        /// The name of the exception, for example `ClientException`.
        code: String,
        /// The message of the service.
        message: String,
        /// The HTTP status.
        status: u16,
        /// AWS's id of the request, for AWS Support.
        request_id: Option<String>,
    },
    /// No connection was made, so nothing was sent.
    NotReached {
        /// The error with its causes.
        text: String,
    },
    /// No answer came, so nobody knows whether the request had an effect.
    NoAnswer {
        /// The error with its causes.
        text: String,
    },
    /// The answer cannot be read, so nobody knows whether the request had an effect.
    Unreadable {
        /// What is wrong with the answer.
        text: String,
    },
    /// The request could not be made, so nothing was sent.
    NotSent {
        /// What is wrong.
        text: String,
    },
    /// There are no credentials, so nothing was sent.
    Credentials {
        /// The cause.
        why: Box<CauseReport>,
        /// Whether credentials may come a moment later, for example because their source did not
        /// answer.
        passing: bool,
    },
    /// The service says that the credentials have expired, and their source has not given others
    /// yet. It may do so a moment later.
    Expired {
        /// The answer of the service.
        error: Box<CallError>,
    },
    /// The endpoint in the settings is not a URL, so nothing was sent.
    Endpoint {
        /// What is wrong with it.
        text: String,
    },
    /// The proxy in the settings did not connect, so nothing was sent.
    Proxy {
        /// The proxy's URL without its login.
        proxy: String,
        /// Whether the proxy asks for a login that it did not get.
        asks_for_login: bool,
        /// What went wrong.
        text: String,
    },
    /// The certificate of the server is not trusted, so nothing was sent.
    Untrusted {
        /// What is wrong with it.
        text: String,
    },
    /// Another service than ECS failed, whose answer the call needed.
    Elsewhere {
        /// The service's name for people, for example `EC2`.
        service: &'static str,
        /// The endpoint that was called.
        endpoint: String,
        /// The right that the question needs.
        right: &'static str,
        /// The error.
        error: Box<CallError>,
    },
    /// STS did not give the role, so nothing was sent.
    Role {
        /// The role's ARN.
        role: String,
        /// The endpoint of STS.
        endpoint: String,
        /// The error.
        error: Box<CallError>,
    },
}

impl CallError {
    /// Makes one from an error of the SDK.
    pub fn of<E>(error: &SdkError<E, HttpResponse>, masker: &SharedMasker) -> Self
    where
        E: Error + ProvideErrorMetadata + RequestId + 'static,
    {
        let text = || masker.within(&error_chain(error), LONGEST_TEXT);
        if let Some(known) = Self::known(error, masker) {
            return known;
        }
        match error {
            SdkError::ServiceError(service) => Self::Answered {
                code: service.err().code().unwrap_or("an unnamed exception").to_owned(),
                message: masker.text(service.err().message().unwrap_or_default()).into_owned(),
                status: service.raw().status().as_u16(),
                request_id: service.err().request_id().map(str::to_owned),
            },
            SdkError::ConstructionFailure(_) => Self::NotSent { text: text() },
            SdkError::DispatchFailure(failure) if failure.is_user() => {
                Self::NotSent { text: text() }
            }
            // The SDK has no type for these errors.
            SdkError::DispatchFailure(_) if text().contains("failed to apply endpoint") => {
                Self::Endpoint { text: text() }
            }
            SdkError::DispatchFailure(_) if find::<CredentialsError>(error).is_some() => {
                Self::NotSent { text: text() }
            }
            SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => {
                Self::NoAnswer { text: text() }
            }
            _ => Self::Unreadable { text: text() },
        }
    }

    /// Makes one from an error of a connection.
    pub(crate) fn of_connector(error: &ConnectorError, masker: &SharedMasker) -> Self {
        let text = masker.within(&error_chain(error), LONGEST_TEXT);
        Self::known(error, masker).unwrap_or(Self::NoAnswer { text })
    }

    /// Makes one from an error of a source of credentials.
    pub(crate) fn of_credentials(error: &CredentialsError, masker: &SharedMasker) -> Self {
        Self::known(error, masker).unwrap_or_else(|| Self::NotSent {
            text: masker.within(&error_chain(error), LONGEST_TEXT),
        })
    }

    /// Looks for an error of our own, or of a library that we know, among the causes.
    fn known(error: &(dyn Error + 'static), masker: &SharedMasker) -> Option<Self> {
        if let Some(RoleCredentialsError { role, endpoint, error }) = find(error) {
            let (role, endpoint) = (role.clone(), endpoint.clone());
            return Some(Self::Role { role, endpoint, error: Box::new(error.clone()) });
        }
        if let Some(NoCredentials { why, passing }) = find(error) {
            return Some(Self::Credentials { why: why.clone(), passing: *passing });
        }
        if let Some(text) = untrusted(error) {
            return Some(Self::Untrusted { text });
        }
        if let Some(unread) = find::<ResponseReadError>(error) {
            let text = masker.within(&error_chain(unread), LONGEST_TEXT);
            return Some(Self::Unreadable { text });
        }
        let Some(failed) = find::<ProxyError>(error) else {
            let text = || masker.within(&error_chain(error), LONGEST_TEXT);
            return was_not_connected(error).then(|| Self::NotReached { text: text() });
        };
        Some(Self::Proxy {
            proxy: failed.proxy.clone(),
            asks_for_login: failed.asks_for_login,
            text: masker.within(&error_chain(failed), LONGEST_TEXT),
        })
    }

    /// Whether the service says that the caller lacks this right.
    #[must_use]
    pub fn denies(&self, right: &str) -> bool {
        if let Self::Elsewhere { error, .. } = self {
            return error.denies(right);
        }
        let Self::Answered { code, message, .. } = self else { return false };
        let denied = ["AccessDeniedException", "AccessDenied", "UnauthorizedOperation"];
        let named = |found: usize| {
            let end = message[found + right.len()..].chars().next();
            end.is_none_or(|c| !c.is_ascii_alphanumeric())
        };
        denied.contains(&code.as_str()) && message.match_indices(right).any(|(at, _)| named(at))
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Answered { code, status, .. } => {
                *status >= 500 || *status == 429 || is_throttling(code)
            }
            Self::NotReached { .. } | Self::NoAnswer { .. } | Self::Unreadable { .. } => true,
            Self::Credentials { passing, .. } => *passing,
            Self::Expired { .. } => true,
            Self::NotSent { .. } => false,
            Self::Proxy { asks_for_login, .. } => !asks_for_login,
            Self::Endpoint { .. } | Self::Untrusted { .. } => false,
            Self::Role { error, .. } | Self::Elsewhere { error, .. } => error.is_transient(),
        }
    }

    /// Whether the service says that this host's clock differs from its own.
    #[must_use]
    pub fn is_of_clock(&self) -> bool {
        let Self::Answered { code, message, .. } = self else { return false };
        is_of_clock(code, message)
    }

    /// Whether the service refuses the credentials. Their source may have others.
    #[must_use]
    pub fn is_of_credentials(&self) -> bool {
        match self {
            Self::Answered { code, message, .. } => is_of_credentials(code, message),
            Self::Role { error, .. } | Self::Elsewhere { error, .. } => error.is_of_credentials(),
            _ => false,
        }
    }

    /// The same error as [`Self::Expired`], if the service says that the credentials have expired.
    #[must_use]
    pub(crate) fn passing_if_expired(self) -> Self {
        match self {
            Self::Answered { ref code, .. } if EXPIRED.contains(&code.as_str()) => {
                Self::Expired { error: Box::new(self) }
            }
            Self::Role { role, endpoint, error } => {
                Self::Role { role, endpoint, error: Box::new(error.passing_if_expired()) }
            }
            other => other,
        }
    }

    /// Whether only other credentials help, which may come a moment later.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        match self {
            Self::Expired { .. } => true,
            Self::Role { error, .. } | Self::Elsewhere { error, .. } => error.is_expired(),
            _ => false,
        }
    }

    /// Whether there are no credentials. Then only their source was called.
    #[must_use]
    pub fn is_without_credentials(&self) -> bool {
        match self {
            Self::Credentials { .. } => true,
            Self::Role { error, .. } | Self::Elsewhere { error, .. } => {
                error.is_without_credentials()
            }
            _ => false,
        }
    }

    /// Whether the service says that the caller asks too fast.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        matches!(self, Self::Answered { code, .. } if is_throttling(code))
    }

    /// Whether the request may have had an effect in spite of the error.
    #[must_use]
    pub fn leaves_doubt(&self) -> bool {
        match self {
            Self::Answered { status, .. } => *status >= 500,
            Self::NoAnswer { .. } | Self::Unreadable { .. } => true,
            Self::Elsewhere { error, .. } => error.leaves_doubt(),
            Self::NotReached { .. }
            | Self::NotSent { .. }
            | Self::Credentials { .. }
            | Self::Expired { .. }
            | Self::Endpoint { .. }
            | Self::Proxy { .. }
            | Self::Untrusted { .. }
            | Self::Role { .. } => false,
        }
    }

    /// AWS's id of the request, if AWS gave one.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Answered { request_id, .. } => request_id.as_deref(),
            Self::Role { error, .. } | Self::Elsewhere { error, .. } | Self::Expired { error } => {
                error.request_id()
            }
            _ => None,
        }
    }
}

/// Exceptions that services give for a signature with a wrong time, and for other reasons.
pub const OF_SIGNATURES: [&str; 3] =
    ["InvalidSignatureException", "SignatureDoesNotMatch", "RequestExpired"];

/// Whether this exception means that the time of the signature is wrong.
pub fn is_of_clock(code: &str, message: &str) -> bool {
    OF_SIGNATURES.contains(&code)
        && ["expired", "not yet current"].iter().any(|words| message.contains(words))
}

/// Exceptions for credentials that have expired.
const EXPIRED: [&str; 2] = ["ExpiredTokenException", "ExpiredToken"];

/// Exceptions for credentials that nobody has, or no longer has.
///
/// Source: the common errors of the API references of ECS, STS, EC2 and CloudWatch Logs.
pub const OF_CREDENTIALS: [&str; 8] = [
    "ExpiredTokenException",
    "ExpiredToken",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "AuthFailure",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "RequestExpired",
];

/// Whether this exception says that other credentials may help.
fn is_of_credentials(code: &str, message: &str) -> bool {
    OF_CREDENTIALS.contains(&code) && !is_of_clock(code, message)
}

/// Source: the retry list of botocore, `_retry.json`.
pub fn is_throttling(code: &str) -> bool {
    matches!(
        code,
        "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottledException"
            | "RequestLimitExceeded"
            | "TooManyRequestsException"
            | "ProvisionedThroughputExceededException"
    )
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { code, message, .. } => write!(f, "{code}: {message}"),
            Self::Credentials { why, .. } => {
                let evidence: Vec<_> = why.evidence.iter().map(ToString::to_string).collect();
                write!(f, "{}: {}", why.headline(), evidence.join(" "))
            }
            Self::Expired { error } => write!(f, "{error}"),
            Self::NotReached { text }
            | Self::NoAnswer { text }
            | Self::Unreadable { text }
            | Self::NotSent { text }
            | Self::Endpoint { text }
            | Self::Proxy { text, .. }
            | Self::Untrusted { text } => f.write_str(text),
            Self::Elsewhere { service, error, .. } => write!(f, "asking {service}: {error}"),
            Self::Role { role, error, .. } => write!(f, "assuming the role {role}: {error}"),
        }
    }
}

impl std::error::Error for CallError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_right_is_known_by_its_whole_name() {
        let error = |code: &str, message: &str| CallError::Answered {
            code: code.to_owned(),
            message: message.to_owned(),
            status: 400,
            request_id: None,
        };
        let words = "User: x is not authorized to perform: ecs:TagResource on resource: y";
        assert!(error("AccessDeniedException", words).denies("ecs:TagResource"));
        assert!(!error("AccessDeniedException", words).denies("ecs:Tag"));
        assert!(!error("AccessDeniedException", words).denies("ecs:RunTask"));
        assert!(!error("ClientException", words).denies("ecs:TagResource"));
        assert!(error("UnauthorizedOperation", "ec2:X").denies("ec2:X"));
    }
}
