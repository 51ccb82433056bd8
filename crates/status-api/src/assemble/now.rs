//! What happens now, and the one sentence that matters most.

use std::collections::HashMap;

use fargate_history::{CauseSighting, FailureRow, LengthPercentiles, UsualPhases};
use fargate_job_journal::{JobState, JobStory};
use fargate_model::text;
use fargate_state::{JobAdmission, JobHoldKind};
use fargate_status_answers::{LimitRow, NowAnswer, RunnerNumbers, StateCounts, WaitingRow};

use super::attention::{AttentionOrder, attention};
use super::live_rows::{running_row, starting_row, usual_key, waiting_row};
use super::words::{self, jobs, ticking, verb};
use crate::clock::day_begin;
use crate::live_facts::LiveFacts;

/// Refusals of the last so many ms are counted.
pub(crate) const REFUSALS_MS: u64 = 600_000;
/// So many jobs with one cause in [`REFUSALS_MS`] need somebody.
const MANY_FAILURES: u64 = 3;
/// A wait is long after this, while there are too few starts to know better. Ours.
const LONG_WAIT_MS: u64 = 120_000;

/// What the answer is made of.
#[derive(Debug)]
pub struct NowParts<'a> {
    /// Now.
    pub at_ms: u64,
    /// The host that answers.
    pub host: &'a str,
    /// The Region, as configured.
    pub region: Option<&'a str>,
    /// The cluster, as configured.
    pub cluster: Option<&'a str>,
    /// All hosts.
    pub hosts: Vec<String>,
    /// Jobs that are not over, oldest first.
    pub live: &'a [JobStory],
    /// Jobs that ended in the last ten minutes, and of which ECS refused a launch.
    pub refused: &'a [JobStory],
    /// Jobs that failed in the last hour.
    pub failures: &'a [FailureRow],
    /// Causes of the seven days before.
    pub before: &'a [CauseSighting],
    /// Usual phases by image and size.
    pub usual: &'a HashMap<(Option<String>, Option<String>), UsualPhases>,
    /// Starts of the last seven days.
    pub starts: Option<&'a LengthPercentiles>,
    /// Whether new jobs are taken.
    pub admission: Option<&'a JobAdmission>,
    /// What the controller found out.
    pub facts: &'a LiveFacts,
    /// Limits of the configuration, with what is used.
    pub limits: Vec<LimitRow>,
    /// Whether no job was ever recorded.
    pub is_first_use: bool,
    /// Until when Spot is left alone.
    pub spot_paused_until_ms: Option<u64>,
    /// What gitlab-runner says of itself.
    pub gitlab_runner: Option<RunnerNumbers>,
    /// Whether the newest group stands first, and not the gravest.
    pub newest_first: bool,
    /// Whether the reader may learn what a cause is about.
    pub with_names: bool,
}

/// Assembles the answer.
#[must_use]
pub fn now_answer(parts: &NowParts<'_>) -> NowAnswer {
    let now = parts.at_ms;
    let of = |wanted: &[JobState]| -> Vec<&JobStory> {
        parts.live.iter().filter(|story| wanted.contains(&story.state)).collect()
    };
    let waiting = of(&[JobState::Waiting]);
    let (starting, running) =
        (of(&[JobState::Starting]), of(&[JobState::Running, JobState::Stopping]));
    let (newest_first, by_object) = (parts.newest_first, parts.with_names);
    let order = AttentionOrder { now_ms: now, newest_first, by_object };
    let (attention, more_causes) = attention(parts.failures, parts.live, parts.before, order);
    let usual = |story: &JobStory| parts.usual.get(&usual_key(story));
    let mut answer = NowAnswer {
        at_ms: now,
        host: parts.host.to_owned(),
        hosts: parts.hosts.clone(),
        region: parts.region.map(str::to_owned),
        cluster: parts.cluster.map(str::to_owned),
        ecs_silent_ms: parts.facts.ecs_silent_since_ms.map(|since| now.saturating_sub(since)),
        ecs_error: parts.facts.ecs_error.clone(),
        counts: counts(parts, &waiting, &starting, &running),
        limits: parts.limits.clone(),
        refused_capacity: refused(parts, &["capacity", "quota"]),
        refused_throttled: refused(parts, &["throttled"]),
        orphans_today: match parts.facts.orphans_day_ms == day_begin(now) {
            true => parts.facts.orphans_stopped,
            false => 0,
        },
        spot_paused_until_ms: parts.spot_paused_until_ms.filter(|until| *until > now),
        gitlab_runner: parts.gitlab_runner.clone(),
        attention,
        more_causes,
        waiting: waiting.iter().map(|story| waiting_row(story, now)).collect(),
        starting: starting.iter().map(|story| starting_row(story, usual(story), now)).collect(),
        running: running.iter().map(|story| running_row(story)).collect(),
        is_first_use: parts.is_first_use,
        ..NowAnswer::default()
    };
    answer.waiting.sort_by_key(|row| row.since_ms);
    answer.running.sort_by_key(|row| row.since_ms);
    note_hold(&mut answer, parts.admission);
    (answer.answer, answer.needs_action) = sentence(&answer, parts);
    answer
}

