use fargate_events::{JobDescription, StageVerdict};
use fargate_job_journal::{JobState, JobStory, JobVerdict, StageStory, TaskTimes, TryStory};
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::size::FargateSize;

use super::*;
use crate::JobSurroundings;

/// 14:20:03 UTC of some day.
const BEGAN: u64 = 1_795_962_003_000;

fn at(ms: u64) -> Option<u64> {
    Some(BEGAN + ms)
}

fn story(of: TryStory, state: JobState, verdict: Option<JobVerdict>) -> JobStory {
    JobStory {
        key: "ab".repeat(32),
        description: JobDescription {
            id: "gl-4425".into(),
            name: Some("unit".into()),
            project: Some("acme/web".into()),
            git_ref: Some("main".into()),
            host: "ci-1".into(),
            region: "eu-west-1".into(),
            cluster: "ci".into(),
            queued_s: Some(0.3),
            size: Some(FargateSize { cpu_units: 2048, memory_mib: 4096 }),
            volumes: 2,
            attempt: 1,
            ..JobDescription::default()
        },
        state,
        verdict,
        received_ms: BEGAN,
        changed_ms: BEGAN + 255_000,
        ended_ms: at(255_000).filter(|_| state == JobState::Finished),
        tries: vec![of],
        ..JobStory::default()
    }
}

/// A try whose task is ready after 41.2 s.
fn ready() -> TryStory {
    TryStory {
        number: 1,
        received_ms: BEGAN,
        admitted_ms: at(10),
        first_launch_ms: at(20),
        accepted_ms: at(420),
        task: Some("arn:aws:ecs:eu-west-1:123456789012:task/ci/5a7c1e90d1f24f0f".into()),
        subnet: Some("subnet-0b2".into()),
        definition: Some("ci:12".into()),
        times: TaskTimes {
            task: "arn:aws:ecs:eu-west-1:123456789012:task/ci/5a7c1e90d1f24f0f".into(),
            status: "RUNNING".into(),
            created_ms: at(380),
            connected_ms: at(11_400),
            pull_started_ms: at(11_400),
            pull_stopped_ms: at(37_900),
            started_ms: at(40_000),
            zone: Some("eu-west-1b".into()),
            ..TaskTimes::default()
        },
        address_known_ms: at(39_900),
        login_ms: at(40_800),
        proven_ms: at(41_100),
        proof: Some("sts".into()),
        ready_ms: at(41_200),
        cost_micro_usd: Some(6_900),
        ..TryStory::default()
    }
}

fn stage(name: &str, from: u64, took: u64, exit: u8, output_bytes: u64) -> StageStory {
    let verdict = if exit == 0 { StageVerdict::Passed } else { StageVerdict::Failed };
    StageStory {
        name: name.into(),
        started_ms: BEGAN + from,
        ended_ms: at(from + took),
        exit: Some(exit),
        output_bytes,
        resumed: 0,
        verdict: Some(verdict),
    }
}

fn usual() -> Vec<(TimelinePhase, u64)> {
    vec![
        (TimelinePhase::Queued, 200),
        (TimelinePhase::RunTask, 400),
        (TimelinePhase::Network, 11_000),
        (TimelinePhase::Pull, 27_100),
        (TimelinePhase::Start, 2_000),
        (TimelinePhase::Agent, 1_000),
        (TimelinePhase::Proof, 300),
    ]
}

fn answer(story: &JobStory, now: u64) -> JobAnswer {
    let now_ms = BEGAN + now;
    JobAnswer::of(
        story,
        &JobSurroundings {
            now_ms,
            usual: usual(),
            usual_start_ms: Some(38_400),
            ..JobSurroundings::default()
        },
    )
}

fn style(now: u64) -> JobTextStyle {
    JobTextStyle { width: Some(100), unicode: true, events: false, now_ms: BEGAN + now }
}

