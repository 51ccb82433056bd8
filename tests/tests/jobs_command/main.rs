//! `jobs list | show | logs | shell` as a person uses them: at a terminal, in pipes, and where there is
//! nothing to see or no right to look.

mod list_and_show;
mod logs;
mod odd_terminals;
mod person_at_terminal;
mod shell_ends;
mod shell_in_pipes;
mod shell_in_terminal;
mod shell_refused;
mod stalled_terminal;
mod watched_tasks;

use fargate_tests::TestJob;

/// The name by which people know `job`.
fn name_of(job: &TestJob) -> String {
    let state = job.state().expect("a state file");
    state["job_id"].as_str().expect("a name").to_owned()
}
