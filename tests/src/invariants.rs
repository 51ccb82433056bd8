//! What must hold after every test: no orphan, no double, no verdict that contradicts itself, no panic, no
//! secret out, and nothing that the operator did not name.
//!
//! It does not check what a script wrote and who received it: only its test knows that. `torture` checks all
//! eight invariants. Who waits for a call checks that it ends in time.

use std::ffi::OsStr;
use std::rc::Rc;

use fargate_local_cloud::TaskRecord;
use fargate_playground::invariants::{
    self, BrokenInvariant, KnownSecret, ProductInvariant, files_below,
};
use fargate_playground::leftovers;

use crate::checked_host::CheckedHost;
use crate::job::{StageExitCodes, StageResult, TestJob};
use crate::wait::until;

/// The variable that makes a debug build of the driver end at a certain step.
pub const END_AT: &str = "FARGATE_RUNNER_END_AT";

#[track_caller]
fn hold(broken: &[BrokenInvariant]) {
    let told: Vec<_> = broken.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// I1: every task stops, no state file and no process stays, neither here nor of a task.
pub async fn no_orphan(site: &CheckedHost) {
    let cloud = site.cloud();
    until("every task stopped", || cloud.live_tasks() == 0).await;
    let left = || leftovers::of_all(site.folder(), &site.state_dir(), &cloud.tasks());
    until(&format!("nothing left of {:?}", left()), || left().is_none()).await;
    hold(&invariants::no_orphan(&left()));
}

/// I2: at most one task of a job is meant to live at a time.
#[track_caller]
pub fn no_double(site: &CheckedHost) {
    hold(&invariants::no_double(&site.cloud().tasks(), &site.cloud().requests()));
}

/// The secrets of these jobs: tokens, private keys, seeds.
pub fn secrets(jobs: &[Rc<TestJob>], tasks: &[TaskRecord]) -> Vec<KnownSecret> {
    let mut found = invariants::seeds(tasks);
    for job in jobs {
        let text = job.token.clone();
        found.push(KnownSecret { what: "the job's token", text, allowed_in: None });
        job.note_key();
        let keys = job.keys().into_iter();
        found.extend(keys.map(|text| KnownSecret { what: "a client key", text, allowed_in: None }));
    }
    found
}

/// I6: no secret in files that stay, in what the stages said, or in what AWS was told.
#[track_caller]
pub fn no_secret_out(site: &CheckedHost, jobs: &[Rc<TestJob>], secrets: &[KnownSecret]) {
    let inputs = site.folder().join("runner");
    let mut files = files_below(site.folder());
    files.retain(|path| !path.starts_with(&inputs));
    let said = jobs.iter().flat_map(|job| job.said());
    let said: Vec<_> = said.flat_map(|ended| [ended.stdout, ended.stderr]).collect();
    hold(&invariants::no_secret_out(&files, &said, &site.cloud().requests(), secrets));
}

/// I3 and I5: no call ended in a way that contradicts itself, or in a panic.
#[track_caller]
pub fn no_odd_end(jobs: &[Rc<TestJob>]) {
    let heard: Vec<_> = jobs.iter().flat_map(|job| job.all_heard()).collect();
    let broken = |invariant, evidence| BrokenInvariant { invariant, evidence };
    let verdicts = heard.iter().filter_map(contradiction);
    let verdicts = verdicts.map(|what| broken(ProductInvariant::NoFalseVerdict, what));
    let panicked = jobs.iter().filter(|job| !job.environment.contains_key(OsStr::new(END_AT)));
    let panicked = panicked
        .flat_map(|job| job.said())
        .filter_map(|ended| invariants::no_panic(&format!("{:?}", ended.arguments), &ended.stderr));
    hold(&verdicts.chain(panicked).collect::<Vec<_>>());
}

/// What is wrong if the exit code of `run` and the exit code file contradict each other: a script's failure
/// has its status in the file, and nothing else has one.
fn contradiction(heard: &StageResult) -> Option<String> {
    let StageExitCodes { build_failure, system_failure, exit_code } = heard.beside.as_ref()?;
    let (code, arguments) = (heard.ended.code, &heard.ended.arguments);
    if !arguments.iter().any(|argument| argument == "run") {
        return None;
    }
    let status: Option<u8> = exit_code.as_ref().and_then(|text| text.trim().parse().ok());
    let is_one = if code == *build_failure {
        status.is_some_and(|status| status != 0)
    } else {
        let by_signal = code > 128;
        (code == 0 || code == *system_failure || by_signal) && (exit_code.is_none() || by_signal)
    };
    let told = || format!("{arguments:?} ended with {code} beside an exit code of {exit_code:?}");
    (!is_one).then(told)
}

/// I8: every RunTask asked for what the operator named, in a configuration or as a flag.
#[track_caller]
pub fn tenant_wall(site: &CheckedHost, jobs: &[Rc<TestJob>]) {
    let mut allowed = site.named_by_the_operator();
    let flags = jobs.iter().flat_map(|job| &job.arguments);
    allowed.extend(flags.map(|flag| flag.to_string_lossy().into_owned()));
    let mut requests = site.cloud().requests();
    // A task that a test itself starts has no `startedBy`.
    requests.retain(|request| request.body["startedBy"].is_string());
    // A revision that the driver registered belongs to a family that the operator named.
    let family =
        |arn: &str| Some(arn.split_once(":task-definition/")?.1.rsplit_once(':')?.0.to_owned());
    let named = |name: &str| {
        allowed.contains(name) || family(name).is_some_and(|family| allowed.contains(&family))
    };
    hold(&invariants::tenant_wall(&requests, named));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::process::TestProcessResult;

    fn contradicts(stage: &str, code: i32, exit_code: Option<&str>) -> bool {
        let (stdout, stderr, took) = (Vec::new(), Vec::new(), Duration::ZERO);
        let arguments = vec!["custom".into(), stage.into()];
        let exit_code = exit_code.map(str::to_owned);
        let beside = Some(StageExitCodes { build_failure: 17, system_failure: 18, exit_code });
        let ended = TestProcessResult { arguments, code, stdout, stderr, took };
        contradiction(&StageResult { ended, beside }).is_some()
    }

    #[test]
    fn a_status_stands_beside_the_failure_of_a_script_and_beside_nothing_else() {
        for (code, exit_code) in [(0, None), (17, Some("3\n")), (18, None), (143, Some("3\n"))] {
            assert!(!contradicts("run", code, exit_code), "{code} {exit_code:?}");
        }
        for (code, exit_code) in [
            (0, Some("3\n")),
            (17, None),
            (17, Some("0\n")),
            (17, Some("x")),
            (18, Some("3\n")),
            (1, None),
            (3, Some("3\n")),
        ] {
            assert!(contradicts("run", code, exit_code), "{code} {exit_code:?}");
        }
        assert!(!contradicts("prepare", 18, Some("3\n")), "of an earlier stage");
    }
}