fn counts(
    parts: &NowParts<'_>,
    waiting: &[&JobStory],
    starting: &[&JobStory],
    running: &[&JobStory],
) -> StateCounts {
    let age = |story: &&JobStory| {
        let since = story.tries.last().map_or(story.received_ms, |last| last.received_ms);
        parts.at_ms.saturating_sub(since)
    };
    let sizes = || running.iter().filter_map(|story| story.description.size);
    let failed =
        |is_system| parts.failures.iter().filter(|row| row.is_system == is_system).count() as u64;
    StateCounts {
        waiting: waiting.len() as u64,
        oldest_wait_ms: waiting.iter().map(age).max(),
        starting: starting.len() as u64,
        slowest_start_ms: starting.iter().map(age).max(),
        running: running.len() as u64,
        running_vcpu: sizes().map(|size| f64::from(size.cpu_units) / 1024.0).sum(),
        running_memory_mib: sizes().map(|size| u64::from(size.memory_mib)).sum(),
        failed_1h_system: failed(true),
        failed_1h_script: failed(false),
    }
}

/// Launches that were refused in the last ten minutes, by the class of the cause. A job that gave up counts, too.
fn refused(parts: &NowParts<'_>, classes: &[&str]) -> u64 {
    let stories = parts.live.iter().chain(parts.refused);
    let refusals = stories.flat_map(|story| &story.tries).flat_map(|one| &one.refusals);
    let counted = refusals
        .filter(|(at, _)| at + REFUSALS_MS > parts.at_ms)
        .filter(|(_, report)| classes.contains(&report.entry().class));
    counted.count() as u64
}

fn note_hold(answer: &mut NowAnswer, admission: Option<&JobAdmission>) {
    match admission {
        Some(JobAdmission::Held(hold)) => {
            answer.paused_by = Some(hold.who.clone());
            answer.is_draining = hold.hold == JobHoldKind::Drain;
            answer.paused_note = Some(hold.note.clone());
            answer.paused_since_ms = Some(hold.since_unix_s.saturating_mul(1000));
        }
        Some(JobAdmission::Unreadable { path, what }) => {
            answer.paused_by = Some("a file that cannot be read".to_owned());
            answer.paused_note = Some(format!("{}: {what}", path.display()));
        }
        Some(JobAdmission::Open) | None => {}
    }
}

/// The first of these that is true, and whether somebody must act.
fn sentence(answer: &NowAnswer, parts: &NowParts<'_>) -> (String, bool) {
    let counts = &answer.counts;
    let act = |text: String| (words::answer(&text), true);
    if let Some(silent_ms) = answer.ecs_silent_ms {
        let error = answer.ecs_error.as_deref().unwrap_or("no answer");
        return act(format!("ECS has not answered for {}: {error}.", ticking(silent_ms)));
    }
    if let Some(by) = &answer.paused_by {
        let waiting = format!("{} {}", jobs(counts.waiting), verb(counts.waiting, "wait"));
        let running = format!("{} {}", text::count(counts.running), verb(counts.running, "run"));
        return act(match answer.is_draining {
            false => format!("Intake is paused by {by}: {waiting}, {running} on."),
            true if counts.running + counts.starting == 0 => {
                format!("This host is drained by {by}: nothing runs, {waiting}.")
            }
            true => format!("This host is being drained by {by}: {running} on, {waiting}."),
        });
    }
    if let Some((headline, failed)) = frequent_failure(parts) {
        return act(format!("{} failed within 10 minutes: {headline}.", jobs(failed)));
    }
    let long = parts.starts.and_then(|starts| starts.p99_ms).unwrap_or(LONG_WAIT_MS);
    if let Some(oldest) = counts.oldest_wait_ms
        && let Some(first) = answer.waiting.first()
        && (oldest > long || first.why.is_some())
    {
        return (words::answer(&waiting_sentence(answer, first, oldest)), oldest > long);
    }
    if let Some(limit) = answer.limits.iter().find(|limit| is_used_up(limit)) {
        let number = |n: Option<f64>| n.unwrap_or_default();
        let (used, allowed) = (number(limit.used), number(limit.allowed));
        return act(format!("{} is used up: {used} of {allowed}.", limit.name));
    }
    if answer.is_first_use {
        return ("No job has come yet.".to_owned(), false);
    }
    (words::answer(&calm_sentence(counts)), false)
}

