//! How each entry of a journal changes the story of its job.
//!
//! An entry says what one process knew at one moment, and entries of several processes stand in the order
//! in which they were written. So any beginning of a journal tells a story that was true then.

use fargate_events::{JobEvent, JobFact, StageVerdict, TaskFact};
use fargate_model::cause::CauseReport;

use crate::journal_entry::{JournalContent, JournalEntry};
use crate::journal_reader::JournalPart;
use crate::story::{JobState, JobStory, JobVerdict, StageStory, TryStory};

/// Most refusals of one try that a story holds. Ours.
const MOST_REFUSALS: usize = 100;
/// Most causes, stages and cuts of one try that a story holds. Ours; GitLab has a dozen stages.
const MOST_PARTS: usize = 100;

/// Scripts whose failure does not fail the job. Source: gitlab-runner, `common/build.go`.
const WITHOUT_WEIGHT: [&str; 6] = [
    "after_script",
    "archive_cache",
    "archive_cache_on_failure",
    "clear_worktree",
    "cleanup_file_variables",
    "upload_artifacts_on_failure",
];

impl JobStory {
    /// The story of a job of which nothing was told yet.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self { key: key.to_owned(), ..Self::default() }
    }

    /// Takes in what was read next of the job's journal.
    pub fn take_in(&mut self, part: &JournalPart) {
        for (n, entry) in part.entries.iter().enumerate() {
            if part.damaged_at == Some(n) {
                self.note_damage();
            }
            self.apply(entry);
        }
        if part.damaged_at == Some(part.entries.len()) {
            self.note_damage();
        }
    }

    fn note_damage(&mut self) {
        self.damaged_after_ms.get_or_insert(self.changed_ms);
    }

    /// Takes in one entry.
    pub fn apply(&mut self, entry: &JournalEntry) {
        let at = entry.time_ms;
        if self.received_ms == 0 {
            self.received_ms = at;
        }
        self.changed_ms = self.changed_ms.max(at);
        if self.tries.is_empty() || self.begins_try(entry) {
            self.begin_try(entry);
        }
        match &entry.content {
            JournalContent::Event(event) => self.apply_event(at, event),
            JournalContent::Fact(fact) => self.apply_fact(at, fact),
            JournalContent::Unknown(_) => self.unknown_entries += 1,
        }
    }

    fn begins_try(&self, entry: &JournalEntry) -> bool {
        let starts = matches!(entry.stage.as_str(), "prepare" | "exec");
        let last = self.tries.last();
        starts
            && last.is_some_and(|last| {
                last.process != entry.pid || last.cleaned_up_ms.is_some() && is_received(entry)
            })
    }

    fn begin_try(&mut self, entry: &JournalEntry) {
        let number = self.tries.last().map_or(0, |last| last.number) + 1;
        let (process, received_ms) = (entry.pid, entry.time_ms);
        self.tries.push(TryStory { number, process, received_ms, ..TryStory::default() });
        self.state = JobState::Waiting;
        self.verdict = None;
        self.ended_ms = None;
    }

    /// The try that goes on. There is one from the first entry on.
    fn last(&mut self) -> &mut TryStory {
        if self.tries.is_empty() {
            self.tries.push(TryStory { number: 1, ..TryStory::default() });
        }
        let at = self.tries.len() - 1;
        &mut self.tries[at]
    }

    fn apply_event(&mut self, at: u64, event: &JobEvent) {
        match event {
            JobEvent::JobReceived { timeout_s, .. } => {
                self.description.timeout_s = timeout_s.or(self.description.timeout_s);
            }
            JobEvent::JobAdmitted { .. } => {
                let last = self.last();
                last.admitted_ms = Some(at);
                last.waits = None;
            }
            JobEvent::TaskRequested { launch } => {
                let last = self.last();
                last.first_launch_ms.get_or_insert(at);
                last.launch = Some(launch.to_string());
            }
            JobEvent::TaskAccepted { task, launch } => {
                self.accept(at, &task.0);
                self.last().launch = Some(launch.to_string());
            }
            JobEvent::AgentAnswered { peer, .. } => self.last().peer = Some(peer.clone()),
            JobEvent::PrepareDone { .. } => self.last().ready_ms = Some(at),
            JobEvent::PrepareFailed { cause, .. } => {
                let last = self.last();
                last.failed_ms = Some(at);
                // The report comes as a fact of its own; without it, the cause alone is better than nothing.
                if let Some(cause) = cause.filter(|_| last.causes.is_empty()) {
                    last.causes.push(CauseReport::new(cause));
                }
            }
            JobEvent::SessionCut { .. } => self.note_cut(at, false),
            JobEvent::SessionResumed { .. } => self.note_cut(at, true),
            JobEvent::CleanupStarted {} => self.advance(JobState::Stopping),
            JobEvent::TaskStopping { .. } => {
                self.last().stopping_ms.get_or_insert(at);
                self.advance(JobState::Stopping);
            }
            // Nobody else cleans up after such a job.
            JobEvent::OrphanStopped { .. } => {
                self.last().stopping_ms.get_or_insert(at);
                self.finish(at);
            }
            JobEvent::CleanupDone { .. } => self.finish(at),
            _ => {}
        }
    }

    fn apply_fact(&mut self, at: u64, fact: &JobFact) {
        match fact {
            JobFact::Described(description) => {
                if description.attempt > self.last().number {
                    self.last().number = description.attempt;
                }
                let timeout_s = description.timeout_s.or(self.description.timeout_s);
                self.description = (**description).clone();
                self.description.timeout_s = timeout_s;
            }
            JobFact::Waits { report } => {
                let last = self.last();
                let since = last.waits.as_ref().map_or(at, |(since, _)| *since);
                last.waits = Some((since, (**report).clone()));
            }
            JobFact::LaunchSent(launch) => {
                let last = self.last();
                last.first_launch_ms.get_or_insert(at);
                last.waits = None;
                last.launch = Some(launch.launch.to_string());
                last.subnet = Some(launch.subnet.clone());
                last.asked_capacity.clone_from(&launch.capacity);
                last.definition = Some(launch.definition.clone());
                last.security_groups.clone_from(&launch.security_groups);
            }
            JobFact::LaunchAnswered { task: Some(task), .. } => self.accept(at, &task.0),
            JobFact::LaunchAnswered { task: None, report: Some(report), launch } => {
                // What was never sent was not refused.
                if self.last().launch.as_deref() == Some(launch.as_str()) {
                    self.last().note_refusal(at, report);
                }
            }
            JobFact::LaunchAnswered { task: None, report: None, .. } => {}
            JobFact::TaskSeen(seen) => self.see(seen),
            JobFact::AgentReached { address_known_ms, login_ms, proven_ms, proof } => {
                let last = self.last();
                last.address_known_ms = *address_known_ms;
                last.login_ms = Some(*login_ms);
                last.proven_ms = *proven_ms;
                last.proof.clone_from(proof);
            }
            JobFact::StageStarted { stage } => {
                let started =
                    StageStory { name: stage.clone(), started_ms: at, ..Default::default() };
                self.last().ready_ms.get_or_insert(at);
                push_within(&mut self.last().stages, started);
                self.advance(JobState::Running);
            }
            JobFact::StageEnded { stage, exit, output_bytes, resumed, verdict } => {
                let Some(ended) = self.last().open_stage(stage) else { return };
                ended.ended_ms = Some(at);
                ended.exit = *exit;
                ended.output_bytes = *output_bytes;
                ended.resumed = *resumed;
                ended.verdict = Some(*verdict);
            }
            JobFact::Finished {} => {
                let last = self.last();
                if last.ready_ms.is_none() {
                    last.failed_ms.get_or_insert(at);
                }
                self.finish(at);
            }
            JobFact::Explained { report, is_final } => {
                let last = self.last();
                last.is_final |= is_final;
                last.explain(report);
            }
        }
    }

    fn accept(&mut self, at: u64, task: &str) {
        let last = self.last();
        // A relaunch gets times of its own.
        if last.task.as_deref() != Some(task) {
            last.accepted_ms = Some(at);
            last.task = Some(task.to_owned());
            last.times = TaskFact::default();
        }
        self.advance(JobState::Starting);
    }

    /// A later look may come from another process and know less, so what is known stays known.
    fn see(&mut self, seen: &TaskFact) {
        let Some(of) =
            self.tries.iter_mut().rev().find(|one| one.task.as_deref() == Some(&seen.task))
        else {
            return;
        };
        of.times.learn(seen);
        let description = &mut self.description;
        description.size = description.size.or(seen.size);
        description.disk_gib = description.disk_gib.or(seen.disk_gib);
        description.architecture = description.architecture.take().or(seen.architecture.clone());
        if seen.image_digest.is_some() {
            description.image_digest.clone_from(&seen.image_digest);
        }
    }

    fn note_cut(&mut self, at: u64, is_resumed: bool) {
        push_within(&mut self.last().cuts, (at, is_resumed));
    }

    /// Later words about a job that went further already change nothing.
    fn advance(&mut self, state: JobState) {
        if rank(state) > rank(self.state) {
            self.state = state;
        }
    }

    fn finish(&mut self, at: u64) {
        self.last().cleaned_up_ms.get_or_insert(at);
        self.advance(JobState::Finished);
        self.ended_ms.get_or_insert(at);
        let verdict = self.verdict_of_last();
        self.verdict.get_or_insert(verdict);
    }

    fn verdict_of_last(&mut self) -> JobVerdict {
        let limit_ms = self.description.timeout_s.map(|limit| limit.saturating_mul(1000));
        let received = self.received_ms;
        let last = self.last();
        let of_cancel = |at: u64| match limit_ms {
            Some(limit) if at.saturating_sub(received) >= limit => JobVerdict::TimedOut,
            _ => JobVerdict::Cancelled,
        };
        for stage in &last.stages {
            let ended = stage.ended_ms.unwrap_or(stage.started_ms);
            match stage.verdict {
                Some(StageVerdict::Failed) if WITHOUT_WEIGHT.contains(&stage.name.as_str()) => {}
                Some(StageVerdict::Failed) => return JobVerdict::Failed,
                Some(StageVerdict::SystemFailure) => return JobVerdict::SystemFailure,
                Some(StageVerdict::TimedOut) => return JobVerdict::TimedOut,
                Some(StageVerdict::Cancelled) => return of_cancel(ended),
                // Its process was killed.
                None => return JobVerdict::SystemFailure,
                Some(StageVerdict::Passed) => {}
            }
        }
        if last.ready_ms.is_none() {
            let is_cancelled = last.failed_ms.is_some() && last.causes.is_empty();
            return match last.failed_ms {
                Some(at) if is_cancelled => of_cancel(at),
                _ => JobVerdict::SystemFailure,
            };
        }
        if last.stages.iter().any(StageStory::is_user_script) {
            return JobVerdict::Passed;
        }
        // Nothing failed, and the script never began: gitlab-runner ended the job in between.
        of_cancel(last.cleaned_up_ms.unwrap_or(last.received_ms))
    }
}

