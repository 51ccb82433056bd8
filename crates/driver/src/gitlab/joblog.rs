//! What `prepare` writes into the job's log: at most three lines if the start is as usual, a
//! section with facts when the outcome is known, and an error last.
//!
//! It writes only [`CleanLines`], so no foreign text can move a cursor or end a line. It does not
//! decide what happens.

use std::io::Write;
use std::time::Duration;

use fargate_config::{HostKey, JobProfile, PublicIp};
use fargate_mask::SharedMasker;
use fargate_model::cause::{CauseEvidence, CauseReport, ColourMode, ResponsibleParty};
use fargate_model::text::{self, CleanLines, LinePart, ticking};
use russh::keys::HashAlg;

use super::StageError;
use crate::context::{JobContext, WallClock};
use crate::job::CancelledTask;
use crate::session::TaskSession;
use crate::task::{
    AcquiredTask, ObservedTask, TaskStartProgress, avoided_words, move_words, relaunch_words,
};

/// A phase that lasts longer than this is reported when it ends.
const LONG_PHASE: Duration = Duration::from_secs(10);
/// How often a wait is reported after its first minute.
const SLOW_PROGRESS: Duration = Duration::from_secs(60);
/// Characters of the bar that shows the start.
const BAR: usize = 30;

/// The job's log. Write errors are ignored: a start must not fail because nobody reads the log.
pub struct JobLog<'a> {
    out: &'a mut (dyn Write + Send),
    colour: ColourMode,
    progress: Duration,
    slow_start: Duration,
    told_at: Duration,
    told_slow: bool,
    status: String,
    status_told: bool,
    facts: Option<ObservedTask>,
    held: bool,
    masker: SharedMasker,
    clock: WallClock,
}

impl<'a> JobLog<'a> {
    /// `progress` is how often a wait is reported in its first minute. `slow_start` is when it is
    /// called slow.
    pub fn new(out: &'a mut (dyn Write + Send), colour: ColourMode, context: &JobContext) -> Self {
        let timeouts = context.timeouts();
        let (masker, clock) = (context.masker.clone(), context.clock.clone());
        Self::with(
            out,
            colour,
            (timeouts.progress_interval, timeouts.pending_notice),
            masker,
            clock,
        )
    }

    fn with(
        out: &'a mut (dyn Write + Send),
        colour: ColourMode,
        (progress, slow_start): (Duration, Duration),
        masker: SharedMasker,
        clock: WallClock,
    ) -> Self {
        Self {
            out,
            colour,
            progress,
            slow_start,
            told_at: Duration::ZERO,
            told_slow: false,
            status: String::new(),
            status_told: false,
            facts: None,
            held: false,
            masker,
            clock,
        }
    }

    fn line(&mut self, line: &str) {
        self.write(&CleanLines::line(line));
    }

    /// Writes all lines at once. Foreign text was masked when it arrived; here everything is masked
    /// again, in case that was forgotten.
    fn write(&mut self, lines: &CleanLines) {
        let _ = self.out.write_all(self.masker.text(lines.as_str()).as_bytes());
        let _ = self.out.flush();
    }

    /// Reports what happens on the way, as often as the rules say.
    pub fn tell(&mut self, event: &TaskStartProgress<'_>) {
        match event {
            TaskStartProgress::Held { why, waited, limit } => self.held(why, *waited, *limit),
            TaskStartProgress::ImageWarning(words) => self.line(&format!("warning: {words}")),
            TaskStartProgress::Accepted(seen) => {
                self.facts = Some((*seen).clone());
                self.told_at = Duration::ZERO;
                self.told_slow = false;
                self.line(&accepted(seen));
            }
            TaskStartProgress::Refused { why, tries, waited } => {
                if self.is_due(*waited) {
                    self.told_at = *waited;
                    let headline = capital(&why.headline());
                    self.line(&format!(
                        "{headline}: {}; trying again",
                        text::tried(*tries, &ticking(*waited))
                    ));
                }
            }
            TaskStartProgress::Waiting { seen, age, in_state } => {
                self.waiting(seen, *age, *in_state)
            }
            TaskStartProgress::Avoided { provider, left, next } => {
                self.line(&avoided_words(provider, *left, next));
            }
            TaskStartProgress::Moving { why, tried, next } => {
                self.line(&move_words(why, tried, next));
            }
            TaskStartProgress::Relaunching { why, n, of, after, next } => {
                let words = relaunch_words(*n, *of, *after, *next);
                self.line(&format!("{}: {words}", capital(&why.line())));
            }
        }
    }

