//! Why a request about one repository failed, and whether another try may succeed.

use std::time::Duration;

use fargate_aws::CallError;

use crate::registry_error::RegistryError;

/// Codes of the specification for an upload that went wrong on its way, so that a new upload may succeed.
const OF_THE_WAY: &[&str] =
    &["BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "SIZE_INVALID"];

/// Why a request about one repository failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RepositoryError {
    /// The login.
    #[error("{0}")]
    Login(Box<RegistryError>),
    /// No whole answer came.
    #[error("{doing} at {registry}: {error}")]
    NotReached {
        /// The registry.
        registry: String,
        /// What was being done.
        doing: String,
        /// Why.
        error: Box<CallError>,
    },
    /// The login has not the right.
    #[error(
        "{doing} at {registry}: the registry refuses it to {who} (HTTP status {status}){message}"
    )]
    Denied {
        /// The registry.
        registry: String,
        /// What was being done.
        doing: String,
        /// A user, or everybody.
        who: String,
        /// 401 or 403.
        status: u16,
        /// The registry's words, with a colon before them.
        message: String,
    },
    /// The registry answered with an error.
    #[error("{doing} at {registry}: HTTP status {status} {code}{message}")]
    Refused {
        /// The registry.
        registry: String,
        /// What was being done.
        doing: String,
        /// The HTTP status.
        status: u16,
        /// The code of the specification, or nothing.
        code: String,
        /// The registry's words, with a colon before them.
        message: String,
        /// How long the registry asks to wait.
        retry_after: Option<Duration>,
    },
    /// The registry sends an upload to another host, which would get the image and the login.
    #[error(
        "{doing} at {registry}: it sends the upload on to {place}, which is another server; nothing was \
         sent there"
    )]
    ForeignPlace {
        /// The registry.
        registry: String,
        /// What was being done.
        doing: String,
        /// Scheme, host and port of the other server.
        place: String,
    },
    /// The answer is none that the specification knows.
    #[error("{doing} at {registry}: {what}")]
    Unusable {
        /// The registry.
        registry: String,
        /// What was being done.
        doing: String,
        /// What is wrong with the answer.
        what: String,
    },
}

impl RepositoryError {
    /// Whether another try may succeed.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::NotReached { error, .. } => may_pass(error),
            Self::Login(error) => match error.as_ref() {
                RegistryError::NotReached { error, .. } => may_pass(error),
                error => matches!(error, RegistryError::Limited { .. }),
            },
            // 401: the token of an upload that took long has expired, and the next try gets another.
            Self::Refused { status, code, .. } => {
                matches!(status, 401 | 408 | 425 | 429 | 500..=599)
                    || OF_THE_WAY.contains(&code.as_str())
            }
            Self::Denied { .. } | Self::ForeignPlace { .. } | Self::Unusable { .. } => false,
        }
    }

    /// Whether the login is what is wrong.
    #[must_use]
    pub fn is_of_login(&self) -> bool {
        match self {
            Self::Denied { .. } => true,
            Self::Login(error) => matches!(
                error.as_ref(),
                RegistryError::LoginRefused { .. } | RegistryError::LoginNeeded { .. }
            ),
            _ => false,
        }
    }

    /// How long the registry asks to wait before the next try.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Whether a call that has no result may have one the next time.
fn may_pass(error: &CallError) -> bool {
    matches!(
        error,
        CallError::NoAnswer { .. }
            | CallError::NotReached { .. }
            | CallError::Unreadable { .. }
            | CallError::Answered { .. }
    )
}
