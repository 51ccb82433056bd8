//! Start times, costs, images and checks to look at.

use fargate_status_answers::{
    CandidateRow, ChannelRow, CheckLine, CheckOutcome, CheckRunMark, ChecksAnswer, CostAnswer,
    CostDay, CostGroup, CostWaste, DriftRow, EgressAddress, HeatMapCell, ImageStarts, ImagesAnswer,
    PhaseStatistics, StartTimeAnswer, TimelinePhase,
};

use super::{NOW_MS, SampleNames};

const DAY_MS: u64 = 86_400_000;

/// 1,204 starts of a day, or as many as wanted.
#[must_use]
pub fn start_time(names: &SampleNames, starts: u64) -> StartTimeAnswer {
    use TimelinePhase as P;
    let is_enough = starts >= 20;
    let phase =
        |phase, owner: &str, label: &str, p50: u64, share: f64, before: u64| PhaseStatistics {
            phase,
            owner: owner.to_owned(),
            label: label.to_owned(),
            starts,
            p50_ms: is_enough.then_some(p50),
            p90_ms: is_enough.then_some(p50 * 3 / 2),
            p99_ms: (starts >= 100).then_some(p50 * 3),
            share: is_enough.then_some(share),
            week_before_p50_ms: is_enough.then_some(before),
        };
    StartTimeAnswer {
        answer: if is_enough {
            "Half of 1,204 starts took under 38.4 s, 99 of 100 under 1m 52s. Image pull takes 61 % of it.".to_owned()
        } else {
            format!("{starts} starts: from 31.0 s to 1m 01s.")
        },
        starts,
        p50_ms: is_enough.then_some(38_400),
        p99_ms: (starts >= 100).then_some(112_000),
        least_ms: Some(31_000),
        most_ms: Some(61_000),
        from_ms: NOW_MS - DAY_MS,
        to_ms: NOW_MS,
        phases: vec![
            phase(P::Queued, "queue", "Queued", 400, 0.01, 300),
            phase(P::RunTask, "AWS", "RunTask", 400, 0.01, 400),
            phase(P::Network, "AWS", "Network", 11_000, 0.29, 11_100),
            phase(P::Pull, "AWS", "Image pull", 23_400, 0.61, 17_300),
            phase(P::Start, "AWS", "Container", 2_100, 0.05, 2_000),
            phase(P::Agent, "runner", "Agent, proof", 1_100, 0.03, 1_100),
        ],
        heat_map: heat_map(),
        by_image: vec![
            image(names, "ci@stable", 802, 36_100, 412_000_000, &["412 MB"]),
            image(
                names,
                "node@stable",
                402,
                44_000,
                918_000_000,
                &["over 250 MB", "2 EFS volumes (22 s)"],
            ),
        ],
        projects: vec![names.of("acme/web"), names.of("acme/api")],
        images: vec![names.of("ci@stable")],
        sizes: vec![names.of("2 vCPU, 4 GB")],
        ..StartTimeAnswer::default()
    }
}

fn heat_map() -> Vec<HeatMapCell> {
    let mut cells = Vec::new();
    for half_hour in 8..46_u8 {
        let middle = u64::from(half_hour.abs_diff(26));
        for (row, most) in [(2, 9), (3, 44), (4, 30), (5, 6), (6, 1)] {
            let starts =
                u64::saturating_sub(most, middle * (most / 12 + 1) + u64::from(half_hour % 3));
            if starts > 0 {
                cells.push(HeatMapCell { half_hour, row, starts });
            }
        }
    }
    cells
}

fn image(
    names: &SampleNames,
    name: &str,
    starts: u64,
    p50: u64,
    size: u64,
    levers: &[&str],
) -> ImageStarts {
    ImageStarts {
        image: names.of(name),
        digest: names.some("sha256:9f2c41d0e7b1"),
        starts,
        p50_ms: Some(p50),
        p90_ms: Some(p50 * 3 / 2),
        compressed_bytes: Some(size),
        levers: levers.iter().map(|it| names.of(it)).collect(),
    }
}