    /// Reports that a person holds new jobs: first who and why, then as often as any wait.
    fn held(&mut self, why: &CauseReport, waited: Duration, limit: Duration) {
        let headline = capital(&why.headline());
        if !self.held {
            self.held = true;
            let limit = text::duration(limit);
            let evidence: Vec<_> = why.evidence.iter().map(CauseEvidence::to_string).collect();
            self.line(&format!("{headline}. {} Waiting for at most {limit}.", evidence.join(" ")));
        } else if self.is_due(waited) {
            self.told_at = waited;
            self.line(&format!("{headline}: waiting for {}", ticking(waited)));
        }
    }

    fn is_due(&self, age: Duration) -> bool {
        let every = if self.told_at >= SLOW_PROGRESS { SLOW_PROGRESS } else { self.progress };
        age >= self.told_at + every
    }

    fn waiting(&mut self, seen: &ObservedTask, age: Duration, in_state: Duration) {
        self.facts = Some(seen.clone());
        let status = seen.status.to_string();
        if status != self.status {
            self.status = status;
            self.status_told = false;
        }
        if !self.told_slow && age >= self.slow_start && seen.status.is_starting() {
            self.told_slow = true;
            self.told_at = age;
            let slow = text::duration(self.slow_start);
            return self.line(&format!(
                "Still {} after {slow}. ECS gives no reason yet. If the task cannot reach its registry or secrets, ECS stops it after about 5 minutes and says why.",
                seen.status
            ));
        }
        let changed = !self.status_told && in_state >= LONG_PHASE;
        if changed || self.is_due(age) {
            self.status_told = true;
            self.told_at = age;
            self.line(&format!("{} for {}: {}", seen.status, ticking(in_state), phase(seen)));
        }
    }

    /// Writes the lines of a start that succeeded.
    pub fn ready(&mut self, acquired: &AcquiredTask, profile: &JobProfile, began: Duration) {
        let parts = parts(acquired);
        let total = began;
        let list: Vec<String> = parts
            .iter()
            .map(|part| format!("{} {}", part.name, seconds(part.took, total)))
            .collect();
        self.line(&format!("Ready in {}: {}", text::duration(total), list.join(", ")));
        let seen = &acquired.seen;
        let public = match acquired.public_ip {
            PublicIp::None => "no public address",
            PublicIp::Assigned => "with a public address for egress",
            PublicIp::Dialled => "its public address",
        };
        let network = format!(
            "{}, {}, {public}",
            seen.subnet.as_deref().unwrap_or("subnet not reported by ECS"),
            acquired.address.ip()
        );
        let mut facts = facts(seen);
        facts.push(("network", network));
        let fingerprint = acquired.host_key.fingerprint(HashAlg::Sha256);
        let proof = match profile.host_key {
            HostKey::Seed => "proven by seed".to_owned(),
            HostKey::Sts => {
                // No other identity than this role in a session of this task was accepted.
                let role = profile.task_role.as_deref().unwrap_or_default();
                format!("proven by the task role {}", role.rsplit('/').next().unwrap_or_default())
            }
            HostKey::FirstUse => "taken at first use".to_owned(),
        };
        facts.push(("host key", format!("{fingerprint} {proof}")));
        if let TaskSession::Stock(stock) = &acquired.session {
            let peer = format!("{}, no agent: a cut connection is not resumed", stock.server);
            facts.push(("peer", peer));
        }
        facts.push(("start", format!("0 s |{}| {}", bar(&parts), text::duration(total))));
        self.fold(seen.task.task_id(), &facts);
    }

    /// Writes the lines of a start that failed: first the facts, then the error.
    pub fn failed(&mut self, error: &StageError) {
        if let Some(seen) = self.facts.take() {
            self.fold(seen.task.task_id(), &facts(&seen));
        }
        let lines = match error {
            StageError::Cancelled { task } => {
                let task = task.as_ref().unwrap_or(&CancelledTask::NotStarted);
                CleanLines::line(&format!("Cancelled{task}"))
            }
            StageError::System(why) | StageError::Refused(why) | StageError::Job { why, .. } => {
                block(why, self.colour)
            }
            other => {
                let said = escaped_chain(other);
                let parts = [self.colour.error(), LinePart::Plain(" "), LinePart::Plain(&said)];
                CleanLines::default().with(&parts)
            }
        };
        self.write(&lines);
    }

