//! Answers to look at, as they come on a busy afternoon: for the tests of pages, here and in a browser.
//!
//! Every text that a job, an image or AWS could choose passes through [`SampleNames`], so that a test
//! can put anything in its place.

mod sample_jobs;
mod sample_sums;

use fargate_model::cause::{CauseReport, FailureCause};
use fargate_status_answers::{
    AttentionRow, LimitRow, NowAnswer, RunningRow, StartingRow, StateCounts, WaitingRow, WhyAnswer,
};

pub use sample_jobs::{denied_job, failed_job, history, running_job};
pub use sample_sums::{checks, cost, images, start_time};

/// 2026-11-29T14:32:10Z.
pub const NOW_MS: u64 = 1_795_962_730_000;

/// What stands where others choose a text.
#[derive(Clone, Debug, Default)]
pub struct SampleNames {
    /// This instead of each name, if it is not empty.
    pub hostile: String,
}

impl SampleNames {
    /// The name itself, or what a test puts in its place.
    #[must_use]
    pub fn of(&self, name: &str) -> String {
        if self.hostile.is_empty() { name.to_owned() } else { self.hostile.clone() }
    }

    pub(crate) fn some(&self, name: &str) -> Option<String> {
        Some(self.of(name))
    }

    /// A cause from the catalogue with facts and words of AWS.
    pub(crate) fn why(
        &self,
        cause: FailureCause,
        facts: &[(&str, &str)],
        quote: &str,
    ) -> WhyAnswer {
        let mut report = CauseReport::new(cause);
        for (name, value) in facts {
            report = report.with(name, self.of(value));
        }
        WhyAnswer::of(&report.quoting("ECS", self.of(quote)))
    }
}

fn no_capacity(names: &SampleNames) -> WhyAnswer {
    names.why(
        FailureCause::NoCapacity,
        &[("zones", "eu-west-1a and eu-west-1b"), ("subnets", "subnet-0a1 subnet-0b2")],
        "Capacity is unavailable at this time. Please try again later or in a different availability zone",
    )
}

/// What happens now.
#[must_use]
pub fn now(names: &SampleNames) -> NowAnswer {
    NowAnswer {
        answer: "3 jobs wait, the oldest 4m 12s: no Fargate capacity in eu-west-1a and eu-west-1b."
            .to_owned(),
        needs_action: true,
        at_ms: NOW_MS,
        host: names.of("ci-1"),
        hosts: vec![names.of("ci-1")],
        region: names.some("eu-west-1"),
        cluster: names.some("ci"),
        counts: StateCounts {
            waiting: 3,
            oldest_wait_ms: Some(252_000),
            starting: 2,
            slowest_start_ms: Some(58_000),
            running: 14,
            running_vcpu: 31.0,
            running_memory_mib: 63_488,
            failed_1h_system: 3,
            failed_1h_script: 2,
        },
        limits: vec![
            limit("vCPU on demand", 46.0, 64.0),
            limit("vCPU Spot", 8.0, 64.0),
            limit("Slots of this host", 26.0, 30.0),
            LimitRow {
                name: "Free addresses, lowest subnet".to_owned(),
                used: Some(41.0),
                is_floor: true,
                ..LimitRow::default()
            },
        ],
        refused_capacity: 9,
        refused_throttled: 2,
        attention: vec![
            AttentionRow {
                object: names.some("eu-west-1a and eu-west-1b"),
                open_jobs: vec!["gl-4411".to_owned()],
                ..attention(no_capacity(names), Some("new"), 9, true)
            },
            AttentionRow {
                object: names.some("registry-login"),
                ..attention(image_denied(names), Some("back"), 3, true)
            },
            attention(script_failed(names), None, 2, false),
        ],
        waiting: waiting(names),
        starting: starting(names),
        running: (0..14).map(|n| running(names, n)).collect(),
        ..NowAnswer::default()
    }
}

pub(crate) fn image_denied(names: &SampleNames) -> WhyAnswer {
    names.why(
        FailureCause::ImageDenied,
        &[("secret", "registry-login"), ("image", "acme/ci@stable")],
        "pull access denied for acme/ci, repository does not exist or may require 'docker login'",
    )
}

