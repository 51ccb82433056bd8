//! Drift: what differs between the manifest of an image, its registries, and what tasks and task definitions
//! use; and the clean-up of what nobody needs.
//!
//! [`check_drift`] reads and changes nothing. [`clean_up_image`] deletes only if it is told to, and never on
//! partial knowledge: facts are gathered first ([`drift_facts`]), and plain functions judge them.

mod base_survey;
mod clean_up;
mod compare;
mod drift_facts;
mod drift_finding;
mod drift_report;
mod fact_survey;
mod issue_text;
mod metric_text;
mod registry_survey;
mod schedule;
mod stored_image;
mod unneeded;
mod use_survey;

pub use clean_up::{CleanUpLimits, CleanUpReport, CleanedImage, CleanedState, clean_up_image};
pub use drift_finding::{DriftClass, DriftFinding, DriftSeverity};
pub use drift_report::{DriftReport, ImageDrift, check_drift};
pub use schedule::DriftSchedule;
