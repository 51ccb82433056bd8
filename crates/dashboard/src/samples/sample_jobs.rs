//! Jobs to look at, and a list of them.

use fargate_status_answers::{
    HistoryAnswer, HistoryBucket, HistoryRow, JobAnswer, JobDetail, JobEventLine, JobStateWord,
    JobVerdictWord, StageRow, TimelinePhase, TimelineRow, TimelineTry,
};

use super::{NOW_MS, SampleNames, image_denied, script_failed};

const RECEIVED: u64 = NOW_MS - 1_800_000;

fn phase(
    phase: TimelinePhase,
    owner: &str,
    label: &str,
    span: Option<(u64, Option<u64>)>,
    usual_ms: Option<u64>,
) -> TimelineRow {
    TimelineRow {
        phase,
        owner: owner.to_owned(),
        label: label.to_owned(),
        from_ms: span.map(|(from, _)| RECEIVED + from),
        to_ms: span.and_then(|(_, to)| to).map(|to| RECEIVED + to),
        is_reported: true,
        usual_ms,
        ..TimelineRow::default()
    }
}

/// A whole start of 41.5 s.
fn whole_start() -> Vec<TimelineRow> {
    use TimelinePhase as P;
    let of = |from: u64, to: u64| Some((from, Some(to)));
    vec![
        phase(P::Queued, "queue", "Queued at GitLab", of(0, 300), Some(200)),
        phase(P::RunTask, "AWS", "RunTask", of(300, 700), Some(400)),
        phase(P::Network, "AWS", "Network interface", of(700, 11_700), Some(11_000)),
        TimelineRow {
            note: Some("412 MB".to_owned()),
            ..phase(P::Pull, "AWS", "Image pull", of(11_700, 38_200), Some(17_100))
        },
        phase(P::Start, "AWS", "Container start", of(38_200, 40_300), Some(2_000)),
        phase(P::Agent, "runner", "Agent reached", of(40_300, 41_200), Some(1_000)),
        TimelineRow {
            note: Some("STS".to_owned()),
            ..phase(P::Proof, "runner", "Host proven", of(41_200, 41_500), Some(300))
        },
    ]
}

fn base(names: &SampleNames) -> JobAnswer {
    JobAnswer {
        key: "5a".repeat(32),
        id: "gl-4420".to_owned(),
        state: JobStateWord::Finished,
        name: names.some("test:e2e"),
        project: names.some("acme/web"),
        git_ref: names.some("main"),
        sha: names.some("41c09e2b7d10aa"),
        user: names.some("anna"),
        host: names.of("ci-1"),
        size: names.some("2 vCPU, 4 GB"),
        capacity: names.some("on demand"),
        zone: names.some("eu-west-1b"),
        image: names.some("ci@stable"),
        image_digest: names.some("sha256:9f2c41d0e7b1"),
        forge_url: names.some("https://gitlab.example.com/acme/web/-/jobs/4420"),
        received_ms: RECEIVED,
        ended_ms: Some(RECEIVED + 18_900),
        lived_ms: Some(18_900),
        usual_start_ms: Some(38_400),
        cost_micro_usd: Some(1_620),
        attempt: 1,
        facts: facts(names),
        events: events(names),
        ..JobAnswer::default()
    }
}