/// What a month costs.
#[must_use]
pub fn cost(names: &SampleNames) -> CostAnswer {
    let group = |name: &str, jobs: u64, cost: u64, before: u64| CostGroup {
        name: names.of(name),
        jobs,
        cost_micro_usd: cost,
        start_micro_usd: cost / 10,
        idle_micro_usd: cost / 34,
        failed_micro_usd: cost / 35,
        spot_share: 0.31,
        before_micro_usd: Some(before),
    };
    let day = |n: u64| {
        let scale = if n % 7 < 5 { 1_000_000 } else { 220_000 };
        CostDay {
            at_ms: NOW_MS / DAY_MS * DAY_MS - (13 - n) * DAY_MS,
            script_micro_usd: (12 + n % 5) * scale,
            start_micro_usd: 2 * scale,
            idle_micro_usd: scale * 3 / 4,
            failed_micro_usd: scale / 2,
        }
    };
    CostAnswer {
        answer:
            "Today about $18.42, this month about $402. About $61 of this month bought no work."
                .to_owned(),
        today_micro_usd: 18_420_000,
        month_micro_usd: 402_000_000,
        no_work_micro_usd: 61_000_000,
        price_date: "2026-10-09".to_owned(),
        price_age_days: 51,
        price_region: "us-east-1".to_owned(),
        left_out: ["NAT", "EFS", "data", "addresses"].map(str::to_owned).into(),
        from_ms: NOW_MS - 28 * DAY_MS,
        to_ms: NOW_MS,
        by: "project".to_owned(),
        days: (0..14).map(day).collect(),
        groups: vec![
            group("acme/web", 8_412, 214_100_000, 190_000_000),
            group("acme/api", 5_120, 151_720_000, 150_000_000),
            group("acme/tools", 2_010, 36_200_000, 45_000_000),
        ],
        waste: vec![
            waste(
                "starting",
                38_100_000,
                names.of("starting: 61 % of it image pull. Pull less: node@stable is 918 MB"),
                "/start-time",
            ),
            waste(
                "idle",
                12_200_000,
                names.of("idle after the last stage: 402 tasks waited 30 s or more for cleanup"),
                "/history",
            ),
            waste(
                "failed_starts",
                11_000_000,
                names.of("failed starts: Fargate bills from the first byte pulled"),
                "/history?verdict=system&group=cause",
            ),
        ],
        ..CostAnswer::default()
    }
}

fn waste(kind: &str, micro_usd: u64, text: String, link: &str) -> CostWaste {
    CostWaste { kind: kind.to_owned(), micro_usd, text, link: link.to_owned() }
}

/// Images with one drift.
#[must_use]
pub fn images(names: &SampleNames) -> ImagesAnswer {
    let channel =
        |name: &str, channel: &str, digest: &str, days: u64, size: u64, running: u64| ChannelRow {
            name: names.of(name),
            channel: names.of(channel),
            digest: names.of(digest),
            promoted_ms: Some(NOW_MS - days * DAY_MS),
            created_ms: Some(NOW_MS - days * DAY_MS),
            compressed_bytes: Some(size),
            tested: true,
            findings: Some(0),
            pull_p50_ms: Some(23_400),
            running,
            promoted_by: names.some("bot"),
        };
    ImagesAnswer {
        answer: "1 drift: the tag of node@stable was moved by someone else. ci@stable is 12 days old and clean.".to_owned(),
        needs_action: true,
        channels: vec![
            channel("ci", "stable", "sha256:9f2c41d0aa", 12, 412_000_000, 10),
            channel("ci", "latest", "sha256:b7710e4aaa", 2, 415_000_000, 1),
            channel("node", "stable", "sha256:17aa02b3aa", 41, 918_000_000, 5),
        ],
        drift: vec![
            DriftRow {
                class: "moved".to_owned(),
                severity: "high".to_owned(),
                text: names.of("node@stable points to 4c4c19d2, the manifest says 17aa02b3."),
                since_ms: Some(NOW_MS - 5_000_000),
                command: names.some("fargate-runner image reconcile --apply"),
            },
            DriftRow {
                class: "stale".to_owned(),
                severity: "info".to_owned(),
                text: names.of("node@stable is 41 days old (limit 30)."),
                ..DriftRow::default()
            },
        ],
        candidates: vec![
            CandidateRow {
                name: names.of("ci"),
                digest: names.of("sha256:b7710e4aaa"),
                created_ms: Some(NOW_MS - DAY_MS),
                git: names.some("41c09e2"),
                status: "tested".to_owned(),
                text: names.of("smoke 2.1 s, 0 secrets, 4 layers, 3 shared"),
            },
            CandidateRow {
                name: names.of("ci"),
                digest: names.of("sha256:e901aa35aa"),
                created_ms: Some(NOW_MS - 2 * DAY_MS),
                git: names.some("99ab120"),
                status: "revoked".to_owned(),
                text: names.of("refused: secret gate, 1 finding in layer 3"),
            },
        ],
        registry_asked_ms: Some(NOW_MS - 60_000),
        runner_version: "0.1.0".to_owned(),
        helper_version: Some("0.1.0".to_owned()),
        ..ImagesAnswer::default()
    }
}