/// A script's own failure. It has no entry in the catalogue: the job's log says why.
pub(crate) fn script_failed(names: &SampleNames) -> WhyAnswer {
    WhyAnswer {
        slug: "script-failed".to_owned(),
        class: "script".to_owned(),
        who: "job".to_owned(),
        headline: names.of("script failed with exit 1"),
        evidence: vec![names.of("build_script ended after 3m 20s; 84 KB of output.")],
        action: Some("read the end of the log in GitLab".to_owned()),
        command: Some("fargate-runner jobs show gl-4425".to_owned()),
        next: "final".to_owned(),
        ..WhyAnswer::default()
    }
}

fn limit(name: &str, used: f64, allowed: f64) -> LimitRow {
    LimitRow {
        name: name.to_owned(),
        used: Some(used),
        allowed: Some(allowed),
        ..LimitRow::default()
    }
}

fn attention(why: WhyAnswer, mark: Option<&str>, jobs: u64, is_system: bool) -> AttentionRow {
    AttentionRow {
        why,
        mark: mark.map(str::to_owned),
        jobs,
        projects: jobs.div_ceil(5),
        first_ms: NOW_MS - 2_000_000,
        last_ms: NOW_MS - 20_000,
        per_5min: vec![0, 0, 1, 0, 0, 0, 1, 0, 1, 2, 1, jobs / 3],
        is_system,
        ..AttentionRow::default()
    }
}

fn waiting(names: &SampleNames) -> Vec<WaitingRow> {
    let row = |id: &str, name: &str, project: &str, size: &str, age_ms: u64| WaitingRow {
        id: id.to_owned(),
        name: names.some(name),
        project: names.some(project),
        size: names.some(size),
        since_ms: NOW_MS - age_ms,
        ..WaitingRow::default()
    };
    vec![
        WaitingRow {
            why: Some(no_capacity(names)),
            tries: 9,
            ..row("gl-4411", "build:linux", "acme/web", "4 vCPU, 8 GB", 252_000)
        },
        WaitingRow {
            why: Some(names.why(FailureCause::Throttled, &[], "Rate exceeded")),
            tries: 2,
            ..row("gl-4415", "test:db", "acme/api", "2 vCPU, 4 GB", 63_000)
        },
        WaitingRow {
            waits_for: Some("registering its task definition".to_owned()),
            ..row("gl-4419", "lint", "acme/api", "1 vCPU, 2 GB", 6_000)
        },
    ]
}

fn starting(names: &SampleNames) -> Vec<StartingRow> {
    let row = |id: &str, name: &str, age_ms: u64, phase: &str, in_phase_ms: u64| StartingRow {
        id: id.to_owned(),
        name: names.some(name),
        project: names.some("acme/web"),
        size: names.some("2 vCPU, 4 GB"),
        task: names.some("77b0e1d4d1f24f0f9a3c0b7be2f1c6aa"),
        since_ms: NOW_MS - age_ms,
        phase: phase.to_owned(),
        phase_since_ms: NOW_MS - in_phase_ms,
        ..StartingRow::default()
    };
    let strip = |parts: &[(&str, u64)]| {
        parts.iter().map(|(phase, ms)| ((*phase).to_owned(), *ms)).collect::<Vec<_>>()
    };
    vec![
        StartingRow {
            usual_ms: Some(27_000),
            strip: strip(&[
                ("queue", 2_000),
                ("run_task", 1_000),
                ("network", 14_000),
                ("pull", 41_000),
            ]),
            ..row("gl-4420", "test:e2e", 58_000, "pulling the image", 41_000)
        },
        StartingRow {
            strip: strip(&[("queue", 1_000), ("run_task", 1_000), ("network", 7_000)]),
            ..row("gl-4421", "docs", 9_000, "network", 7_000)
        },
    ]
}

fn running(names: &SampleNames, n: u64) -> RunningRow {
    const NAMES: [&str; 5] = ["integration", "unit", "build:arm", "deploy:review", "load"];
    let name = usize::try_from(n).map_or("unit", |n| NAMES[n % NAMES.len()]);
    RunningRow {
        id: format!("gl-{}", 4300 + n),
        name: names.some(name),
        project: names.some(if n.is_multiple_of(2) { "acme/api" } else { "acme/web" }),
        task: names.some("91d0ac3ed1f24f0f9a3c0b7be2f1c6aa"),
        size: names.some("2 vCPU, 4 GB"),
        since_ms: NOW_MS - 724_000 + n * 47_000,
        stage: names.some("build_script"),
        stage_since_ms: Some(NOW_MS - 670_000 + n * 47_000),
        started_in_ms: Some(41_200 + n * 300),
        cost_micro_usd: Some(19_800 - n * 1_200),
    }
}
