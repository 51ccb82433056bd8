//! Judges what came of the jobs: each invariant, with the evidence.
//!
//! What a script did is asked of the witness, whom nothing that is tortured could cut.

use std::time::Duration;

use super::harm::JobHarm;
use super::host::{TortureHost, TortureJobResult};
use super::network::NetworkHarm;
use super::plan::{BEGIN, TortureJob, WITNESS};
use super::script_observer::ScriptReport;
use super::sidecar::{self, SidecarContainer};
use crate::invariants::{
    self, BrokenInvariant, ProductInvariant, SecretText, contains, files_below, no_double,
    no_orphan, no_panic, no_secret_out, tenant_wall,
};
use crate::leftovers;
use crate::runner::{
    BUILD_FAILURE, DriverCall, DriverCallKind, DriverProcessExit, FailureReason, GitLabVerdict,
    PlayedJob,
};

/// The task definition and the subnets of a torture; see the cloud's own file.
const ALLOWED: [&str; 3] = ["ci-job", "subnet-0a1b2c3d4e5f60718", "subnet-0b2c3d4e5f607182a"];
/// Longest that a call may take with windows that are scaled down, on a busy machine.
const LONGEST: Duration = Duration::from_secs(60);
/// Longest that a call may take for which ECS knows the end of its task; the window in which it is
/// asked is longer.
const PROMPT: Duration = Duration::from_secs(8);
/// The driver's words where it cannot say that the output is whole.
const MISSING: &[u8] = b"output may be missing";
/// Exit status of what was killed, for its memory or by `timeout`.
const KILLED: i32 = 137;

/// What is wrong with one job.
#[must_use]
pub fn judge(house: &TortureHost, played: &TortureJobResult) -> Vec<BrokenInvariant> {
    let witness = house.witness().of(played.guest.job.id);
    let mut broken = Vec::new();
    let mut tell =
        |invariant, evidence: String| broken.push(BrokenInvariant { invariant, evidence });
    for what in wrong_host(played, &witness) {
        tell(ProductInvariant::RightHost, what);
    }
    let Some(outcome) = &played.outcome else {
        if witness.starts > 1 {
            tell(ProductInvariant::NoDouble, format!("{} starts of one script", witness.starts));
        }
        return broken;
    };
    let scripts: Vec<_> =
        outcome.calls.iter().filter(|call| call.name() == "build_script").collect();
    if witness.starts > scripts.len() {
        let (starts, calls) = (witness.starts, scripts.len());
        tell(ProductInvariant::NoDouble, format!("{starts} starts of the script in {calls} calls"));
    }
    let false_verdicts = false_verdict(played, outcome, &witness)
        .into_iter()
        .chain(failed_call(played, outcome))
        .chain(untrue_words(played, outcome));
    for what in false_verdicts {
        tell(ProductInvariant::NoFalseVerdict, what);
    }
    if !played.guest.harm.ends_cleanup() {
        for task in &played.left {
            tell(ProductInvariant::NoOrphan, format!("cleanup has not stopped {task}"));
        }
    }
    for call in scripts {
        if let Some(what) = silent_loss(played, call) {
            tell(ProductInvariant::NoSilentLoss, what);
        }
    }
    let longest = match (&played.guest.harm, &played.guest.network) {
        (JobHarm::KnownEarly(_), NetworkHarm::Plain) => PROMPT,
        _ => LONGEST,
    };
    for call in outcome.calls.iter().filter(|call| call.took > longest) {
        let (name, took) = (call.name(), call.took.as_secs());
        tell(ProductInvariant::Bounded, format!("{name} took {took} s"));
    }
    broken.extend(outcome.calls.iter().filter_map(|call| no_panic(call.name(), &call.stderr)));
    broken
}

/// Why the verdict is not one that the script and the harm have earned.
fn false_verdict(
    played: &TortureJobResult,
    outcome: &PlayedJob,
    witness: &ScriptReport,
) -> Option<String> {
    let (guest, earned) = (&played.guest, i32::from(played.guest.script.kind.status()));
    // A script that was told to end, and saved what it had, says so and nothing of a status.
    let seen = witness.ended;
    match outcome.verdict {
        GitLabVerdict::Success if earned == 0 && seen == Some(0) => None,
        GitLabVerdict::Success if witness.saved => {
            Some(format!("passed, and its script was told to end and ended with {seen:?}"))
        }
        GitLabVerdict::Success => Some(format!("passed, and its script ended with {seen:?}")),
        GitLabVerdict::Failed { exit_code: Some(code), .. }
            if code == earned && seen == Some(code) =>
        {
            None
        }
        GitLabVerdict::Failed { exit_code: Some(KILLED), .. } if guest.harm.is_of_the_job() => None,
        GitLabVerdict::Failed { exit_code: Some(1..), .. } if guest.harm == JobHarm::EndsItself => {
            None
        }
        GitLabVerdict::Failed { exit_code: None, .. }
            if guest.harm == JobHarm::EndsItself && !guest.network.may_cost_the_job() =>
        {
            Some("the job chose a system failure".to_owned())
        }
        GitLabVerdict::Failed { exit_code: Some(code), .. } => {
            Some(format!("told as the script's exit {code}, which ended with {seen:?}"))
        }
        GitLabVerdict::Failed { reason: FailureReason::UnknownFailure, exit_code: None }
            if matches!(guest.harm, JobHarm::Cancelled | JobHarm::Aborted { .. }) =>
        {
            None
        }
        GitLabVerdict::Failed { exit_code: None, .. } if guest.harm.may_cost_the_job() => None,
        GitLabVerdict::Failed { reason: FailureReason::RunnerSystemFailure, exit_code: None }
            if guest.network.may_cost_the_job() =>
        {
            None
        }
        GitLabVerdict::Failed { reason, exit_code: None } => {
            Some(format!("{reason}, and nothing that was done to it costs a job"))
        }
    }
}

