//! `--probe`: what one task finds out from inside, where no call to AWS can look.
//!
//! [`ProbePlan`] says what is to be tried, [`ProbePlan::script`] writes the script that does it in a task, and
//! [`probe_lines`] judges what came back. Nothing here starts a task.

mod plan;
mod probe_answer;
mod probe_line;
mod script;

pub use plan::{ADDRESS_URL, ProbePlan, ProbeStep};
pub use probe_answer::{ProbeAnswer, probe_answers};
pub use probe_line::{ProbeFailure, ProbeRun, probe_lines, probe_not_begun};
