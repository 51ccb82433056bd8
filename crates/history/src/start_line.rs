//! How long each phase of a job's start took, as one short text per job: statistics read a hundred
//! thousand of them at once.

use fargate_job_journal::{JobStory, TryStory};
use fargate_status_answers::{TimelinePhase, phases_of};

/// The phases of a start, in order.
pub(crate) const START_PHASES: [TimelinePhase; 8] = [
    TimelinePhase::Queued,
    TimelinePhase::Held,
    TimelinePhase::RunTask,
    TimelinePhase::Network,
    TimelinePhase::Pull,
    TimelinePhase::Start,
    TimelinePhase::Agent,
    TimelinePhase::Proof,
];

/// How long a start and its phases took, in milliseconds. `None`: not reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StartLine {
    /// When the job was received.
    pub(crate) received_ms: u64,
    /// From received until the task was ready.
    pub(crate) total_ms: u64,
    /// In the order of [`START_PHASES`].
    pub(crate) phases: [Option<u64>; START_PHASES.len()],
}

impl StartLine {
    /// The start of a job whose task became ready: that of its last try.
    pub(crate) fn of(story: &JobStory) -> Option<Self> {
        let last = story.tries.last()?;
        let total_ms = last.ready_ms?.saturating_sub(last.received_ms);
        let received_ms = story.received_ms;
        Some(Self { received_ms, total_ms, phases: lengths_of(story, last) })
    }

    /// The text that is stored: numbers and commas.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{},{}", self.received_ms, self.total_ms);
        for phase in self.phases {
            text.push(',');
            if let Some(length) = phase {
                text.push_str(&length.to_string());
            }
        }
        text
    }

    /// Reads the text; `None` if another version wrote it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let received_ms = parts.next()?.parse().ok()?;
        let total_ms = parts.next()?.parse().ok()?;
        let mut line = Self { received_ms, total_ms, ..Self::default() };
        for phase in &mut line.phases {
            let part = parts.next()?;
            *phase = if part.is_empty() { None } else { Some(part.parse().ok()?) };
        }
        Some(line)
    }
}

fn lengths_of(story: &JobStory, one: &TryStory) -> [Option<u64>; START_PHASES.len()] {
    // The forge says only once how long the job was queued, before its first try.
    let queued_s = story.description.queued_s.filter(|_| story.tries.len() == 1);
    let spans = phases_of(one, queued_s);
    START_PHASES.map(|phase| {
        let span = spans.iter().find(|(of, ..)| *of == phase);
        span.map(|(_, from, to)| to.saturating_sub(*from))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_back_and_another_versions_line_is_not_believed() {
        let mut line =
            StartLine { received_ms: 1_796_083_200_000, total_ms: 38_400, ..Default::default() };
        line.phases[4] = Some(23_400);
        assert_eq!(line.text(), "1796083200000,38400,,,,,23400,,,");
        assert_eq!(StartLine::parse(&line.text()), Some(line));
        for text in ["", "1,2", "1,2,,,,x,,,,", "1,2,,,"] {
            assert_eq!(StartLine::parse(text), None, "{text}");
        }
    }
}