/// A job whose image the registry refused, with two tries.
#[must_use]
pub fn denied_job(names: &SampleNames) -> JobAnswer {
    use TimelinePhase as P;
    let of = |from: u64, to: u64| Some((from, Some(to)));
    let one_try = |number: u32, from: u64, verdict: Option<&str>| TimelineTry {
        number,
        verdict: verdict.map(str::to_owned),
        started_ms: RECEIVED + from,
        ended_ms: Some(RECEIVED + from + 18_900),
        strip: vec![("run_task".into(), 400), ("network".into(), 11_200), ("pull".into(), 6_300)],
    };
    JobAnswer {
        answer: "The registry refused the image 18.2 s after RunTask. The script did not start."
            .to_owned(),
        verdict: Some(JobVerdictWord::SystemFailure),
        why: Some(image_denied(names)),
        same_cause_24h: 3,
        tries: vec![
            one_try(1, 0, Some("system failure")),
            one_try(2, 25_000, Some("system failure")),
        ],
        timeline: vec![
            phase(P::Queued, "queue", "Queued at GitLab", of(0, 300), Some(200)),
            TimelineRow {
                marks: vec![
                    (RECEIVED + 350, "refused: capacity".into()),
                    (RECEIVED + 500, "refused: capacity".into()),
                ],
                ..phase(P::RunTask, "AWS", "RunTask", of(300, 700), Some(400))
            },
            phase(P::Network, "AWS", "Network interface", of(700, 11_900), Some(11_000)),
            TimelineRow {
                failed: names.some("registry refused"),
                ..phase(P::Pull, "AWS", "Image pull", of(11_900, 18_200), Some(27_100))
            },
            phase(P::Start, "AWS", "Container start", None, Some(2_000)),
            phase(P::Agent, "runner", "Agent reached", None, Some(1_000)),
            phase(P::Proof, "runner", "Host proven", None, Some(300)),
        ],
        ..base(names)
    }
}

/// A job whose script failed.
#[must_use]
pub fn failed_job(names: &SampleNames) -> JobAnswer {
    let mut timeline = whole_start();
    timeline.extend(stage_rows(names));
    JobAnswer {
        answer: "build_script ended with exit 1 after 3m 20s.".to_owned(),
        id: "gl-4425".to_owned(),
        name: names.some("unit"),
        verdict: Some(JobVerdictWord::Failed),
        ended_ms: Some(RECEIVED + 270_000),
        lived_ms: Some(270_000),
        started_in_ms: Some(41_500),
        why: Some(script_failed(names)),
        tries: vec![TimelineTry { number: 1, started_ms: RECEIVED, ..TimelineTry::default() }],
        timeline,
        stages: stages(names),
        ..base(names)
    }
}

fn stage_rows(names: &SampleNames) -> Vec<TimelineRow> {
    use TimelinePhase as P;
    let of = |from: u64, to: u64| Some((from, Some(to)));
    vec![
        phase(P::OwnStage, "runner", "prepare_script", of(41_600, 41_700), None),
        phase(P::OwnStage, "job", "get_sources", of(41_800, 44_700), None),
        TimelineRow {
            label: names.of("build_script"),
            failed: Some("exit 1".to_owned()),
            note: Some("cut and resumed".to_owned()),
            marks: vec![
                (RECEIVED + 90_000, "cut".to_owned()),
                (RECEIVED + 92_100, "resumed".to_owned()),
            ],
            ..phase(P::Script, "job", "", of(44_800, 244_800), None)
        },
        phase(P::OwnStage, "job", "after_script", of(245_000, 246_200), None),
        phase(P::OwnStage, "job", "upload_artifacts_on_failure", of(246_300, 255_300), None),
        phase(P::Stop, "", "Stop", of(255_800, 269_800), None),
    ]
}

fn stages(names: &SampleNames) -> Vec<StageRow> {
    let stage = |name: &str, from: u64, took: u64, output_bytes: u64| StageRow {
        name: names.of(name),
        started_ms: RECEIVED + from,
        took_ms: Some(took),
        exit: Some(0),
        output_bytes,
        verdict: Some("passed".to_owned()),
        ..StageRow::default()
    };
    vec![
        stage("prepare_script", 41_600, 100, 0),
        stage("get_sources", 41_800, 2_900, 1_200),
        StageRow {
            exit: Some(137),
            exit_meaning: names.some("128 + 9: ended by SIGKILL"),
            resumed: 2,
            verdict: Some("failed".to_owned()),
            ..stage("build_script", 44_800, 200_000, 84_000)
        },
        stage("after_script", 245_000, 1_200, 300),
    ]
}

