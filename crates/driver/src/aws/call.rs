//! A call to AWS that did not succeed, in one shape for every operation of every service.

use std::error::Error;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecs::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;

use super::http::ProxyFailed;
use super::role::RoleFailed;
use crate::mask;

/// Longest text of an error that is kept, in characters.
const LONGEST_TEXT: usize = 400;

/// What kept a call from its result.
#[derive(Clone, Debug)]
pub enum CallError {
    /// The service answered with an exception.
    Answered {
        /// Name of the exception, such as `ClientException`.
        code: String,
        /// The service's words.
        message: String,
        /// HTTP status.
        status: u16,
        /// AWS's id of the request, for its support.
        request_id: Option<String>,
    },
    /// No answer arrived, so it is not known whether the request took effect.
    NoAnswer {
        /// What went wrong, with its causes.
        text: String,
    },
    /// An answer arrived that could not be read, so it is not known what took effect.
    Unreadable {
        /// What is wrong with it.
        text: String,
    },
    /// The request never left this host: no credentials, for example.
    NotSent {
        /// What is missing.
        text: String,
        /// True if it may be there a moment later: the source of credentials did not answer.
        passing: bool,
    },
    /// Nothing was sent: the endpoint that the environment names is no URL.
    Endpoint {
        /// What is wrong with it.
        text: String,
    },
    /// Nothing was sent: the proxy of the environment gave no way.
    Proxy {
        /// Its URL without its login.
        proxy: String,
        /// It asks for a login that it was not given.
        asks_for_login: bool,
        /// What went wrong.
        text: String,
    },
    /// Nothing was sent: the certificate of whoever answered is not trusted here.
    Untrusted {
        /// What is wrong with it.
        text: String,
    },
    /// ECS was not the one: another service did not answer a question that was needed.
    Elsewhere {
        /// For people, for example `EC2`.
        service: &'static str,
        /// Where it was asked.
        endpoint: String,
        /// The right that the question needs.
        right: &'static str,
        /// What came of it.
        error: Box<CallError>,
    },
    /// Nothing was sent: STS did not give the role.
    Role {
        /// Its ARN.
        role: String,
        /// Where STS was asked.
        endpoint: String,
        /// What came of it.
        error: Box<CallError>,
    },
}

impl CallError {
    /// Sorts what the SDK gives.
    pub fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + RequestId + 'static,
    {
        let text = || mask::within(&chain(error), LONGEST_TEXT);
        if let Some(known) = Self::before_sending(error) {
            return known;
        }
        match error {
            SdkError::ServiceError(service) => Self::Answered {
                code: service.err().code().unwrap_or("an unnamed exception").to_owned(),
                message: mask::text(service.err().message().unwrap_or_default()).into_owned(),
                status: service.raw().status().as_u16(),
                request_id: service.err().request_id().map(str::to_owned),
            },
            SdkError::ConstructionFailure(_) => Self::NotSent { text: text(), passing: false },
            SdkError::DispatchFailure(failure) if failure.is_user() => {
                Self::NotSent { text: text(), passing: false }
            }
            // The SDK gives these no type.
            SdkError::DispatchFailure(_) if text().contains("failed to apply endpoint") => {
                Self::Endpoint { text: text() }
            }
            SdkError::DispatchFailure(_) if find::<CredentialsError>(error).is_some() => {
                Self::no_credentials(text())
            }
            SdkError::DispatchFailure(_) if text().contains("credentials") => {
                Self::no_credentials(text())
            }
            SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => {
                Self::NoAnswer { text: text() }
            }
            _ => Self::Unreadable { text: text() },
        }
    }

    /// Sorts what a connection gives.
    pub(super) fn of_connector(error: &ConnectorError) -> Self {
        let text = mask::within(&chain(error), LONGEST_TEXT);
        Self::before_sending(error).unwrap_or(Self::NoAnswer { text })
    }

    /// Sorts what a source of credentials gives.
    pub(super) fn of_credentials(error: &CredentialsError) -> Self {
        let text = mask::within(&chain(error), LONGEST_TEXT);
        Self::before_sending(error).unwrap_or_else(|| Self::no_credentials(text))
    }