/// A call that failed where nothing that was done costs a job, were it tried again or not.
fn failed_call(played: &TortureJobResult, outcome: &PlayedJob) -> Option<String> {
    let TortureJob { harm, .. } = &played.guest;
    let is_asked = |call: &&DriverCall| match call.verb {
        DriverCallKind::Config | DriverCallKind::Prepare => true,
        DriverCallKind::Cleanup => !harm.ends_cleanup(),
        // A script's own failure is one.
        DriverCallKind::Run => call.name() != "build_script",
    };
    let failed = |call: &&DriverCall| call.exit != DriverProcessExit::Code(0);
    let calls = outcome.calls.iter().filter(|_| !played.guest.may_be_lost());
    let call = calls.filter(is_asked).find(failed)?;
    Some(format!("{} failed, and nothing that was done to it costs a job", call.name()))
}

/// What must be said of the end of a task that ECS explains, where it is told as the system's
/// failure and no network could hide it.
fn untrue_words(played: &TortureJobResult, outcome: &PlayedJob) -> Option<String> {
    let says = match &played.guest.harm {
        JobHarm::SidecarEnds(SidecarContainer { essential: true, .. }) => sidecar::NAME,
        JobHarm::KnownEarly(known) => known.says,
        _ => return None,
    };
    let is_told = matches!(outcome.verdict, GitLabVerdict::Failed { exit_code: None, .. })
        && played.guest.network == NetworkHarm::Plain;
    let is_missing = is_told && !contains(&outcome.trace, says.as_bytes());
    is_missing.then(|| format!("a system failure without a word of {says:?}"))
}

/// What another machine in the task's place was told, and what ran in spite of it.
fn wrong_host(played: &TortureJobResult, witness: &ScriptReport) -> Vec<String> {
    let (guest, traffic) = (&played.guest, &played.traffic);
    let heard = &traffic.heard;
    let mut wrong: Vec<_> =
        heard.requests.iter().map(|request| format!("an impostor was told {request}")).collect();
    if !heard.bytes.is_empty() {
        wrong.push(format!("an impostor was told {} bytes", heard.bytes.len()));
    }
    for said in [&heard.bytes, &traffic.swallowed] {
        if contains(said, guest.job.token.as_bytes()) || contains(said, WITNESS.as_bytes()) {
            wrong.push("another machine was told a part of a script in clear".to_owned());
        }
    }
    if guest.network.lets_nothing_start() && witness.starts > 0 {
        wrong.push(format!("the script started, where {} had answered", guest.network));
    }
    wrong
}

/// What is missing or wrong in the output of a call of the script, without a word about it.
fn silent_loss(played: &TortureJobResult, call: &DriverCall) -> Option<String> {
    let data = played.guest.script.kind.data();
    let begin = memchr::memmem::find(&call.stdout, BEGIN.as_bytes());
    let shown = begin.map_or(&[][..], |begin| &call.stdout[begin + BEGIN.len()..]);
    let (shown_bytes, all_bytes) = (shown.len(), data.len());
    let whole = shown.starts_with(&data) && begin.is_some();
    match call.exit {
        _ if whole && !played.guest.may_be_lost() && contains(&call.stderr, MISSING) => {
            Some("a cut was marked, and every byte had come".to_owned())
        }
        _ if whole => None,
        _ if !data.starts_with(shown) => {
            Some(format!("{shown_bytes} bytes were shown that are not the first of {all_bytes}"))
        }
        DriverProcessExit::Code(0) => {
            Some(format!("passed with {shown_bytes} of {all_bytes} bytes"))
        }
        // A script that failed has written all that it wrote; what was killed may not have.
        DriverProcessExit::Code(BUILD_FAILURE) if !played.guest.harm.is_of_the_job() => {
            Some(format!("failed with {shown_bytes} of {all_bytes} bytes"))
        }
        // What was killed says nothing more; this is how `timeout` tells that it killed.
        DriverProcessExit::Code(KILLED) if matches!(played.guest.harm, JobHarm::Killed { .. }) => {
            None
        }
        DriverProcessExit::Code(_)
            if !contains(&call.stderr, b"fargate-runner") && call.signals.is_empty() =>
        {
            Some(format!("{shown_bytes} of {all_bytes} bytes and no word of a cut"))
        }
        _ => None,
    }
}

/// What is wrong with all of it, once everything should be over.
#[must_use]
pub fn judge_all(house: &TortureHost, played: &[TortureJobResult]) -> Vec<BrokenInvariant> {
    let (tasks, requests) = (house.cloud().tasks(), house.cloud().requests());
    let mut broken =
        no_orphan(&leftovers::of_all(&house.folder().join("jobs"), &house.state_dir(), &tasks));
    broken.extend(no_double(&tasks, &requests));
    let mut secrets = invariants::seeds(&tasks);
    secrets.extend(played.iter().map(|played| SecretText {
        what: "a job's token",
        text: played.guest.job.token.clone(),
        allowed_in: None,
    }));
    let mut files = files_below(&house.state_dir());
    files.push(house.folder().join("fargate-runner.log"));
    let said: Vec<_> = played.iter().filter_map(|played| played.outcome.as_ref()).collect();
    let said: Vec<_> = said.iter().map(|outcome| outcome.trace.clone()).collect();
    broken.extend(no_secret_out(&files, &said, &requests, &secrets));
    let allowed = |name: &str| ALLOWED.contains(&name) || SidecarContainer::is_family(name);
    broken.extend(tenant_wall(&requests, allowed));
    broken
}
