//! When the phases of one try began and ended, by one clock.
//!
//! ECS's times and this host's come from two clocks. The host knows when it sent RunTask and when the agent
//! answered, and what ECS did in between lies in between. If ECS's times do not, they are moved by the smallest
//! amount that brings them there.

use fargate_job_journal::TryStory;

use crate::TimelinePhase;

/// A difference that is smaller is not told: a request takes as long. Ours, in milliseconds.
const LEAST_SHIFT: i64 = 100;

/// One phase: where it begins and ends. Without an end it goes on, or nobody knows the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PhaseSpan {
    pub(crate) phase: TimelinePhase,
    pub(crate) from: Option<u64>,
    pub(crate) to: Option<u64>,
}

/// Times of one try with ECS's moved to this host's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AlignedTimes {
    pub(crate) created: Option<u64>,
    pub(crate) connected: Option<u64>,
    pub(crate) pull_started: Option<u64>,
    pub(crate) pull_stopped: Option<u64>,
    pub(crate) started: Option<u64>,
    pub(crate) stopping: Option<u64>,
    pub(crate) stopped: Option<u64>,
    pub(crate) shift_ms: i64,
}

impl AlignedTimes {
    pub(crate) fn of(of: &TryStory) -> Self {
        let shift_ms = shift(of);
        let moved = |time: Option<u64>| time.map(|time| time.saturating_add_signed(shift_ms));
        let times = &of.times;
        Self {
            created: moved(times.created_ms),
            connected: moved(times.connected_ms),
            pull_started: moved(times.pull_started_ms),
            pull_stopped: moved(times.pull_stopped_ms),
            started: moved(times.started_ms),
            stopping: moved(times.stopping_ms),
            stopped: moved(times.stopped_ms),
            shift_ms,
        }
    }

    /// The end of the network phase: ECS says when it is connected, or begins to pull.
    fn network_end(&self) -> Option<u64> {
        self.connected.or(self.pull_started)
    }
}

/// By how much ECS's times are moved.
fn shift(of: &TryStory) -> i64 {
    let times = &of.times;
    let signed = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
    let (Some(sent), Some(created)) = (of.first_launch_ms, times.created_ms) else { return 0 };
    let to_begin = signed(sent) - signed(created);
    // The agent runs only after the pull.
    let last = times.pull_stopped_ms.or(times.pull_started_ms).or(times.connected_ms);
    let to_end = of.login_ms.zip(last).map(|(login, last)| signed(login) - signed(last));
    let shift = match (to_begin, to_end) {
        (late, _) if late > 0 => late,
        (_, Some(early)) if early < 0 => early.max(to_begin),
        _ => 0,
    };
    if shift.abs() < LEAST_SHIFT { 0 } else { shift }
}

/// The phases of the start, in order, also those that were not reached.
pub(crate) fn start_spans(of: &TryStory, times: &AlignedTimes) -> Vec<PhaseSpan> {
    let span = |phase, from, to| PhaseSpan { phase, from, to };
    let accepted = of.accepted_ms;
    vec![
        span(TimelinePhase::Held, Some(of.received_ms), of.first_launch_ms),
        span(TimelinePhase::RunTask, of.first_launch_ms, accepted),
        span(
            TimelinePhase::Network,
            times.created.or(accepted).filter(|_| accepted.is_some()),
            times.network_end(),
        ),
        span(TimelinePhase::Pull, times.pull_started, times.pull_stopped),
        span(TimelinePhase::Start, times.pull_stopped, times.started),
        span(
            TimelinePhase::Agent,
            of.address_known_ms.filter(|_| of.login_ms.is_some()),
            of.login_ms,
        ),
        span(TimelinePhase::Proof, of.login_ms, of.proven_ms),
    ]
}

/// The phases of a try that have an end, in order, with their beginnings and ends in milliseconds since
/// 1970: the start, each stage, and the stop. ECS's times are on this host's clock. A phase that ECS did not
/// report is left out. `queued_s` is how long the job waited at its forge; give it for the first try.
#[must_use]
pub fn phases_of(of: &TryStory, queued_s: Option<f64>) -> Vec<(TimelinePhase, u64, u64)> {
    let times = AlignedTimes::of(of);
    let mut spans = Vec::new();
    if let Some(queued_ms) = queued_s.map(milliseconds) {
        let from = of.received_ms.saturating_sub(queued_ms);
        spans.push((TimelinePhase::Queued, from, of.received_ms));
    }
    let closed = |span: PhaseSpan| {
        let (from, to) = span.from.zip(span.to)?;
        Some((span.phase, from, to.max(from)))
    };
    spans.extend(start_spans(of, &times).into_iter().filter_map(closed));
    spans.extend(
        of.stages
            .iter()
            .filter_map(|stage| Some((phase_of_stage(stage), stage.started_ms, stage.ended_ms?))),
    );
    spans.extend(closed(stop_span(of, &times)));
    spans
}