/// A system failure that many jobs had in the last ten minutes.
fn frequent_failure(parts: &NowParts<'_>) -> Option<(String, u64)> {
    let recent = parts.failures.iter().filter(|row| row.is_system);
    let recent = recent.filter(|row| row.at_ms + REFUSALS_MS > parts.at_ms);
    let mut causes: HashMap<String, (String, u64)> = HashMap::new();
    for why in recent.map(words::why_of_failure) {
        causes.entry(why.slug).or_insert((why.headline, 0)).1 += 1;
    }
    causes.into_values().filter(|(_, n)| *n >= MANY_FAILURES).max_by_key(|(_, n)| *n)
}

fn waiting_sentence(answer: &NowAnswer, first: &WaitingRow, oldest_ms: u64) -> String {
    let waiting = answer.counts.waiting;
    let wait = format!("{} {}", jobs(waiting), verb(waiting, "wait"));
    let why = match (&first.why, &first.waits_for) {
        (Some(why), _) => why.headline.clone(),
        (None, Some(waits_for)) => waits_for.clone(),
        (None, None) => "no cause is known yet".to_owned(),
    };
    match waiting {
        1 => format!("{wait} for {}: {why}.", ticking(oldest_ms)),
        _ => format!("{wait}, the oldest {}: {why}.", ticking(oldest_ms)),
    }
}

fn calm_sentence(counts: &StateCounts) -> String {
    let StateCounts { waiting, starting, running, .. } = *counts;
    let waits = match counts.oldest_wait_ms {
        Some(oldest) if waiting > 0 => {
            let count = text::count(waiting);
            format!("{count} {}, the oldest {}", verb(waiting, "wait"), ticking(oldest))
        }
        _ => "none waits".to_owned(),
    };
    format!(
        "{} {}, {} {}, {waits}.",
        jobs(running),
        verb(running, "run"),
        text::count(starting),
        verb(starting, "start")
    )
}

