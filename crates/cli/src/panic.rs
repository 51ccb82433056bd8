//! A bug of ours ends a stage as a system failure, with one line that repeats no value.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::process::ExitCode;

use fargate_driver::gitlab::{FALLBACK_CODES, StageEnvironment};

/// Runs `work`; a panic in it becomes the system code that gitlab-runner names, else 2.
pub fn guard(work: impl FnOnce() -> ExitCode) -> ExitCode {
    set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let place = of_source(&place);
        // Not through the mask: what panicked may be that, or hold it.
        let _ = writeln!(
            io::stderr(),
            "fargate-runner: error: a bug in fargate-runner at {place}; report it with the job's log"
        );
    }));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        // No status of a script stands beside a failure that is ours.
        StageEnvironment::read_for_cleanup(|name| std::env::var_os(name)).forget_exit_code();
        ExitCode::from(system_code().unwrap_or(FALLBACK_CODES.system_failure))
    })
}

/// Without the folders of the machine on which this was built, which a library's place begins with.
fn of_source(place: &str) -> &str {
    let below = place.split_once("/registry/src/").and_then(|(_, below)| below.split_once('/'));
    below.map_or(place, |(_, source)| source)
}

/// The system code that gitlab-runner names, if it named one.
pub fn system_code() -> Option<u8> {
    let code = std::env::var("SYSTEM_FAILURE_EXIT_CODE").ok()?;
    code.parse().ok().filter(|code| *code != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_names_no_folder_of_the_machine_that_built_it() {
        let place = "/build/cargo/registry/src/index-1949cf8c/tokio-1.0.0/src/a.rs:68:53";
        assert_eq!(of_source(place), "tokio-1.0.0/src/a.rs:68:53");
        assert_eq!(of_source("crates/cli/src/main.rs:1:2"), "crates/cli/src/main.rs:1:2");
    }
}
