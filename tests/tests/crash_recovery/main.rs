//! The driver ends after each step that changes the world outside it, by SIGKILL, by SIGTERM and by
//! a panic, in each stage. The next clean-up ends everything, and without a clean-up the timers of
//! the task do.

use std::collections::BTreeSet;
use std::fs;
use std::rc::Rc;

use fargate_tests::{
    BUILD_FAILURE, CheckedHost, END_AT, SYSTEM_FAILURE, SshdSetup, TestJob, TestProcessResult,
    skip, until,
};

/// Of the driver, in builds with debug assertions: what it reached.
const REACHED: &str = "FARGATE_RUNNER_REACHED";
/// Far more steps than any stage has.
const MOST: usize = 100;
/// It fails, so that there is an exit code to write; it tells each of its starts.
const SCRIPT: &str = "echo started >>/tmp/starts; exit 3";
const STARTS: &str = "cat /tmp/starts 2>/dev/null | wc -l";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KilledStage {
    Prepare,
    Run,
    Cleanup,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KillMethod {
    Kill,
    Term,
    /// None: a bug of ours.
    Panic,
}

impl KillMethod {
    fn name(self) -> &'static str {
        match self {
            Self::Kill => "KILL",
            Self::Term => "TERM",
            Self::Panic => "PANIC",
        }
    }

    /// Exit codes of a stage that met it.
    fn codes(self, stage: KilledStage) -> &'static [i32] {
        match (self, stage) {
            (Self::Kill, _) => &[137],
            // Before the driver handles signals, the signal itself ends the process.
            (Self::Term, KilledStage::Run) => &[BUILD_FAILURE, SYSTEM_FAILURE, 143],
            // What was done may stay done: `cleanup` follows in both cases.
            (Self::Term, KilledStage::Prepare) => &[0, SYSTEM_FAILURE, 143],
            (Self::Term, KilledStage::Cleanup) => &[0, 143],
            (Self::Panic, _) => &[SYSTEM_FAILURE],
        }
    }
}

/// A job of which `stage` is about to come.
async fn before(site: &CheckedHost, stage: KilledStage) -> Rc<TestJob> {
    let job = site.job();
    if stage != KilledStage::Prepare {
        job.prepare().await.passed();
    }
    job
}

async fn play(job: &TestJob, stage: KilledStage) -> TestProcessResult {
    match stage {
        KilledStage::Prepare => job.prepare().await,
        KilledStage::Run => job.run(SCRIPT).await,
        KilledStage::Cleanup => job.cleanup().await,
    }
}

/// Plays `stage` of a new job, which `signal` ends behind its `step`th step; `None` if it has fewer.
async fn ended_behind(
    site: &CheckedHost,
    stage: KilledStage,
    signal: KillMethod,
    step: usize,
) -> Option<(Rc<TestJob>, String)> {
    let job = before(site, stage).await;
    let reached = job.folder.join("reached");
    let doomed = site.same_job(&job, |job| {
        job.set(END_AT, format!("{} {step}", signal.name()));
        job.set(REACHED, &reached);
    });
    let ended = play(&doomed, stage).await;
    let reached = fs::read_to_string(reached).unwrap_or_default();
    let name = reached.lines().nth(step - 1)?.to_owned();
    let codes = signal.codes(stage);
    assert!(codes.contains(&ended.code), "{stage:?} {signal:?} at {name}: {}", ended.code);
    if signal == KillMethod::Panic {
        let lines = ended.err();
        let told =
            "fargate-runner: error: a bug in fargate-runner at crates/fail-point/src/lib.rs:";
        assert_eq!(lines.matches(told).count(), 1, "{stage:?} at {name}: {lines}");
        assert_eq!(lines.lines().count(), 1, "{stage:?} at {name}: {lines}");
        assert!(!ended.all().contains("panicked") && !ended.all().contains("the test asked"));
    }
    Some((job, name))
}

