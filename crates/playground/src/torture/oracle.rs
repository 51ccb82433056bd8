//! Checks each invariant for what came of the jobs, and gives the evidence. It plays no jobs.
//!
//! The script observer says what a script did: nothing that is tortured can cut its connections.

use std::time::Duration;

use super::harm::JobHarm;
use super::job_script::{BEGIN, OBSERVER_PORT};
use super::network::NetworkHarm;
use super::plan::TortureJob;
use super::script_observer::ScriptReport;
use super::sidecar::{self, SidecarContainer};
use super::torture_run::{TortureJobResult, TortureRun};
use crate::invariants::{
    self, BrokenInvariant, KnownSecret, ProductInvariant, contains, files_below, no_double,
    no_orphan, no_panic, no_secret_out, tenant_wall,
};
use crate::leftovers;
use crate::runner::{
    BUILD_FAILURE, DriverCall, DriverCallKind, DriverProcessExit, FailureReason, GitLabVerdict,
    PlayedJob,
};

/// The task definition and the subnets in the cloud's own configuration.
const ALLOWED: [&str; 3] = ["ci-job", "subnet-0a1b2c3d4e5f60718", "subnet-0b2c3d4e5f607182a"];
/// Longest time for a call with the shorter time limits, on a busy machine.
const LONGEST: Duration = Duration::from_secs(60);
/// Longest time for a call if ECS already knows the end of its task. ECS is asked for longer than this if
/// it does not know.
const PROMPT: Duration = Duration::from_secs(8);
/// What the driver prints if it cannot say that the output is whole.
const MISSING: &[u8] = b"output may be missing";
/// Exit status of a process that was killed, for want of memory or by `timeout`.
const KILLED: i32 = 137;