fn is_received(entry: &JournalEntry) -> bool {
    matches!(entry.content, JournalContent::Event(JobEvent::JobReceived { .. }))
}

fn rank(state: JobState) -> u8 {
    match state {
        JobState::Waiting => 0,
        JobState::Starting => 1,
        JobState::Running => 2,
        JobState::Stopping => 3,
        JobState::Finished => 4,
    }
}

fn push_within<T>(parts: &mut Vec<T>, part: T) {
    if parts.len() < MOST_PARTS {
        parts.push(part);
    }
}

impl TryStory {
    fn note_refusal(&mut self, at: u64, report: &CauseReport) {
        self.refused_launches += 1;
        if self.refusals.len() == MOST_REFUSALS {
            self.refusals.remove(1);
        }
        self.refusals.push((at, report.clone()));
    }

    /// The first cause stays the cause, and learns what was found out about it later.
    fn explain(&mut self, report: &CauseReport) {
        let same = self.causes.iter_mut().find(|known| known.cause == report.cause);
        match same {
            Some(known) if known.evidence.len() <= report.evidence.len() => *known = report.clone(),
            Some(_) => {}
            None => push_within(&mut self.causes, report.clone()),
        }
    }

    fn open_stage(&mut self, name: &str) -> Option<&mut StageStory> {
        self.stages.iter_mut().rev().find(|stage| stage.name == name && stage.ended_ms.is_none())
    }
}

impl StageStory {
    /// Whether this is the job's own script. Source: gitlab-runner, "The Custom executor": the stage of the
    /// script is `build_script` or `step_NAME`.
    #[must_use]
    pub fn is_user_script(&self) -> bool {
        matches!(self.name.as_str(), "build_script" | "exec") || self.name.starts_with("step_")
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
