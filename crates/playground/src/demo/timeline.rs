//! One job's phases on a time axis that all jobs share.

use std::time::Duration;

/// Narrowest cell of the axis.
const FINEST_CELL: Duration = Duration::from_millis(250);

/// Cells between two labels of the axis.
const LABEL_EVERY: usize = 8;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DemoJobPhase {
    /// No task was asked for yet.
    Waits,
    /// The task has no network interface yet.
    Network,
    /// Its image is pulled.
    Pull,
    /// Its container starts.
    Start,
    /// It runs, and the driver waits for its agent.
    Agent,
    /// The stages of the job run.
    Job,
}

impl DemoJobPhase {
    fn letter(self) -> char {
        match self {
            Self::Waits => '.',
            Self::Network => 'n',
            Self::Pull => 'p',
            Self::Start => 's',
            Self::Agent => 'a',
            Self::Job => '=',
        }
    }

    /// What a row says while a job is in this phase.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waits => "",
            Self::Network => "network",
            Self::Pull => "pulling",
            Self::Start => "container",
            Self::Agent => "agent",
            Self::Job => "",
        }
    }
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemoJobEnd {
    /// It passed.
    Passed,
    /// It did not.
    Failed,
    /// Someone cancelled it.
    Cancelled,
}

/// The phases of one job; times count from the start of the demo.
#[derive(Clone, Debug, Default)]
pub struct DemoJobTimeline {
    changes: Vec<(Duration, DemoJobPhase)>,
    end: Option<(Duration, DemoJobEnd)>,
}

impl DemoJobTimeline {
    /// The job is in `phase` since `at`. Phases only go forward; an earlier one changes nothing.
    pub fn enter(&mut self, phase: DemoJobPhase, at: Duration) {
        if self.end.is_none() && phase > self.phase() {
            self.changes.push((at, phase));
        }
    }

    /// The job ended.
    pub fn finish(&mut self, finish: DemoJobEnd, at: Duration) {
        self.end.get_or_insert((at, finish));
    }

    /// Where the job stands.
    #[must_use]
    pub fn phase(&self) -> DemoJobPhase {
        self.changes.last().map_or(DemoJobPhase::Waits, |(_, phase)| *phase)
    }

    /// How the job ended, if it did.
    #[must_use]
    pub fn finished(&self) -> Option<DemoJobEnd> {
        self.end.map(|(_, finish)| finish)
    }

    /// The bar of this job at the time `now`; a phase that fills no middle of a cell is left out.
    #[must_use]
    pub fn bar(&self, now: Duration, axis: TimelineAxis) -> String {
        let until = self.end.map_or(now, |(at, _)| at);
        let mut bar = String::with_capacity(axis.cells);
        for cell in 0..axis.cells {
            let begin = axis.at(cell);
            if begin + axis.cell > until {
                bar.push(match self.end {
                    Some((_, DemoJobEnd::Passed)) => '|',
                    Some((_, DemoJobEnd::Failed)) => 'x',
                    Some((_, DemoJobEnd::Cancelled)) => '-',
                    None if self.phase() == DemoJobPhase::Waits => '.',
                    None => '>',
                });
                break;
            }
            bar.push(self.phase_at(begin + axis.cell / 2).letter());
        }
        bar
    }

    fn phase_at(&self, at: Duration) -> DemoJobPhase {
        let before = self.changes.iter().rev().find(|(since, _)| *since <= at);
        before.map_or(DemoJobPhase::Waits, |(_, phase)| *phase)
    }
}

/// The shared axis: so many cells of so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimelineAxis {
    /// How many cells a bar has.
    pub cells: usize,
    /// What one cell stands for.
    pub cell: Duration,
}

impl TimelineAxis {
    /// The axis on which `now` has its place: cells double until it has.
    #[must_use]
    pub fn holding(now: Duration, cells: usize) -> Self {
        let mut axis = Self { cells, cell: FINEST_CELL };
        while cells > 0 && axis.at(cells) <= now {
            axis.cell *= 2;
        }
        axis
    }

    fn at(self, cell: usize) -> Duration {
        self.cell * u32::try_from(cell).unwrap_or(u32::MAX)
    }

    /// The labels above the bars, `cells` wide: `0s      2s      4s`.
    #[must_use]
    pub fn labels(self) -> String {
        let mut labels = String::new();
        for cell in (0..self.cells).step_by(LABEL_EVERY) {
            let label = format!("{}s", self.at(cell).as_secs());
            if cell + label.len() <= self.cells {
                labels.push_str(&" ".repeat(cell - labels.len()));
                labels.push_str(&label);
            }
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn job() -> DemoJobTimeline {
        let mut timeline = DemoJobTimeline::default();
        timeline.enter(DemoJobPhase::Network, ms(250));
        timeline.enter(DemoJobPhase::Pull, ms(500));
        timeline.enter(DemoJobPhase::Start, ms(1000));
        timeline.enter(DemoJobPhase::Agent, ms(1030));
        timeline.enter(DemoJobPhase::Job, ms(1060));
        timeline.enter(DemoJobPhase::Pull, ms(1100));
        timeline
    }

    #[test]
    fn a_bar_shows_each_phase_that_fills_a_cell_and_how_the_job_ended() {
        let axis = TimelineAxis::holding(ms(2700), 36);
        let mut timeline = job();
        assert_eq!(timeline.bar(ms(2300), axis), ".npp=====>");
        timeline.finish(DemoJobEnd::Failed, ms(2300));
        timeline.finish(DemoJobEnd::Passed, ms(2400));
        assert_eq!(timeline.bar(ms(8000), axis), ".npp=====x");
        assert_eq!(DemoJobTimeline::default().bar(ms(600), axis), "...");
    }

    #[test]
    fn the_axis_doubles_when_it_is_full() {
        let axis = TimelineAxis::holding(ms(8999), 36);
        assert_eq!(
            (axis.cell, axis.labels().as_str()),
            (ms(250), "0s      2s      4s      6s      8s")
        );
        let axis = TimelineAxis::holding(ms(9000), 36);
        assert_eq!(
            (axis.cell, axis.labels().as_str()),
            (ms(500), "0s      4s      8s      12s     16s")
        );
        assert_eq!(TimelineAxis::holding(ms(3000), 16).labels(), "0s      2s");
        assert_eq!(job().bar(ms(3_600_000), TimelineAxis::holding(ms(3_600_000), 16)).len(), 15);
    }
}