fn is_used_up(limit: &LimitRow) -> bool {
    match (limit.used, limit.allowed, limit.is_floor) {
        (Some(used), Some(allowed), false) => allowed > 0.0 && used >= allowed,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargate_job_journal::TryStory;
    use fargate_model::cause::{CauseReport, FailureCause};
    use fargate_state::JobHold;

    const NOW: u64 = 1_795_989_600_000;

    fn answered<'a>(live: &'a [JobStory], change: impl FnOnce(&mut NowParts<'a>)) -> NowAnswer {
        let facts: &'static LiveFacts = Box::leak(Box::default());
        let usual: &'static HashMap<_, _> = Box::leak(Box::default());
        let mut parts = NowParts {
            at_ms: NOW,
            host: "ci-1",
            region: None,
            cluster: None,
            hosts: Vec::new(),
            live,
            refused: &[],
            failures: &[],
            before: &[],
            usual,
            starts: None,
            admission: None,
            facts,
            limits: Vec::new(),
            is_first_use: false,
            spot_paused_until_ms: None,
            gitlab_runner: None,
            newest_first: false,
            with_names: true,
        };
        change(&mut parts);
        now_answer(&parts)
    }

    fn waits(age_ms: u64, cause: Option<FailureCause>) -> JobStory {
        let report = |cause| CauseReport::new(cause).with("zones", "eu-west-1a and eu-west-1b");
        let one = TryStory {
            received_ms: NOW - age_ms,
            first_launch_ms: Some(NOW - age_ms),
            refusals: cause.map(|cause| (NOW - 1000, report(cause))).into_iter().collect(),
            refused_launches: 9,
            ..TryStory::default()
        };
        JobStory { received_ms: NOW - age_ms, tries: vec![one], ..JobStory::default() }
    }

    fn runs() -> JobStory {
        let tries = vec![TryStory { received_ms: NOW - 9000, ..TryStory::default() }];
        JobStory { state: JobState::Running, received_ms: NOW - 9000, tries, ..JobStory::default() }
    }

    #[test]
    fn the_first_sentence_names_what_somebody_must_act_on() {
        let live = [waits(252_000, Some(FailureCause::NoCapacity)), waits(3000, None), runs()];
        let answer = answered(&live, |_| {});
        insta::assert_snapshot!(answer.answer, @"2 jobs wait, the oldest 4m 12s: no Fargate capacity in eu-west-1a and eu-west-1b.");
        assert!(answer.needs_action);
        assert_eq!(answer.refused_capacity, 1);

        let hold = JobAdmission::Held(JobHold::now(JobHoldKind::Pause, "anna", "new disk"));
        let paused = answered(&live, |parts| parts.admission = Some(&hold));
        insta::assert_snapshot!(paused.answer, @"Intake is paused by anna: 2 jobs wait, 1 runs on.");
        assert_eq!(paused.paused_note.as_deref(), Some("new disk"));

        let hold = JobAdmission::Held(JobHold::now(JobHoldKind::Drain, "anna", "new disk"));
        let drained = answered(&live, |parts| parts.admission = Some(&hold));
        insta::assert_snapshot!(drained.answer, @"This host is being drained by anna: 1 runs on, 2 jobs wait.");
        let idle = answered(&live[..2], |parts| parts.admission = Some(&hold));
        insta::assert_snapshot!(idle.answer, @"This host is drained by anna: nothing runs, 2 jobs wait.");

        let silent = LiveFacts {
            ecs_silent_since_ms: Some(NOW - 130_000),
            ecs_error: Some("Throttling: Rate exceeded".to_owned()),
            ..LiveFacts::default()
        };
        let blind = answered(&live, |parts| {
            parts.admission = Some(&hold);
            parts.facts = &silent;
        });
        insta::assert_snapshot!(blind.answer, @"ECS has not answered for 2m 10s: Throttling: Rate exceeded.");
    }

    /// Its refusals went with it, so the number fell just when a job was lost.
    #[test]
    fn refusals_count_after_their_job_gave_up() {
        let over = JobStory {
            state: JobState::Finished,
            ..waits(252_000, Some(FailureCause::NoCapacity))
        };
        let old = (NOW - REFUSALS_MS, CauseReport::new(FailureCause::NoCapacity));
        let mut over = [over];
        over[0].tries[0].refusals.push(old);
        let live = [waits(252_000, Some(FailureCause::Throttled))];
        let answer = answered(&live, |parts| parts.refused = &over);
        assert_eq!((answer.refused_capacity, answer.refused_throttled), (1, 1));
    }

    #[test]
    fn good_news_is_quiet() {
        let answer = answered(&[runs()], |_| {});
        insta::assert_snapshot!(answer.answer, @"1 job runs, 0 start, none waits.");
        assert!(!answer.needs_action);
        let young = answered(&[waits(6000, None), runs(), runs()], |_| {});
        insta::assert_snapshot!(young.answer, @"2 jobs run, 0 start, 1 waits, the oldest 6 s.");
        assert!(!young.needs_action);
        let first = answered(&[], |parts| parts.is_first_use = true);
        assert_eq!(first.answer, "No job has come yet.");
    }

    #[test]
    fn three_system_failures_with_one_cause_need_somebody() {
        let failure = |n: u64| FailureRow {
            slug: Some("image-denied".to_owned()),
            object: None,
            key: format!("k{n}"),
            id: format!("gl-{n}"),
            project: None,
            at_ms: NOW - n * 1000,
            is_system: true,
            report: Some(CauseReport::new(FailureCause::ImageDenied)),
        };
        let two: Vec<_> = (0..2).map(failure).collect();
        assert!(!answered(&[], |parts| parts.failures = &two).needs_action);
        let three: Vec<_> = (0..3).map(failure).collect();
        let answer = answered(&[], |parts| parts.failures = &three);
        insta::assert_snapshot!(answer.answer, @"3 jobs failed within 10 minutes: the registry refused the image.");
    }

    #[test]
    fn a_limit_that_is_used_up_is_named_and_an_unknown_one_is_not() {
        let limit = |used, allowed| LimitRow {
            name: "vCPU on demand".to_owned(),
            used: Some(used),
            allowed,
            ..LimitRow::default()
        };
        let answer = answered(&[], |parts| parts.limits = vec![limit(64.0, Some(64.0))]);
        insta::assert_snapshot!(answer.answer, @"vCPU on demand is used up: 64 of 64.");
        let unknown = answered(&[], |parts| parts.limits = vec![limit(64.0, None)]);
        assert!(!unknown.needs_action);
    }
}