    /// Writes a remark.
    pub fn note(&mut self, text: &str) {
        self.line(text);
    }

    /// Writes facts that open on a click. They are written at once, so that nothing comes between
    /// their markers.
    fn fold(&mut self, task: &str, facts: &[(&str, String)]) {
        let now = self.clock.since_1970().as_secs();
        let mut lines = CleanLines::default();
        for (label, fact) in facts {
            lines.push(&[LinePart::Plain(&format!("{label:<9} ")), LinePart::Plain(fact)]);
        }
        self.write(&lines.folded(&format!("fargate_{task}"), "Task details", now));
    }
}

fn escaped_chain(error: &StageError) -> String {
    text::escape(&text::error_chain(error))
}

/// The last line names the cause: by this name pages, metrics and the runbook find it.
fn block(why: &CauseReport, colour: ColourMode) -> CleanLines {
    let mut block = why.block(colour);
    if why.entry().who != ResponsibleParty::Job {
        let who = why.who_can_fix().map(|who| format!("Who can fix it: {who}. "));
        let who = who.unwrap_or_default();
        block.append(&CleanLines::line(&format!("  {who}Your script did not start.")));
    }
    block.append(&CleanLines::line(&format!("  Cause: {}", why.entry().slug)));
    block
}

fn accepted(seen: &ObservedTask) -> String {
    let mut parts = Vec::new();
    parts.extend(seen.cpu_units.map(text::vcpu));
    parts.extend(seen.memory_mib.map(text::memory));
    parts.push(match seen.provider.as_deref() {
        Some("FARGATE_SPOT") => "Spot".to_owned(),
        _ => "on demand".to_owned(),
    });
    parts.extend(seen.zone.clone());
    format!("Task {} accepted: {}", seen.task.short(), parts.join(", "))
}

/// What ECS is doing, as far as its description says.
fn phase(seen: &ObservedTask) -> &'static str {
    let timeline = &seen.timeline;
    match seen.address {
        None => "attaching the network interface",
        Some(_) if timeline.pull_started.is_none() => "preparing the container",
        Some(_) if timeline.pull_stopped.is_none() => "pulling the image",
        Some(_) if timeline.started.is_none() => "starting the container",
        Some(_) => "waiting for the agent",
    }
}

fn facts(seen: &ObservedTask) -> Vec<(&'static str, String)> {
    let mut facts = vec![("task", seen.task.0.clone())];
    let described = |container: &crate::task::ObservedContainer| {
        let image = container.image.as_deref().unwrap_or("not reported by ECS");
        let digest = container.digest.as_deref().unwrap_or("digest not reported by ECS");
        format!("{image} ({digest})")
    };
    facts.extend(seen.containers.first().map(|container| ("image", described(container))));
    facts
}

struct TaskStartPhase {
    name: &'static str,
    mark: char,
    took: Duration,
}

/// The parts of a start. A part that ECS did not report is left out.
fn parts(acquired: &AcquiredTask) -> Vec<TaskStartPhase> {
    let timeline = &acquired.seen.timeline;
    let by_ecs = [
        ("network", '=', timeline.network()),
        ("pull", '.', timeline.pull()),
        ("start", '|', timeline.start()),
    ];
    let mut parts =
        vec![TaskStartPhase { name: "RunTask", mark: '/', took: acquired.accepted_after }];
    let reported: Duration = by_ecs.iter().filter_map(|(_, _, took)| *took).sum();
    // ECS's times have whole seconds, so their sum may be longer than the whole.
    let (by_ecs, reported) = match reported <= acquired.answered_after {
        true => (by_ecs, reported),
        false => (by_ecs.map(|(name, mark, _)| (name, mark, None)), Duration::ZERO),
    };
    let own = acquired.answered_after.saturating_sub(reported + acquired.login);
    parts.extend(
        by_ecs
            .into_iter()
            .filter_map(|(name, mark, took)| Some(TaskStartPhase { name, mark, took: took? })),
    );
    let peer = match acquired.session {
        TaskSession::Agent(_) => "agent",
        TaskSession::Stock(_) => "sshd",
    };
    parts.push(TaskStartPhase { name: peer, mark: 'x', took: own });
    parts.push(TaskStartPhase { name: "proof", mark: 'x', took: acquired.login });
    parts
}