/// Plays `stage` again and again, ended behind one step after the other, each time with a clean-up;
/// gives the names of the steps.
async fn each_step(site: &CheckedHost, stage: KilledStage, signal: KillMethod) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for step in 1..MOST {
        let Some((job, name)) = ended_behind(site, stage, signal, step).await else { return names };
        if stage == KilledStage::Run && job.state_file().exists() {
            let starts = job.run(STARTS).await.with_code(0);
            assert!(matches!(starts.out().trim(), "0" | "1"), "{name}: {}", starts.out());
        }
        job.cleanup().await.passed();
        assert!(!job.state_file().exists(), "{stage:?} {signal:?} at {name}");
        for task in site.tasks_of(&job) {
            assert_eq!(task.desired_status, "STOPPED", "{stage:?} {signal:?} at {name}");
        }
        names.insert(name);
    }
    panic!("{stage:?} has {MOST} steps");
}

/// A driver without debug assertions has no such points.
fn can_end_anywhere() -> bool {
    let can = cfg!(debug_assertions);
    if !can {
        skip("the driver is built without debug assertions, so no step of it is told");
    }
    can
}

/// Twice, because only the first one makes the host's name.
const STAGES: [KilledStage; 4] =
    [KilledStage::Prepare, KilledStage::Prepare, KilledStage::Run, KilledStage::Cleanup];

async fn each_step_of_each_stage(site: CheckedHost, signal: KillMethod) -> BTreeSet<String> {
    each_step_of(site, &STAGES, signal).await
}

async fn each_step_of(
    site: CheckedHost,
    stages: &[KilledStage],
    signal: KillMethod,
) -> BTreeSet<String> {
    site.set("defaults.timeouts.next_stage_grace", "1s");
    let mut names = BTreeSet::new();
    for stage in stages {
        names.extend(each_step(&site, *stage, signal).await);
    }
    site.close().await;
    names
}

#[tokio::test]
async fn sigkill_behind_each_step_leaves_nothing_that_the_next_clean_up_does_not_end() {
    if !can_end_anywhere() {
        return;
    }
    let names = each_step_of_each_stage(CheckedHost::open().await, KillMethod::Kill).await;
    // A new step shows up here when a test reaches it.
    let names = names.into_iter().collect::<Vec<_>>().join(" ");
    insta::assert_snapshot!(names, @"ExitCodeWritten FileRemoved FileRenamed FileWritten LoggedIn RunTaskAnswered ScriptEnded ScriptSent ScriptStarted StopTaskAnswered TermsGiven");
}

#[tokio::test]
async fn sigterm_behind_each_step_leaves_nothing_that_the_next_clean_up_does_not_end() {
    if can_end_anywhere() {
        each_step_of_each_stage(CheckedHost::open().await, KillMethod::Term).await;
    }
}

#[tokio::test]
async fn a_panic_behind_each_step_is_one_line_and_a_system_failure_and_leaves_nothing() {
    if !can_end_anywhere() {
        return;
    }
    let names = each_step_of(CheckedHost::open().await, &STAGES[1..], KillMethod::Panic).await;
    assert!(names.len() >= 10, "{names:?}");
}

#[tokio::test]
async fn the_same_with_a_stock_server() {
    if !can_end_anywhere() || !SshdSetup::can_run() {
        return;
    }
    for signal in [KillMethod::Kill, KillMethod::Term] {
        let site = CheckedHost::open().await;
        SshdSetup::open_ssh().serve(&site).await;
        each_step_of_each_stage(site, signal).await;
    }
}

#[tokio::test]
async fn where_nobody_cleans_up_the_task_ends_itself_whatever_the_step() {
    if !can_end_anywhere() {
        return;
    }
    for stage in [KilledStage::Prepare, KilledStage::Run] {
        let site = CheckedHost::open().await;
        // Long enough for the `run` that follows a `prepare`, on a busy machine too.
        site.set("defaults.timeouts.task_idle", "6s");
        site.set("defaults.timeouts.client_gone", "1s");
        let mut step = 1;
        while ended_behind(&site, stage, KillMethod::Kill, step).await.is_some() {
            step += 1;
        }
        until("every task ended itself", || site.cloud().live_tasks() == 0).await;
        let stops = site.calls("StopTask");
        assert_eq!(stops, 0, "nobody else ended them");
        site.close().await;
    }
}