/// Checks of which some fail.
#[must_use]
pub fn checks(names: &SampleNames) -> ChecksAnswer {
    let check =
        |name: &str, outcome, found: &str, fix: Option<&str>, command: Option<&str>| CheckLine {
            id: name.to_lowercase().replace(' ', "-"),
            name: name.to_owned(),
            outcome,
            found: names.of(found),
            fix: fix.map(|it| names.of(it)),
            command: command.map(|it| names.of(it)),
        };
    let mut checks = vec![
        check(
            "Way out",
            CheckOutcome::Fail,
            "subnet-0c3 (eu-west-1c) has no route to a NAT gateway",
            Some("Give the subnet a route."),
            Some(
                "aws ec2 create-route --route-table-id rtb-0c3 --destination-cidr-block 0.0.0.0/0 --nat-gateway-id nat-0c3",
            ),
        ),
        check(
            "EFS mount target",
            CheckOutcome::Fail,
            "fs-0e1 has none in eu-west-1c",
            Some("Make the mount target."),
            Some("fargate-runner efs apply"),
        ),
        check(
            "Pass role",
            CheckOutcome::Unknown,
            "iam:SimulatePrincipalPolicy is not allowed, so this is not known",
            Some("allow iam:SimulatePrincipalPolicy on role ci-manager"),
            None,
        ),
        check(
            "vCPU quota",
            CheckOutcome::Warn,
            "64, and 30 slots of up to 4 vCPU need 120",
            None,
            None,
        ),
    ];
    for name in ["Identity", "Cluster", "Capacity providers", "Task definition"] {
        checks.push(check(name, CheckOutcome::Pass, "as a job needs it", None, None));
    }
    ChecksAnswer {
        answer: "2 of 8 checks fail: tasks in eu-west-1c have no way out, and EFS has no mount target there.".to_owned(),
        needs_action: true,
        checked_ms: Some(NOW_MS - 128_000),
        took_ms: Some(2_100),
        egress: vec![
            EgressAddress { address: names.of("203.0.113.17"), zone: names.of("eu-west-1a") },
            EgressAddress { address: names.of("203.0.113.18"), zone: names.of("eu-west-1b") },
        ],
        checks,
        runs: check_runs(names),
        ..ChecksAnswer::default()
    }
}

/// Thirty runs, of which the last three fail.
fn check_runs(names: &SampleNames) -> Vec<CheckRunMark> {
    let run = |n: u64| {
        let outcome = if n < 27 { CheckOutcome::Pass } else { CheckOutcome::Fail };
        let first = (n >= 27).then(|| names.of("Way out"));
        CheckRunMark { at_ms: NOW_MS - 128_000 - (29 - n) * 600_000, outcome, first }
    };
    (0..30).map(run).collect()
}
