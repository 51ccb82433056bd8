//! A call to ECS that did not succeed, in one shape for every operation.

use std::fmt;

use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecs::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use fargate_model::text::escape_within;

/// What kept a call from its result.
#[derive(Clone, Debug)]
pub enum CallError {
    /// ECS answered with an exception.
    Answered {
        /// Name of the exception, such as `ClientException`.
        code: String,
        /// ECS's words.
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
}

impl CallError {
    /// Sorts what the SDK gives.
    pub fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + RequestId + 'static,
    {
        let text = escape_within(&chain(error), 400);
        match error {
            SdkError::ServiceError(service) => Self::Answered {
                code: service.err().code().unwrap_or("an unnamed exception").to_owned(),
                message: service.err().message().unwrap_or_default().to_owned(),
                status: service.raw().status().as_u16(),
                request_id: service.err().request_id().map(str::to_owned),
            },
            SdkError::ConstructionFailure(_) => Self::NotSent { text, passing: false },
            SdkError::DispatchFailure(failure) if failure.is_user() => {
                Self::NotSent { text, passing: false }
            }
            SdkError::DispatchFailure(_) if text.contains("credentials") => {
                let passing = ["timed out", "timeout", "took too long", "throttl"]
                    .iter()
                    .any(|words| text.to_ascii_lowercase().contains(words));
                Self::NotSent { text, passing }
            }
            SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => Self::NoAnswer { text },
            SdkError::ResponseError(_) => Self::Unreadable { text },
            _ => Self::Unreadable { text },
        }
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
        }
    }

    /// True if the request may have taken effect all the same.
    #[must_use]
    pub fn leaves_doubt(&self) -> bool {
        match self {
            Self::Answered { status, .. } => *status >= 500,
            Self::NoAnswer { .. } | Self::Unreadable { .. } => true,
            Self::NotSent { .. } => false,
        }
    }

    /// AWS's id of the request, where it gave one.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Answered { request_id, .. } => request_id.as_deref(),
            _ => None,
        }
    }
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
            Self::NoAnswer { text } | Self::Unreadable { text } | Self::NotSent { text, .. } => {
                f.write_str(text)
            }
        }
    }
}

impl std::error::Error for CallError {}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let next = cause.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        source = cause.source();
    }
    text
}