fn failed_script() -> JobStory {
    let mut of = ready();
    of.stages = vec![
        stage("prepare_script", 41_300, 100, 0, 0),
        stage("get_sources", 41_500, 2_900, 0, 1_200),
        stage("build_script", 44_500, 200_000, 1, 84_000),
        stage("after_script", 245_000, 1_200, 0, 300),
    ];
    of.cuts = vec![(BEGAN + 50_000, false), (BEGAN + 52_100, true)];
    of.stages[2].resumed = 1;
    of.stopping_ms = at(254_000);
    of.cleaned_up_ms = at(255_000);
    story(of, JobState::Finished, Some(JobVerdict::Failed))
}

#[test]
fn a_script_that_failed_is_shown_whole() {
    let answer = answer(&failed_script(), 300_000);
    assert_eq!(answer.answer, "Script failed with exit 1.");
    insta::assert_snapshot!(show_text(&answer, &style(300_000)), @"
    ✗ unit  gl-4425  acme/web  main  failed  14:20:03 UTC  lived 4m 15s  about $0.0069 (estimate)

    script failed with exit 1                                                  script-failed
      build_script ended after 3m 20s; 84.0 KB of output.
      Fix: read the end of the job's log
        fargate-runner jobs show gl-4425

    start  41.4 s                     0 s        10 s        20 s       30 s        40 s  usual
    queue   Queued at GitLab  0.30 s |/                                                 0.20 s
    AWS     RunTask           0.40 s |#                                                 0.40 s
    AWS     Network           11.0 s |=============                                     11.0 s
    AWS     Image pull        26.5 s |             ...............................      27.1 s
    AWS     Container start    2.1 s |                                            ||     2.0 s
    runner  Agent reached     0.90 s |                                              x    1.0 s
    runner  Host proven       0.30 s |                                               x  0.30 s

    STAGE           STARTED       TOOK  EXIT    OUTPUT
    prepare_script  14:20:44    0.10 s     0       0 B
    get_sources     14:20:44     2.9 s     0    1.2 KB
    build_script    14:20:47    3m 20s     1   84.0 KB  cut and resumed 1x
    after_script    14:24:08     1.2 s     0     300 B

    task             arn:aws:ecs:eu-west-1:123456789012:task/ci/5a7c1e90d1f24f0f
    state            RUNNING
    subnet           subnet-0b2 (eu-west-1b)
    cluster          ci
    region           eu-west-1
    task definition  ci:12
    host key         sts
    started by       ci-1
    ");
}

#[test]
fn a_start_that_failed_shows_where_and_why() {
    let mut of = ready();
    (of.address_known_ms, of.login_ms, of.proven_ms, of.ready_ms) = (None, None, None, None);
    (of.times.pull_stopped_ms, of.times.started_ms) = (None, None);
    of.failed_ms = at(18_200);
    of.cleaned_up_ms = at(18_900);
    let why = CauseReport::new(FailureCause::ImageDenied)
        .with("image", "acme/ci@stable")
        .with("secret", "registry-login")
        .quoting("ECS", "pull access denied for acme/ci, repository does not exist or may require 'docker login'");
    of.causes = vec![why, CauseReport::new(FailureCause::ConnectionLost)];
    let mut story = story(of, JobState::Finished, Some(JobVerdict::SystemFailure));
    story.ended_ms = at(18_900);
    let answer = answer(&story, 300_000);
    insta::assert_snapshot!(why_text(&answer, &style(300_000)), @r#"
    ! unit  gl-4425  acme/web  system failure after 18.9 s

    the registry refused the image                                              image-denied
      ECS: "pull access denied for acme/ci, repository does not exist or may require 'docker
      login'"
      Fix: check that the registry accepts the login of the task definition
        fargate-runner config show
      Then: the connection to the task was lost
      Not tried again by itself. Who can mend it: setup
    "#);
    let narrow = JobTextStyle { width: Some(60), unicode: false, ..style(300_000) };
    let shown = show_text(&answer, &narrow);
    let start = shown.split("\n\n").find(|part| part.starts_with("start")).unwrap();
    insta::assert_snapshot!(start, @"
    start  18.5 s                     0 s      10 s         usual
    queue   Queued at GitLab  0.30 s |/                   0.20 s
    AWS     RunTask           0.40 s |#                   0.40 s
    AWS     Network           11.0 s |===========         11.0 s
    AWS     Image pull         6.8 s |           ....... x the registry refused the image  27.1 s
    AWS     Container start        - | not reached         2.0 s
    runner  Agent reached          - | not reached         1.0 s
    runner  Host proven            - | not reached        0.30 s
    ");
}

#[test]
fn a_job_that_waits_says_for_what() {
    let refused = CauseReport::new(FailureCause::NoCapacity)
        .with("zones", "eu-west-1a, eu-west-1b")
        .with("subnets", "subnet-0a1 subnet-0b2")
        .quoting("ECS", "Capacity is unavailable at this time");
    let of = TryStory {
        number: 1,
        received_ms: BEGAN,
        first_launch_ms: at(200),
        refusals: vec![(BEGAN + 1_000, refused.clone()), (BEGAN + 242_000, refused)],
        refused_launches: 9,
        ..TryStory::default()
    };
    let story = story(of, JobState::Waiting, None);
    let answer = answer(&story, 252_000);
    insta::assert_snapshot!(why_text(&answer, &style(252_000)), @r#"
    . unit  gl-4425  acme/web  waiting 4m 12s

    no Fargate capacity in eu-west-1a, eu-west-1b                                no-capacity
      ECS: "Capacity is unavailable at this time"
      Refused 9 times in 4m 01s.
      Fix: add a subnet in another zone, or name a second choice in `capacity_fallback`
        aws ec2 describe-subnets --subnet-ids subnet-0a1 subnet-0b2 --query "Subnets[].[SubnetId,AvailabilityZone]" --output text
      It is tried again by itself. Who can mend it: setup
    "#);
    insta::assert_snapshot!(start_lines(&answer, &style(252_000)).join("\n"), @"
    start  4m 12s                     0 s        1m         2m          3m         4m     usual
    queue   Queued at GitLab  0.30 s |/                                                 0.20 s
    AWS     RunTask           4m 11s |################################################> 9 refused: capacity  0.40 s
    AWS     Network                - | not reached                                      11.0 s
    AWS     Image pull             - | not reached                                      27.1 s
    AWS     Container start        - | not reached                                       2.0 s
    runner  Agent reached          - | not reached                                       1.0 s
    runner  Host proven            - | not reached                                      0.30 s
    ");
}

#[test]
fn a_job_that_passed_needs_one_line_and_one_that_starts_says_its_phase() {
    let mut of = ready();
    of.stages = vec![stage("build_script", 44_500, 200_000, 0, 84_000)];
    of.cleaned_up_ms = at(255_000);
    let passed = answer(&story(of, JobState::Finished, Some(JobVerdict::Passed)), 300_000);
    assert_eq!(passed.answer, "Passed in 4m 15s. Started in 41.2 s, usual 38.4 s.");
    insta::assert_snapshot!(why_text(&passed, &style(300_000)), @"✓ unit  gl-4425  acme/web  passed in 4m 15s, started in 41.2 s (usual 38.4 s)");
    let mut of = ready();
    (of.address_known_ms, of.login_ms, of.proven_ms, of.ready_ms) = (None, None, None, None);
    (of.times.pull_stopped_ms, of.times.started_ms) = (None, None);
    let starting = answer(&story(of, JobState::Starting, None), 30_000);
    insta::assert_snapshot!(why_text(&starting, &style(30_000)), @"
    ~ unit  gl-4425  acme/web  starting 30 s

    Starts since 30 s. Image pull for 18 s.
    ");
    insta::assert_snapshot!(start_lines(&starting, &style(30_000)).join("\n"), @"
    start  30.3 s                     0 s            10 s            20 s            30 s usual
    queue   Queued at GitLab  0.30 s |/                                                 0.20 s
    AWS     RunTask           0.40 s |#                                                 0.40 s
    AWS     Network           11.0 s | =================                                11.0 s
    AWS     Image pull        18.6 s |                  ..............................>  27.1 s
    AWS     Container start        - | not reached                                       2.0 s
    runner  Agent reached          - | not reached                                       1.0 s
    runner  Host proven            - | not reached                                      0.30 s
    ");
}

#[test]
fn how_a_job_ended_without_a_cause_follows_from_its_story() {
    let ended = |change: &dyn Fn(&mut TryStory), verdict| {
        let mut of = ready();
        of.cleaned_up_ms = at(255_000);
        change(&mut of);
        let mut story = story(of, JobState::Finished, Some(verdict));
        story.description.timeout_s = Some(240);
        let answer = answer(&story, 300_000);
        format!("{}\n{}", answer.answer, answer.why.unwrap().evidence.join(" "))
    };
    let run = |verdict: Option<StageVerdict>| {
        move |of: &mut TryStory| {
            let ended_ms = verdict.and(at(244_500));
            let exit = None;
            of.stages = vec![StageStory {
                verdict,
                ended_ms,
                exit,
                ..stage("build_script", 44_500, 0, 0, 0)
            }];
        }
    };
    let told = [
        ended(&run(Some(StageVerdict::Cancelled)), JobVerdict::Cancelled),
        ended(&run(Some(StageVerdict::Cancelled)), JobVerdict::TimedOut),
        ended(&run(None), JobVerdict::SystemFailure),
        ended(&|of| of.ready_ms = None, JobVerdict::SystemFailure),
    ];
    insta::assert_snapshot!(told.join("\n"), @"
    Cancelled after 4m 15s.
    build_script had run for 3m 20s.
    The job ran into its time limit (4m 00s).
    build_script had run for 3m 20s.
    System failure: the process of stage build_script was killed.
    It told no end before the job was cleaned up.
    System failure: the process of stage prepare was killed.
    It told no end before the job was cleaned up.
    ");
}

#[test]
fn a_phase_that_ecs_did_not_report_is_not_drawn_and_none_is_guessed() {
    let mut of = ready();
    of.times = TaskTimes { created_ms: at(380), ..TaskTimes::default() };
    let rows = answer(&story(of, JobState::Running, None), 60_000).timeline;
    let reported: Vec<_> = rows.iter().map(|row| (row.label.as_str(), row.is_reported)).collect();
    let expected = [
        ("Queued at GitLab", true),
        ("RunTask", true),
        ("Network", false),
        ("Image pull", false),
        ("Container start", false),
        ("Agent reached", true),
        ("Host proven", true),
    ];
    assert_eq!(reported, expected);
}

#[test]
fn names_of_a_job_move_no_cursor_and_leave_no_placeholder() {
    let mut story = failed_script();
    story.description.name = Some("evil\u{1b}[2J\u{202e}".into());
    story.description.project = Some("a\nb".into());
    let text = show_text(&answer(&story, 300_000), &style(300_000));
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains("a\nb"));
    assert!(text.contains("evil\\x1b[2J") && text.contains("a\\x0ab"), "{text}");
    assert!(!text.replace("\\u{202e}", "").contains('{'), "{text}");
}

#[test]
fn the_strip_has_no_gap_and_ends_where_the_try_does() {
    let answer = answer(&failed_script(), 300_000);
    let strip = &answer.tries[0].strip;
    let names: Vec<_> = strip.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "queue",
        "run_task",
        "network",
        "pull",
        "start",
        "agent",
        "own_stage",
        "script",
        "own_stage",
    ];
    assert_eq!(names, expected);
    let length: u64 = strip.iter().map(|(_, length)| length).sum();
    assert_eq!(length, 246_200 + 300);
}