    fn no_credentials(text: String) -> Self {
        let passing = ["timed out", "timeout", "took too long", "throttl"]
            .iter()
            .any(|words| text.to_ascii_lowercase().contains(words));
        Self::NotSent { text, passing }
    }

    /// What kept the request on this host, where that is known.
    fn before_sending(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(RoleFailed { role, endpoint, error }) = find(error) {
            let (role, endpoint) = (role.clone(), endpoint.clone());
            return Some(Self::Role { role, endpoint, error: Box::new(error.clone()) });
        }
        if let Some(text) = untrusted(error) {
            return Some(Self::Untrusted { text });
        }
        let failed: &ProxyFailed = find(error)?;
        Some(Self::Proxy {
            proxy: failed.proxy.clone(),
            asks_for_login: failed.asks_for_login,
            text: mask::within(&chain(failed), LONGEST_TEXT),
        })
    }

    /// True if the service says that the caller lacks this right.
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

    /// True if the same request may succeed when it is sent again.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Answered { code, status, .. } => {
                *status >= 500 || *status == 429 || is_throttling(code)
            }
            Self::NoAnswer { .. } | Self::Unreadable { .. } => true,
            Self::NotSent { passing, .. } => *passing,
            Self::Proxy { asks_for_login, .. } => !asks_for_login,
            Self::Endpoint { .. } | Self::Untrusted { .. } => false,
            Self::Role { error, .. } | Self::Elsewhere { error, .. } => error.is_transient(),
        }
    }

    /// True if the service says that this host's clock differs from its own.
    #[must_use]
    pub fn is_of_clock(&self) -> bool {
        let Self::Answered { code, message, .. } = self else { return false };
        is_of_clock(code, message)
    }

    /// True if the service says that it is asked too fast.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        matches!(self, Self::Answered { code, .. } if is_throttling(code))
    }

    /// True if the request may have taken effect all the same.
    #[must_use]
    pub fn leaves_doubt(&self) -> bool {
        match self {
            Self::Answered { status, .. } => *status >= 500,
            Self::NoAnswer { .. } | Self::Unreadable { .. } => true,
            Self::Elsewhere { error, .. } => error.leaves_doubt(),
            Self::NotSent { .. }
            | Self::Endpoint { .. }
            | Self::Proxy { .. }
            | Self::Untrusted { .. }
            | Self::Role { .. } => false,
        }
    }

    /// AWS's id of the request, where it gave one.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Answered { request_id, .. } => request_id.as_deref(),
            Self::Role { error, .. } | Self::Elsewhere { error, .. } => error.request_id(),
            _ => None,
        }
    }
}

/// Exceptions that a signature gets whose time is not the service's, and others.
pub const OF_SIGNATURES: [&str; 3] =
    ["InvalidSignatureException", "SignatureDoesNotMatch", "RequestExpired"];

/// True for an exception that a signature gets whose time is not the service's.
pub fn is_of_clock(code: &str, message: &str) -> bool {
    OF_SIGNATURES.contains(&code)
        && ["expired", "not yet current"].iter().any(|words| message.contains(words))
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
            Self::NoAnswer { text }
            | Self::Unreadable { text }
            | Self::NotSent { text, .. }
            | Self::Endpoint { text }
            | Self::Proxy { text, .. }
            | Self::Untrusted { text } => f.write_str(text),
            Self::Elsewhere { service, error, .. } => write!(f, "asking {service}: {error}"),
            Self::Role { role, error, .. } => write!(f, "assuming the role {role}: {error}"),
        }
    }
}

impl std::error::Error for CallError {}

/// The error and everything that caused it, outermost first. A cause that an I/O error wraps is not
/// skipped, as its own `source` would.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<std::io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    })
}

/// The first cause of this type.
pub(super) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// Why the certificate of whoever answered is refused, if it is.
pub(super) fn untrusted(error: &(dyn Error + 'static)) -> Option<String> {
    match find::<rustls::Error>(error)? {
        refusal @ rustls::Error::InvalidCertificate(_) => Some(refusal.to_string()),
        _ => None,
    }
}

/// All causes in one line.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in causes(error) {
        let next = cause.to_string();
        if text.is_empty() {
            text = next;
        } else if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
    }
    text
}

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
