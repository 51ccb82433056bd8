//! Why there is no task definition to start a task from.
//!
//! Each text says what is wrong and what is allowed; `hint` says what to do next.

use std::path::PathBuf;

use fargate_aws::{CallError, EcsOperation};
use fargate_model::cause::CauseReport;
use fargate_state::StateError;

/// Why a template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The file cannot be read.
    #[error("the template {name} cannot be read: {what}")]
    Unread {
        /// The file.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// It is no JSON object.
    #[error("the template {name} is not JSON as ECS writes a task definition: {what}")]
    NoJson {
        /// The template.
        name: String,
        /// What is wrong, and where.
        what: String,
    },
    /// It asks for something that no setting gives.
    #[error(
        "the template {template} has the unknown placeholder `{given}` in `{member}`{}; allowed: \
         {allowed}",
        nearest.map(|name| format!(", nearest is `{name}`")).unwrap_or_default()
    )]
    UnknownPlaceholder {
        /// The template.
        template: String,
        /// Where it stands.
        member: String,
        /// The name.
        given: String,
        /// The name that was probably meant.
        nearest: Option<&'static str>,
        /// All names.
        allowed: String,
    },
    /// A placeholder stands where it cannot be filled.
    #[error("the template {template} is wrong in `{member}`: {what}")]
    Misused {
        /// The template.
        template: String,
        /// Where.
        member: String,
        /// What is wrong there.
        what: String,
    },
}

/// One thing that ECS or Fargate would refuse, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionProblem {
    /// What is wrong, and what is allowed.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl std::fmt::Display for DefinitionProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

/// Why there is no task definition.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// The profile names a task definition that somebody else made.
    #[error(
        "the profile names the task definition {name}, which somebody else made; only one with \
         `image` makes its own"
    )]
    Fixed {
        /// The one that it names.
        name: String,
    },
    /// The template cannot be used.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// ECS or Fargate would refuse what the template and the profile make.
    #[error("{}", join(.0))]
    Unusable(Vec<DefinitionProblem>),
    /// The account cannot be reached as the settings say.
    #[error("{}{}", .0.headline(), evidence(.0))]
    Account(Box<CauseReport>),
    /// A call to ECS failed.
    #[error("{} failed: {error}", operation.name())]
    Call {
        /// The operation.
        operation: EcsOperation,
        /// How it failed.
        #[source]
        error: CallError,
    },
    /// ECS answered something that is no task definition.
    #[error("ECS's answer to {} has no {what}", operation.name())]
    Answer {
        /// The operation.
        operation: EcsOperation,
        /// What is missing.
        what: &'static str,
    },
    /// The state folder cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// Another process of this host has not finished its look-up or registration in time.
    #[error("another process of this host holds {} for too long", path.display())]
    Busy {
        /// The lock.
        path: PathBuf,
    },
}

fn join(problems: &[DefinitionProblem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn evidence(why: &CauseReport) -> String {
    let lines: Vec<String> = why.evidence.iter().map(ToString::to_string).collect();
    if lines.is_empty() { String::new() } else { format!(": {}", lines.join(" ")) }
}