fn seconds(took: Duration, total: Duration) -> String {
    if total < Duration::from_secs(10) {
        format!("{:.2}", took.as_secs_f64())
    } else {
        format!("{:.1}", took.as_secs_f64())
    }
}

fn bar(parts: &[TaskStartPhase]) -> String {
    let total: f64 = parts.iter().map(|part| part.took.as_secs_f64()).sum();
    let mut bar = String::new();
    let mut until = 0.0;
    for part in parts {
        until += part.took.as_secs_f64();
        let share = if total > 0.0 { until / total } else { 0.0 };
        while (bar.chars().count() as f64) < share * BAR as f64 - 0.5 {
            bar.push(part.mark);
        }
    }
    bar
}

fn capital(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The line of a `run` that ended for another reason than its script. `None` for the script's own
/// failure and for a cancel, which need no explanation.
#[must_use]
pub fn run_line(error: &StageError) -> Option<String> {
    match error {
        StageError::Script { .. } | StageError::Cancelled { .. } => None,
        StageError::System(why) | StageError::Refused(why) | StageError::Job { why, .. } => {
            let fix = why.action();
            let fix = if fix.is_empty() { fix } else { format!(". {}", capital(&fix)) };
            let cause = why.entry().slug;
            Some(format!("error: {}{fix} (cause: {cause}){}", why.line(), last_lines(why)))
        }
        other => Some(format!("error: {}", escaped_chain(other))),
    }
}

/// The last lines of a container, each on a line of its own.
fn last_lines(why: &CauseReport) -> String {
    if why.last_lines.is_empty() {
        return String::new();
    }
    let log = why.facts.get("log").map(|log| format!(" ({log})")).unwrap_or_default();
    let lines = why.last_lines.iter().map(|line| format!("\n  {line}"));
    format!("\nLast lines of its log{log}:{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{LaunchPlace, example};
    use fargate_model::cause::FailureCause;
    use fargate_model::task::TaskStatus;
    use fargate_state::TaskCapacity;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn place(provider: &str, subnet: &str) -> LaunchPlace {
        let capacity = TaskCapacity::LaunchType(provider.to_owned());
        LaunchPlace { capacity, subnet: subnet.to_owned() }
    }

    fn told(tell: impl FnOnce(&mut JobLog<'_>)) -> String {
        let mut out = Vec::new();
        let (masker, clock) = (SharedMasker::default(), WallClock::system());
        let pauses = (seconds(15), seconds(90));
        tell(&mut JobLog::with(&mut out, ColourMode::Off, pauses, masker, clock));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_slow_start_is_told_seldom_and_called_slow_once() {
        let log = told(|log| {
            log.tell(&TaskStartProgress::Accepted(&example(TaskStatus::Provisioning)));
            for age in 0..300 {
                let seen = example(TaskStatus::Pending);
                let (age, in_state) = (seconds(age), seconds(age));
                log.tell(&TaskStartProgress::Waiting { seen: &seen, age, in_state });
            }
        });
        insta::assert_snapshot!(log, @r"
        Task 5a7c1e90 accepted: 1 vCPU, 2 GB, on demand, eu-west-1b
        PENDING for 10 s: preparing the container
        PENDING for 25 s: preparing the container
        PENDING for 40 s: preparing the container
        PENDING for 55 s: preparing the container
        PENDING for 1m 10s: preparing the container
        Still PENDING after 1m 30s. ECS gives no reason yet. If the task cannot reach its registry or secrets, ECS stops it after about 5 minutes and says why.
        PENDING for 2m 30s: preparing the container
        PENDING for 3m 30s: preparing the container
        PENDING for 4m 30s: preparing the container
        ");
    }

    #[test]
    fn refusals_are_told_once_per_15_seconds() {
        let why =
            CauseReport::new(FailureCause::NoCapacity).with("zones", "eu-west-1a, eu-west-1b");
        let log = told(|log| {
            for tries in 1..40 {
                let waited = seconds(tries);
                let tries = usize::try_from(tries).unwrap();
                log.tell(&TaskStartProgress::Refused { why: &why, tries, waited });
            }
        });
        insta::assert_snapshot!(log, @r"
        No Fargate capacity in eu-west-1a, eu-west-1b: tried 15 times in 15 s; trying again
        No Fargate capacity in eu-west-1a, eu-west-1b: tried 30 times in 30 s; trying again
        ");
    }

    #[test]
    fn each_change_of_place_is_one_line_that_says_what_comes_next() {
        let why = |cause| CauseReport::new(cause).with("zones", "subnet-a, subnet-b");
        let [spot, other, demand] =
            [("FARGATE_SPOT", "subnet-a"), ("FARGATE_SPOT", "subnet-b"), ("FARGATE", "subnet-a")]
                .map(|(provider, subnet)| place(provider, subnet));
        let log = told(|log| {
            let left = seconds(754);
            log.tell(&TaskStartProgress::Avoided { provider: "FARGATE_SPOT", left, next: &demand });
            let full = why(FailureCause::SubnetFull);
            log.tell(&TaskStartProgress::Moving { why: &full, tried: &spot, next: &other });
            let none = why(FailureCause::NoCapacity);
            log.tell(&TaskStartProgress::Moving { why: &none, tried: &other, next: &demand });
            let taken = why(FailureCause::Spot);
            let after = seconds(0);
            let next = Some(&demand);
            log.tell(&TaskStartProgress::Relaunching { why: &taken, n: 1, of: 3, after, next });
        });
        insta::assert_snapshot!(log, @r"
        FARGATE_SPOT failed often lately and is left alone for 12m 34s: beginning with FARGATE in subnet-a
        FARGATE_SPOT in subnet-a: no free address, trying FARGATE_SPOT in subnet-b
        FARGATE_SPOT in subnet-b: no capacity, trying FARGATE in subnet-a
        AWS took the Spot task back: starting another task (1 of 3): FARGATE in subnet-a
        ");
    }

    #[test]
    fn a_hold_is_explained_once_and_then_told_seldom() {
        let why = CauseReport::new(FailureCause::Paused)
            .with("who", "anna")
            .because("Held by anna for 2.0 s.");
        let log = told(|log| {
            for waited in 0..150 {
                log.held(&why, seconds(waited), seconds(900));
            }
        });
        insta::assert_snapshot!(log, @r"
        New jobs are paused by anna. Held by anna for 2.0 s. Waiting for at most 15m 00s.
        New jobs are paused by anna: waiting for 15 s
        New jobs are paused by anna: waiting for 30 s
        New jobs are paused by anna: waiting for 45 s
        New jobs are paused by anna: waiting for 1m 00s
        New jobs are paused by anna: waiting for 2m 00s
        ");
    }

    #[test]
    fn a_failure_stands_last_and_outside_the_fold() {
        let why = CauseReport::new(FailureCause::ImageNotFound)
            .with("image", "acme/ci:x")
            .with("task_definition", "ci-job")
            .quoting("ECS", "CannotPullContainerError: not found");
        let log = told(|log| {
            log.tell(&TaskStartProgress::Accepted(&example(TaskStatus::Provisioning)));
            log.failed(&StageError::System(Box::new(why)));
        });
        let (before, error) = log.split_once("section_end").unwrap();
        assert!(before.contains("section_start") && !before.contains("error:"));
        let (_, error) = error.split_once('\n').unwrap();
        insta::assert_snapshot!(error, @r#"
        error: image acme/ci:x does not exist
          ECS: "CannotPullContainerError: not found"
          Fix: correct the image in the task definition, or push it
            aws ecs describe-task-definition --task-definition ci-job
          Who can fix it: whoever runs the CI platform. Your script did not start.
          Cause: image-not-found
        "#);
    }

    #[test]
    fn the_fold_is_one_section_of_gitlab_with_a_name_of_its_own() {
        let log = told(|log| {
            log.tell(&TaskStartProgress::Accepted(&example(TaskStatus::Running)));
            log.failed(&StageError::System(Box::new(CauseReport::new(FailureCause::Unknown))));
        });
        let marks: Vec<&str> = log.split("\x1b[0K").collect();
        let (start, end) = (marks[1], marks[3]);
        assert!(
            start.starts_with("section_start:")
                && start.ends_with(":fargate_5a7c1e90d1f24f0f[collapsed=true]\r"),
            "{start:?}"
        );
        assert!(
            end.starts_with("section_end:") && end.ends_with(":fargate_5a7c1e90d1f24f0f\r"),
            "{end:?}"
        );
    }

    const HOSTILE: &str =
        "\u{1b}[0Ksection_end:1:x\r\u{1b}[0K\n\u{9b}2J\u{202e}\u{2028}\u{200b}\u{feff}\u{e0041}";

    /// A task of which everything that ECS says is hostile.
    fn hostile() -> ObservedTask {
        let mut seen = example(TaskStatus::Other(HOSTILE.to_owned()));
        seen.task.0 = format!("{}/{HOSTILE}", seen.task.0);
        for text in [&mut seen.subnet, &mut seen.zone, &mut seen.provider, &mut seen.interface] {
            *text = Some(HOSTILE.repeat(1000));
        }
        seen.containers[0].image = Some(HOSTILE.to_owned());
        seen.containers[0].digest = Some(HOSTILE.repeat(100_000));
        seen
    }

    #[test]
    fn nothing_that_others_say_reaches_the_log_uncleaned() {
        let seen = hostile();
        let place = place("x", HOSTILE);
        let why = CauseReport::new(FailureCause::Unknown)
            .with("task", HOSTILE)
            .because(HOSTILE)
            .quoting(HOSTILE, HOSTILE)
            .ending_with([HOSTILE.to_owned()]);
        let mut raw = why.clone();
        // As a file may hold it that nobody cleaned.
        raw.facts.insert("task".to_owned(), HOSTILE.to_owned());
        raw.last_lines.push(HOSTILE.to_owned());
        let log = told(|log| {
            log.tell(&TaskStartProgress::Accepted(&seen));
            let (age, in_state) = (seconds(30), seconds(30));
            log.tell(&TaskStartProgress::Waiting { seen: &seen, age, in_state });
            log.tell(&TaskStartProgress::Refused { why: &raw, tries: 2, waited: seconds(60) });
            let after = seconds(90);
            log.tell(&TaskStartProgress::Relaunching {
                why: &raw,
                n: 1,
                of: 3,
                after,
                next: Some(&place),
            });
            log.tell(&TaskStartProgress::Moving { why: &raw, tried: &place, next: &place });
            log.tell(&TaskStartProgress::Avoided { provider: HOSTILE, left: after, next: &place });
            log.held(&raw, seconds(1), seconds(2));
            log.note(HOSTILE);
            let facts = [("network", HOSTILE.to_owned()), ("image", HOSTILE.repeat(100_000))];
            log.fold(HOSTILE, &facts);
            log.failed(&StageError::System(Box::new(raw.clone())));
        });
        let mut marks = 0;
        for line in log.lines() {
            let begin = line.strip_prefix("\u{1b}[0Ksection_");
            let rest = begin.and_then(|mark| mark.split_once("\r\u{1b}[0K")).map(|(mark, rest)| {
                marks += 1;
                assert!(mark.bytes().all(|b| b.is_ascii_alphanumeric() || b"_:[]=".contains(&b)));
                rest
            });
            let rest = rest.unwrap_or(line);
            assert_eq!(text::escape(rest), rest);
        }
        assert_eq!(marks, 4, "{log}");
        assert!(log.len() < 100_000, "{}", log.len());
        let line = run_line(&StageError::System(Box::new(raw))).unwrap();
        let line = CleanLines::of(&line).to_string();
        assert!(line.lines().all(|line| text::escape(line) == line), "{line:?}");
    }

    #[test]
    fn a_pause_of_minutes_is_told_and_a_short_one_is_not() {
        let why = CauseReport::new(FailureCause::RegistryLimit);
        let log = told(|log| {
            for (n, after) in [(1, seconds(31)), (2, Duration::from_millis(200))] {
                log.tell(&TaskStartProgress::Relaunching {
                    why: &why,
                    n,
                    of: 3,
                    after,
                    next: None,
                });
            }
        });
        insta::assert_snapshot!(log, @r"
        The registry limits pulls from this address: starting another task in 31 s (1 of 3)
        The registry limits pulls from this address: starting another task (2 of 3)
        ");
    }
}
