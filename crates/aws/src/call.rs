//! A call to AWS that did not succeed, in one shape for every operation of every service.

use std::error::Error;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;
use fargate_mask as mask;
use fargate_model::cause::CauseReport;
use fargate_model::text::error_chain;

use crate::http::{ProxyError, ResponseReadError};
use crate::role::RoleCredentialsError;
use crate::source::NoCredentials;

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
    /// No connection was made, so nothing was sent.
    NotReached {
        /// What went wrong, with its causes.
        text: String,
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
    /// Nothing was sent: the request could not be made.
    NotSent {
        /// What is wrong.
        text: String,
    },
    /// Nothing was sent: there are no credentials.
    Credentials {
        /// Why, in the words of the catalogue.
        why: Box<CauseReport>,
        /// True if they may be there a moment later: their source did not answer, for example.
        passing: bool,
    },
    /// The service says that credentials have ended, and their source gave no others yet. It may do so
    /// a moment later.
    Expired {
        /// The service's words.
        error: Box<CallError>,
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
        E: Error + ProvideErrorMetadata + RequestId + 'static,
    {
        let text = || mask::within(&error_chain(error), LONGEST_TEXT);
        if let Some(known) = Self::known(error) {
            return known;
        }
        match error {
            SdkError::ServiceError(service) => Self::Answered {
                code: service.err().code().unwrap_or("an unnamed exception").to_owned(),
                message: mask::text(service.err().message().unwrap_or_default()).into_owned(),
                status: service.raw().status().as_u16(),
                request_id: service.err().request_id().map(str::to_owned),
            },
            SdkError::ConstructionFailure(_) => Self::NotSent { text: text() },
            SdkError::DispatchFailure(failure) if failure.is_user() => {
                Self::NotSent { text: text() }
            }
            // The SDK gives these no type.
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

    /// Sorts what a connection gives.
    pub(crate) fn of_connector(error: &ConnectorError) -> Self {
        let text = mask::within(&error_chain(error), LONGEST_TEXT);
        Self::known(error).unwrap_or(Self::NoAnswer { text })
    }

    /// Sorts what a source of credentials gives.
    pub(crate) fn of_credentials(error: &CredentialsError) -> Self {
        Self::known(error).unwrap_or_else(|| Self::NotSent {
            text: mask::within(&error_chain(error), LONGEST_TEXT),
        })
    }

    /// What went wrong, where one of our own types or a library's says it.
    fn known(error: &(dyn Error + 'static)) -> Option<Self> {
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
            let text = mask::within(&error_chain(unread), LONGEST_TEXT);
            return Some(Self::Unreadable { text });
        }
        let Some(failed) = find::<ProxyError>(error) else {
            let text = || mask::within(&error_chain(error), LONGEST_TEXT);
            return was_not_connected(error).then(|| Self::NotReached { text: text() });
        };
        Some(Self::Proxy {
            proxy: failed.proxy.clone(),
            asks_for_login: failed.asks_for_login,
            text: mask::within(&error_chain(failed), LONGEST_TEXT),
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
            Self::NotReached { .. } | Self::NoAnswer { .. } | Self::Unreadable { .. } => true,
            Self::Credentials { passing, .. } => *passing,
            Self::Expired { .. } => true,
            Self::NotSent { .. } => false,
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

    /// True if the service does not take the credentials, for which their source may have others.
    #[must_use]
    pub fn is_of_credentials(&self) -> bool {
        match self {
            Self::Answered { code, message, .. } => is_of_credentials(code, message),
            Self::Role { error, .. } | Self::Elsewhere { error, .. } => error.is_of_credentials(),
            _ => false,
        }
    }

    /// The same error, which passes once other credentials are there, if the service says that these
    /// ones have ended.
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

    /// True if only other credentials help, which may be there a moment later.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        match self {
            Self::Expired { .. } => true,
            Self::Role { error, .. } | Self::Elsewhere { error, .. } => error.is_expired(),
            _ => false,
        }
    }

    /// True if there are no credentials, so that nothing was sent to anybody but their source.
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

    /// AWS's id of the request, where it gave one.
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

/// Exceptions that a signature gets whose time is not the service's, and others.
pub const OF_SIGNATURES: [&str; 3] =
    ["InvalidSignatureException", "SignatureDoesNotMatch", "RequestExpired"];

/// True for an exception that a signature gets whose time is not the service's.
pub fn is_of_clock(code: &str, message: &str) -> bool {
    OF_SIGNATURES.contains(&code)
        && ["expired", "not yet current"].iter().any(|words| message.contains(words))
}

/// Exceptions that credentials get which have ended.
const EXPIRED: [&str; 2] = ["ExpiredTokenException", "ExpiredToken"];

/// Exceptions that credentials get which are not, or no longer, those of anybody.
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

/// True for an exception that says that other credentials may help.
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

/// The error and everything that caused it, outermost first. A cause that an I/O error wraps is not
/// skipped, as its own `source` would.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<std::io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    })
}

/// The first cause of this type.
pub(crate) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// True if no connection was made. Whatever is sent is sent over one.
pub(crate) fn was_not_connected(error: &(dyn Error + 'static)) -> bool {
    find::<hyper_util::client::legacy::Error>(error)
        .is_some_and(hyper_util::client::legacy::Error::is_connect)
        // The HTTP client has no public type for this one.
        || error_chain(error).contains("connect timeout")
}

/// Why the certificate of whoever answered is refused, if it is.
pub(crate) fn untrusted(error: &(dyn Error + 'static)) -> Option<String> {
    match find::<rustls::Error>(error)? {
        refusal @ rustls::Error::InvalidCertificate(_) => Some(refusal.to_string()),
        _ => None,
    }
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