/// The broken invariants of one job.
#[must_use]
pub fn judge(run: &TortureRun, played: &TortureJobResult) -> Vec<BrokenInvariant> {
    let report = run.observer().of(played.planned.job.id);
    let mut broken = Vec::new();
    let mut tell =
        |invariant, evidence: String| broken.push(BrokenInvariant { invariant, evidence });
    for what in wrong_host(played, &report) {
        tell(ProductInvariant::RightHost, what);
    }
    let Some(outcome) = &played.outcome else {
        if report.starts > 1 {
            tell(ProductInvariant::NoDouble, format!("{} starts of one script", report.starts));
        }
        return broken;
    };
    let scripts: Vec<_> =
        outcome.calls.iter().filter(|call| call.name() == "build_script").collect();
    if report.starts > scripts.len() {
        let (starts, calls) = (report.starts, scripts.len());
        tell(ProductInvariant::NoDouble, format!("{starts} starts of the script in {calls} calls"));
    }
    let false_verdicts = false_verdict(played, outcome, &report)
        .into_iter()
        .chain(failed_call(played, outcome))
        .chain(untrue_words(played, outcome));
    for what in false_verdicts {
        tell(ProductInvariant::NoFalseVerdict, what);
    }
    if !played.planned.harm.ends_cleanup() {
        for task in &played.left {
            tell(ProductInvariant::NoOrphan, format!("cleanup has not stopped {task}"));
        }
    }
    for call in scripts {
        if let Some(what) = silent_loss(played, call) {
            tell(ProductInvariant::NoSilentLoss, what);
        }
    }
    let longest = match (&played.planned.harm, &played.planned.network) {
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

/// What is wrong with the verdict, compared with what the script and the harm did.
fn false_verdict(
    played: &TortureJobResult,
    outcome: &PlayedJob,
    report: &ScriptReport,
) -> Option<String> {
    let (planned, earned) = (&played.planned, i32::from(played.planned.script.kind.status()));
    // A script that was told to end and saved its work reports that, and reports no status.
    let seen = report.ended;
    match outcome.verdict {
        GitLabVerdict::Success if earned == 0 && seen == Some(0) => None,
        GitLabVerdict::Success if report.saved => {
            Some(format!("passed, and its script was told to end and ended with {seen:?}"))
        }
        GitLabVerdict::Success => Some(format!("passed, and its script ended with {seen:?}")),
        GitLabVerdict::Failed { exit_code: Some(code), .. }
            if code == earned && seen == Some(code) =>
        {
            None
        }
        GitLabVerdict::Failed { exit_code: Some(KILLED), .. } if planned.harm.is_of_the_job() => {
            None
        }
        GitLabVerdict::Failed { exit_code: Some(1..), .. }
            if planned.harm == JobHarm::EndsItself =>
        {
            None
        }
        GitLabVerdict::Failed { exit_code: None, .. }
            if planned.harm == JobHarm::EndsItself && !planned.network.may_cost_the_job() =>
        {
            Some("the job chose a system failure".to_owned())
        }
        GitLabVerdict::Failed { exit_code: Some(code), .. } => {
            Some(format!("told as the script's exit {code}, which ended with {seen:?}"))
        }
        GitLabVerdict::Failed { reason: FailureReason::UnknownFailure, exit_code: None }
            if matches!(planned.harm, JobHarm::Cancelled | JobHarm::Aborted { .. }) =>
        {
            None
        }
        GitLabVerdict::Failed { exit_code: None, .. } if planned.harm.may_cost_the_job() => None,
        GitLabVerdict::Failed { reason: FailureReason::RunnerSystemFailure, exit_code: None }
            if planned.network.may_cost_the_job() =>
        {
            None
        }
        GitLabVerdict::Failed { reason, exit_code: None } => {
            Some(format!("{reason}, and nothing that was done to it costs a job"))
        }
    }
}

/// A call that failed although nothing that was done may make a job fail, even if the call was tried again.
fn failed_call(played: &TortureJobResult, outcome: &PlayedJob) -> Option<String> {
    let TortureJob { harm, .. } = &played.planned;
    let is_asked = |call: &&DriverCall| match call.verb {
        DriverCallKind::Config | DriverCallKind::Prepare => true,
        DriverCallKind::Cleanup => !harm.ends_cleanup(),
        // A script may fail by itself.
        DriverCallKind::Run => call.name() != "build_script",
    };
    let failed = |call: &&DriverCall| call.exit != DriverProcessExit::Code(0);
    let calls = outcome.calls.iter().filter(|_| !played.planned.may_be_lost());
    let call = calls.filter(is_asked).find(failed)?;
    Some(format!("{} failed, and nothing that was done to it costs a job", call.name()))
}

/// A missing explanation: ECS explains the end of the task, and the driver reports a system failure without
/// the explanation, although no broken network hid it.
fn untrue_words(played: &TortureJobResult, outcome: &PlayedJob) -> Option<String> {
    let says = match &played.planned.harm {
        JobHarm::SidecarEnds(SidecarContainer { essential: true, .. }) => sidecar::NAME,
        JobHarm::KnownEarly(known) => known.says,
        _ => return None,
    };
    let is_told = matches!(outcome.verdict, GitLabVerdict::Failed { exit_code: None, .. })
        && played.planned.network == NetworkHarm::Plain;
    let is_missing = is_told && !contains(&outcome.trace, says.as_bytes());
    is_missing.then(|| format!("a system failure without a word of {says:?}"))
}

/// What another machine in the task's place was told, and scripts that ran although it answered.
fn wrong_host(played: &TortureJobResult, report: &ScriptReport) -> Vec<String> {
    let (planned, traffic) = (&played.planned, &played.traffic);
    let heard = &traffic.heard;
    let mut wrong: Vec<_> =
        heard.requests.iter().map(|request| format!("an impostor was told {request}")).collect();
    if !heard.bytes.is_empty() {
        wrong.push(format!("an impostor was told {} bytes", heard.bytes.len()));
    }
    for said in [&heard.bytes, &traffic.swallowed] {
        if contains(said, planned.job.token.as_bytes()) || contains(said, OBSERVER_PORT.as_bytes())
        {
            wrong.push("another machine was told a part of a script in clear".to_owned());
        }
    }
    if planned.network.lets_nothing_start() && report.starts > 0 {
        wrong.push(format!("the script started, where {} had answered", planned.network));
    }
    wrong
}

/// What is missing or wrong in the output of a call of the script although the driver did not say so.
fn silent_loss(played: &TortureJobResult, call: &DriverCall) -> Option<String> {
    let data = played.planned.script.kind.data();
    let begin = memchr::memmem::find(&call.stdout, BEGIN.as_bytes());
    let shown = begin.map_or(&[][..], |begin| &call.stdout[begin + BEGIN.len()..]);
    let (shown_bytes, all_bytes) = (shown.len(), data.len());
    let whole = shown.starts_with(&data) && begin.is_some();
    match call.exit {
        _ if whole && !played.planned.may_be_lost() && contains(&call.stderr, MISSING) => {
            Some("a cut was marked, and every byte had come".to_owned())
        }
        _ if whole => None,
        _ if !data.starts_with(shown) => {
            Some(format!("{shown_bytes} bytes were shown that are not the first of {all_bytes}"))
        }
        DriverProcessExit::Code(0) => {
            Some(format!("passed with {shown_bytes} of {all_bytes} bytes"))
        }
        // A script that failed by itself has written all its output. A killed one may not have.
        DriverProcessExit::Code(BUILD_FAILURE) if !played.planned.harm.is_of_the_job() => {
            Some(format!("failed with {shown_bytes} of {all_bytes} bytes"))
        }
        // A killed driver says nothing more. `timeout` exits with this status when it kills.
        DriverProcessExit::Code(KILLED)
            if matches!(played.planned.harm, JobHarm::Killed { .. }) =>
        {
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

/// What is wrong with all jobs together, when everything should be over.
#[must_use]
pub fn judge_all(run: &TortureRun, played: &[TortureJobResult]) -> Vec<BrokenInvariant> {
    let (tasks, requests) = (run.cloud().tasks(), run.cloud().requests());
    let mut broken = no_orphan(&leftovers::of_all(
        &run.host().folder().join("jobs"),
        &run.host().state_dir(),
        &tasks,
    ));
    broken.extend(no_double(&tasks, &requests));
    let mut secrets = invariants::seeds(&tasks);
    secrets.extend(played.iter().map(|played| KnownSecret {
        what: "a job's token",
        text: played.planned.job.token.clone(),
        allowed_in: None,
    }));
    let mut files = files_below(&run.host().state_dir());
    files.push(run.host().log_file());
    let said: Vec<_> = played.iter().filter_map(|played| played.outcome.as_ref()).collect();
    let said: Vec<_> = said.iter().map(|outcome| outcome.trace.clone()).collect();
    broken.extend(no_secret_out(&files, &said, &requests, &secrets));
    let allowed = |name: &str| ALLOWED.contains(&name) || SidecarContainer::is_family(name);
    broken.extend(tenant_wall(&requests, allowed));
    broken
}
