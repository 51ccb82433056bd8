//! A bug of ours ends a stage as a system failure, with one line that repeats no value.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::process::ExitCode;

use fargate_driver::gitlab::FALLBACK_CODES;

use crate::streams::tell;

/// Runs `work`; a panic in it becomes the system code that gitlab-runner names, else 2.
pub fn guard(work: impl FnOnce() -> ExitCode) -> ExitCode {
    set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tell!(
            "fargate-runner: error: a bug in fargate-runner at {place}; report it with the job's log"
        );
    }));
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| ExitCode::from(system_code().unwrap_or(FALLBACK_CODES.system_failure)))
}

/// The system code that gitlab-runner names, if it named one.
pub fn system_code() -> Option<u8> {
    let code = std::env::var("SYSTEM_FAILURE_EXIT_CODE").ok()?;
    code.parse().ok().filter(|code| *code != 0)
}
