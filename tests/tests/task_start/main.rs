//! Starts that fail: RunTask answers with an exception, with `failures[]`, or with a task that
//! stops; answers are lost, late or odd; an agent does not answer.

mod agent_not_answering;
mod capacity;
mod container_logs;
mod driver_crowds;
mod fault_rules;
mod masked_secrets;
mod microburst_faults;
mod odd_ecs_answers;
mod run_task_exceptions;
mod run_task_failures;
mod stopped_task;
mod task_states;

use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_tests::{CheckedHost, PATIENCE, SYSTEM_FAILURE, TestJob, TestProcessResult, redacted};

/// An exception of ECS's.
pub fn exception(status: u16, code: &str, message: &str) -> CloudFault {
    CloudFault::Exception { status, code: code.to_owned(), message: message.to_owned() }
}

/// A task that stops by itself in `phase`, without ever having run.
pub fn stops(phase: CloudTaskPhase, stop_code: &str, stopped_reason: &str) -> CloudFault {
    CloudFault::TaskStops {
        phase,
        after: std::time::Duration::ZERO,
        stop_code: stop_code.to_owned(),
        stopped_reason: stopped_reason.to_owned(),
        container_reason: None,
        exit_code: None,
    }
}

/// The error block of a `prepare` that failed, without what differs from run to run.
pub fn block(ended: &TestProcessResult) -> String {
    let text = redacted(&ended.out());
    let from = text.find("error: ").unwrap_or_else(|| panic!("no error in {text}"));
    text[from..].to_owned()
}

/// After a final failure: tries 2 and 3, with a clean-up between them, as gitlab-runner does.
/// Neither may ask for a task or wait for anything.
pub async fn the_next_tries_are_short(site: &CheckedHost, job: &TestJob, headline: &str) {
    let asked = site.calls("RunTask");
    for _ in 0..2 {
        job.cleanup().await.passed();
        let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
        assert!(ended.took < PATIENCE, "{:?}", ended.took);
        let expected =
            format!("error: same cause as the first try, no task was started: {headline}");
        assert_eq!(ended.error_line(), expected);
    }
    assert_eq!(site.calls("RunTask"), asked);
}
