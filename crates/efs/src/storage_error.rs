//! Why a command of `efs` cannot do its work.

use fargate_aws::CallError;
use fargate_model::cause::CauseReport;

/// Why there is no plan, or why it was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The configuration, the command line or what AWS has does not fit; the text says what to do.
    #[error("{0}")]
    Setting(String),
    /// AWS cannot be reached as this host is set up.
    #[error("{}{}", .0.headline(), evidence(.0))]
    Account(Box<CauseReport>),
    /// A call failed.
    #[error("{doing}: {error}{}", need(error))]
    Call {
        /// What was being done.
        doing: String,
        /// Why it failed.
        #[source]
        error: CallError,
    },
    /// Something that was made did not become available in time.
    #[error("{what} is not available after {waited}: {state}; run the command again later")]
    TooLate {
        /// What it is.
        what: String,
        /// How long it was waited for.
        waited: String,
        /// Its state.
        state: String,
    },
}

impl StorageError {
    pub(crate) fn setting(text: impl Into<String>) -> Self {
        Self::Setting(text.into())
    }

    pub(crate) fn call(doing: impl Into<String>) -> impl FnOnce(CallError) -> Self {
        let doing = doing.into();
        |error| Self::Call { doing, error }
    }
}

/// The right that is missing, if AWS denied the call.
fn need(error: &CallError) -> String {
    match error {
        CallError::Elsewhere { right, error, .. } if is_denied(error) => {
            format!("; it needs the right to {right}")
        }
        _ => String::new(),
    }
}

fn is_denied(error: &CallError) -> bool {
    let denied = ["AccessDeniedException", "AccessDenied", "UnauthorizedOperation"];
    matches!(error, CallError::Answered { code, .. } if denied.contains(&code.as_str()))
}

fn evidence(why: &CauseReport) -> String {
    let lines: Vec<String> = why.evidence.iter().map(ToString::to_string).collect();
    if lines.is_empty() { String::new() } else { format!(": {}", lines.join(" ")) }
}
