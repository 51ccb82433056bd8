//! The contract of the four stages as gitlab-runner sees it: streams, exit codes, signals.

mod invariant_checks;
mod large_logs;
mod long_jobs;
mod prepare_interrupts;
mod run_interrupts;
mod script_output;
mod stage_contract;
