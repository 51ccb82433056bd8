//! Failures on demand: what goes wrong, with which call or which task, and when.
//!
//! There is one engine. A test gives it a [`CloudFault`] for the next calls; a person gives it rules in
//! a small language, which `fault_language` reads. The engine keeps, counts and records both as
//! [`FaultRule`]s. This module knows no HTTP and no state of tasks: it says which fault meets a call or
//! a task, and the code that answers the call or moves the task plays the fault.

mod cloud_fault;
mod display;
mod edit;
mod engine;
mod observed;
pub(crate) mod rule;
mod rules;
mod rules_error;
pub(crate) mod text;

pub use cloud_fault::{CloudFault, CloudTaskPhase};
pub(crate) use cloud_fault::{ReaderLag, TaskEffect, TaskFault};
pub use edit::AnswerEdit;
pub(crate) use engine::{CallEffect, DueTaskEffect, FaultEngine};
pub use engine::{FaultCount, FaultRecord};
pub(crate) use observed::{CloudTaskIdentity, ObservedCall};
pub use rule::FaultRule;
pub(crate) use rule::PROVIDERS;
pub use rules::FaultRules;
pub(crate) use rules_error::MAX_RULES;
pub use rules_error::{FaultRulesError, InvalidRuleLine};

#[cfg(test)]
mod tests;