/// A job whose script runs.
#[must_use]
pub fn running_job(names: &SampleNames) -> JobAnswer {
    let mut timeline = whole_start();
    timeline.extend(stage_rows(names).into_iter().take(3));
    if let Some(last) = timeline.last_mut() {
        (last.failed, last.to_ms) = (None, None);
    }
    JobAnswer {
        answer: "build_script has run for 29m 15s.".to_owned(),
        stop_path: Some("/tasks/5a7c1e90/stop".to_owned()),
        state: JobStateWord::Running,
        verdict: None,
        ended_ms: None,
        lived_ms: None,
        started_in_ms: Some(41_500),
        tries: vec![TimelineTry { number: 1, started_ms: RECEIVED, ..TimelineTry::default() }],
        timeline,
        stages: stages(names).into_iter().take(2).collect(),
        ..base(names)
    }
}

fn facts(names: &SampleNames) -> Vec<JobDetail> {
    let fact =
        |name: &str, value: &str| JobDetail { name: name.to_owned(), value: names.of(value) };
    vec![
        fact("task", "arn:aws:ecs:eu-west-1:123456789012:task/ci/5a7c1e90d1f24f0f9a3c0b7be2f1c6aa"),
        fact("state", "STOPPED"),
        fact("stop code", "TaskFailedToStart"),
        fact("network", "subnet-0b2 (eu-west-1b), 10.0.12.44"),
        fact("task definition", "ci-7c1f:12"),
        fact("platform", "1.4.0"),
        fact("host key", "seed"),
    ]
}

fn events(names: &SampleNames) -> Vec<JobEventLine> {
    let event = |at: u64, name: &str, text: &str| JobEventLine {
        at_ms: RECEIVED + at,
        name: name.to_owned(),
        text: names.of(text),
    };
    vec![
        event(114, "job.received", "try 1"),
        event(431, "task.requested", "subnet subnet-0b2"),
        event(700, "task.accepted", "task 5a7c1e90"),
    ]
}

/// The last 24 hours, filtered.
#[must_use]
pub fn history(names: &SampleNames) -> HistoryAnswer {
    let verdicts = [
        JobVerdictWord::Failed,
        JobVerdictWord::SystemFailure,
        JobVerdictWord::TimedOut,
        JobVerdictWord::Cancelled,
        JobVerdictWord::Passed,
    ];
    let headlines = [
        Some("script failed with exit 1"),
        Some("the registry refused the image"),
        Some("the job ran into its time limit (1h 00m)"),
        Some("cancelled in GitLab"),
        None,
    ];
    let row = |n: u64| {
        let kind = usize::try_from(n % 5).unwrap_or(0);
        HistoryRow {
            id: format!("gl-{}", 4425 - n),
            state: JobStateWord::Finished,
            verdict: Some(verdicts[kind]),
            name: names.some(["unit", "test:e2e", "build:arm", "deploy", "lint"][kind]),
            project: names.some("acme/web"),
            git_ref: names.some("main"),
            host: names.of("ci-1"),
            slug: headlines[kind].map(|_| "script-failed".to_owned()),
            headline: headlines[kind].map(|it| names.of(it)),
            received_ms: NOW_MS - 700_000 - n * 1_100_000,
            started_in_ms: (kind != 1).then_some(38_000 + n * 130),
            lived_ms: Some(192_000 + n * 7_000),
            cost_micro_usd: Some(5_300 + n * 90),
            ..HistoryRow::default()
        }
    };
    let day = NOW_MS - 86_400_000;
    HistoryAnswer {
        answer:
            "24 of 1,204 jobs match, last 24 hours. Most often: Script failed with exit 1 (15)."
                .to_owned(),
        rows: (0..24).map(row).collect(),
        total: 24,
        all: 1204,
        next: Some("c2".to_owned()),
        buckets: (0..48)
            .map(|n| HistoryBucket {
                at_ms: day + n * 1_800_000,
                jobs: (n * 7 + n * n % 11) % 31,
                failed: n % 4,
            })
            .collect(),
        bucket_ms: 1_800_000,
        from_ms: day,
        to_ms: NOW_MS,
        causes: vec![("script-failed".to_owned(), 15), ("image-denied".to_owned(), 4)],
        projects: vec![names.of("acme/web"), names.of("acme/api")],
        images: vec![names.of("ci@stable"), names.of("node@stable")],
        sizes: vec![names.of("1 vCPU, 2 GB"), names.of("2 vCPU, 4 GB")],
        hosts: vec![names.of("ci-1")],
        ..HistoryAnswer::default()
    }
}