pub(crate) fn stop_span(of: &TryStory, times: &AlignedTimes) -> PhaseSpan {
    let from = of.stopping_ms.or(times.stopping);
    PhaseSpan { phase: TimelinePhase::Stop, from, to: times.stopped }
}

pub(crate) fn phase_of_stage(stage: &fargate_job_journal::StageStory) -> TimelinePhase {
    if stage.is_user_script() { TimelinePhase::Script } else { TimelinePhase::OwnStage }
}

/// Seconds of the forge as whole milliseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float that is negative or too large saturates"
)]
pub(crate) fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}

/// The phase of the start that a try is in, and since when. `None` once it is ready or over.
#[must_use]
pub fn current_phase(of: &TryStory) -> Option<(TimelinePhase, u64)> {
    if of.ready_ms.is_some() || of.failed_ms.is_some() || of.cleaned_up_ms.is_some() {
        return None;
    }
    let times = AlignedTimes::of(of);
    let spans = start_spans(of, &times);
    let open = spans.iter().rev().find(|span| span.from.is_some() && span.to.is_none());
    let ended = spans.iter().rev().find(|span| span.from.is_some() && span.to.is_some());
    match (open, ended) {
        (Some(open), _) => Some((open.phase, open.from?)),
        // Between two phases: the next one has not been reported yet.
        (None, Some(ended)) => Some((next_phase(ended.phase), ended.to?)),
        (None, None) => None,
    }
}

fn next_phase(phase: TimelinePhase) -> TimelinePhase {
    match phase {
        TimelinePhase::Queued => TimelinePhase::Held,
        TimelinePhase::Held => TimelinePhase::RunTask,
        TimelinePhase::RunTask => TimelinePhase::Network,
        TimelinePhase::Network => TimelinePhase::Pull,
        TimelinePhase::Pull => TimelinePhase::Start,
        TimelinePhase::Start => TimelinePhase::Agent,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use fargate_job_journal::TaskTimes;

    use super::*;

    fn of_times(created: u64, pull: u64, pulled: u64, login: u64) -> TryStory {
        TryStory {
            received_ms: 9_900,
            first_launch_ms: Some(10_000),
            accepted_ms: Some(10_400),
            times: TaskTimes {
                created_ms: Some(created),
                pull_started_ms: Some(pull),
                pull_stopped_ms: Some(pulled),
                ..TaskTimes::default()
            },
            login_ms: Some(login),
            ..TryStory::default()
        }
    }

    #[test]
    fn ecs_times_are_moved_as_little_as_brings_them_between_launch_and_login() {
        let shift = |of: TryStory| AlignedTimes::of(&of).shift_ms;
        assert_eq!(shift(of_times(10_200, 15_000, 20_000, 25_000)), 0);
        // ECS's clock is late by 5 s, then ahead by 8 s.
        assert_eq!(shift(of_times(5_000, 9_000, 14_000, 25_000)), 5_000);
        assert_eq!(shift(of_times(18_200, 28_000, 33_000, 25_000)), -8_000);
        // Both ends cannot be right: the beginning counts.
        assert_eq!(shift(of_times(10_100, 15_000, 40_000, 25_000)), -100);
        assert_eq!(shift(of_times(9_950, 15_000, 20_000, 25_000)), 0);
    }

    #[test]
    fn closed_phases_are_given_in_order_and_the_open_one_is_the_current() {
        let mut of = of_times(10_200, 15_000, 20_000, 25_000);
        of.login_ms = None;
        let phases = phases_of(&of, Some(0.3));
        let expected = [
            (TimelinePhase::Queued, 9_600, 9_900),
            (TimelinePhase::Held, 9_900, 10_000),
            (TimelinePhase::RunTask, 10_000, 10_400),
            (TimelinePhase::Network, 10_200, 15_000),
            (TimelinePhase::Pull, 15_000, 20_000),
        ];
        assert_eq!(phases, expected);
        assert_eq!(current_phase(&of), Some((TimelinePhase::Start, 20_000)));
        of.times.pull_stopped_ms = None;
        assert_eq!(current_phase(&of), Some((TimelinePhase::Pull, 15_000)));
        of.ready_ms = Some(26_000);
        assert_eq!(current_phase(&of), None);
        let fresh = TryStory { received_ms: 5, ..TryStory::default() };
        assert_eq!(current_phase(&fresh), Some((TimelinePhase::Held, 5)));
    }
}
