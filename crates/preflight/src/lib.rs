//! Looks at an account before a job does: what a job needs is compared with what AWS says.
//!
//! It works in two phases. [`read_account`] asks AWS, all services side by side, each under one deadline,
//! and fills an [`AccountView`]. The checks are pure functions of [`JobNeeds`] and that view; the list of
//! them is [`CATALOGUE`]. [`check_configuration`] does both.
//!
//! It changes nothing in the account. It never passes what it could not read: that is "unknown", with the
//! right that is missing. It does not know how a report is shown or kept.

mod account_view;
mod check_catalogue;
mod check_finding;
mod check_run;
mod checks;
mod configured_checks;
mod job_needs;
mod needed_rights;
mod network;
mod policy;
pub mod probe;
mod read;
mod reading;
mod report_file;
mod views;

pub use account_view::AccountView;
pub use check_catalogue::{CATALOGUE, CheckInput, PreflightCheck};
pub use check_finding::CheckFinding;
pub use check_run::{
    CheckVerdict, CheckedAccount, DefinitionImages, check_account, report_of, verdict_of,
};
pub use configured_checks::{CheckRequest, check_configuration, no_configuration};
pub use job_needs::{GivenManager, JobNeeds, ProfileGroup};
pub use needed_rights::NeededRight;
pub use read::read_account;
pub use reading::AwsReading;
pub use report_file::{CHECKS_FILE, keep_report};
pub use views::*;
