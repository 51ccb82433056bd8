//! Why a source gave no credentials, and whether it may give some a moment later. Who asks again, and
//! for how long, is decided elsewhere.

use aws_credential_types::provider::error::CredentialsError;
use fargate_model::cause::CauseReport;

use crate::causes::find;

/// There are no credentials.
#[derive(Debug, thiserror::Error)]
#[error("{}", .why.headline())]
pub struct NoCredentials {
    /// The cause.
    pub why: Box<CauseReport>,
    /// Whether credentials may come a moment later.
    pub passing: bool,
}

/// Makes the error of a source that gave no credentials.
pub fn none(why: CauseReport, passing: bool) -> CredentialsError {
    CredentialsError::provider_error(NoCredentials { why: Box::new(why), passing })
}

/// Marks the error as temporary: the source may give credentials a moment later.
pub fn as_passing(error: CredentialsError) -> CredentialsError {
    match find::<NoCredentials>(&error).map(|none| none.why.as_ref().clone()) {
        Some(why) => none(why, true),
        None => error,
    }
}
