//! One job, whichever forge it comes from: brought up, run and cleaned up.
//!
//! [`bring_up()`] goes from a request to a task that answers, [`run_script()`] runs one script in that task,
//! and [`clean_up()`] stops whatever the job's launches may have started. They share nothing but the state
//! folder, so each may run in a process of its own, and one process may run many jobs.
//!
//! Nothing here reads a forge's variables, prints, or chooses an exit code. `task` knows ECS, `session`
//! knows the server in the task, and `verdict` says who is to blame for an end.

mod bring_up;
mod bring_up_error;
mod cancelled_task;
mod clean_up;
mod former_tasks;
mod hand_over;
mod job_description;
mod keep_task;
mod provision;
mod provision_error;
mod run_script;
mod spot_interruption;
mod take_back;
mod task_keys;
mod task_request;
mod wait_for_hold;

pub use bring_up::bring_up;
pub use bring_up_error::BringUpError;
pub use cancelled_task::CancelledTask;
pub use clean_up::{CleanupFailures, clean_up, release_kept};
pub use job_description::tell_profile;
pub use keep_task::{JobTraces, forget_failure, note_failure};
#[cfg(test)]
pub(crate) use provision::task_spec;
pub use provision::{ProvisionedTask, provision};
pub use provision_error::ProvisionError;
pub use run_script::{ScriptRunError, run_script};
pub use spot_interruption::{count_interruption, spot_notice};
#[cfg(test)]
pub(crate) use task_keys::TaskKeys;
pub use task_request::TaskRequest;
