//! How long a start takes, and which phase is to blame.

use fargate_history::{FilterChoices, LengthPercentiles, StartStatistics};
use fargate_model::text;
use fargate_status_answers::{ImageStarts, PhaseStatistics, StartTimeAnswer, phase_words};

use super::words::{self, length};
use crate::job_query::JobQuery;

/// Fewer starts say nothing true. Source: the words of the page.
const ENOUGH: u64 = 20;

/// What the answer is made of.
#[derive(Debug)]
pub struct StartTimeParts {
    /// What was asked.
    pub query: JobQuery,
    /// Starts of the window.
    pub now: StartStatistics,
    /// Starts of the seven days before it.
    pub before: StartStatistics,
    /// What can be chosen.
    pub choices: FilterChoices,
}

/// Assembles the answer.
#[must_use]
pub fn start_time_answer(parts: StartTimeParts) -> StartTimeAnswer {
    let StartTimeParts { query, now, before, choices } = parts;
    let medians: u64 = now.phases.iter().filter_map(|phase| phase.lengths.p50_ms).sum();
    let phases: Vec<PhaseStatistics> = now
        .phases
        .iter()
        .map(|phase| {
            let (owner, label) = phase_words(phase.phase);
            let before = before.phases.iter().find(|it| it.phase == phase.phase);
            let lengths = &phase.lengths;
            PhaseStatistics {
                phase: phase.phase,
                owner: owner.to_owned(),
                label: label.to_owned(),
                starts: lengths.starts,
                p50_ms: lengths.p50_ms,
                p90_ms: lengths.p90_ms,
                p99_ms: lengths.p99_ms,
                share: lengths.p50_ms.filter(|_| medians > 0).map(|p50| part(p50, medians)),
                week_before_p50_ms: before.and_then(|before| before.lengths.p50_ms),
            }
        })
        .collect();
    let total = &now.total;
    StartTimeAnswer {
        answer: words::answer(&sentence(total, &phases)),
        starts: total.starts,
        p50_ms: total.p50_ms,
        p99_ms: total.p99_ms,
        least_ms: total.least_ms,
        most_ms: total.most_ms,
        from_ms: query.from_ms,
        to_ms: query.to_ms,
        phases,
        heat_map: now.heat_map,
        by_image: now
            .by_image
            .into_iter()
            .map(|image| ImageStarts {
                image: image.image,
                starts: image.lengths.starts,
                p50_ms: image.lengths.p50_ms,
                p90_ms: image.lengths.p90_ms,
                ..ImageStarts::default()
            })
            .collect(),
        projects: choices.projects,
        images: choices.images,
        sizes: choices.sizes,
        notices: query.notices,
    }
}

fn sentence(total: &LengthPercentiles, phases: &[PhaseStatistics]) -> String {
    let starts = text::count(total.starts);
    let Some(p50) = total.p50_ms.filter(|_| total.starts >= ENOUGH) else {
        return match (total.starts, total.least_ms, total.most_ms) {
            (0, ..) => "Needs 20 starts to say something true; there are none.".to_owned(),
            (1, Some(only), _) => format!("1 start: {}.", length(only)),
            (_, Some(least), Some(most)) => {
                format!("{starts} starts: from {} to {}.", length(least), length(most))
            }
            _ => format!("Needs 20 starts to say something true; there are {starts}."),
        };
    };
    let rare = total.p99_ms.map(|p99| format!(", 99 of 100 under {}", length(p99)));
    let share = |phase: &PhaseStatistics| phase.share.unwrap_or_default();
    let largest = phases.iter().max_by(|a, b| share(a).total_cmp(&share(b)));
    let largest = largest
        .filter(|phase| share(phase) > 0.0)
        .map(|phase| format!(" {} takes {:.0} % of it.", phase.label, share(phase) * 100.0));
    format!(
        "Half of {starts} starts took under {}{}.{}",
        length(p50),
        rare.unwrap_or_default(),
        largest.unwrap_or_default()
    )
}

#[expect(clippy::cast_precision_loss, reason = "a share of two lengths")]
fn part(one: u64, all: u64) -> f64 {
    one as f64 / all as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargate_history::PhasePercentiles;
    use fargate_status_answers::TimelinePhase;

    fn answered(starts: u64, p50: Option<u64>, p99: Option<u64>) -> String {
        let lengths = |starts, p50_ms, p99_ms| LengthPercentiles {
            starts,
            p50_ms,
            p90_ms: p50_ms,
            p99_ms,
            least_ms: Some(31_000),
            most_ms: Some(61_000),
        };
        let phase = |phase, p50| PhasePercentiles { phase, lengths: lengths(starts, p50, None) };
        let now = StartStatistics {
            total: lengths(starts, p50, p99),
            phases: vec![
                phase(TimelinePhase::Network, p50.map(|p50| p50 / 3)),
                phase(TimelinePhase::Pull, p50.map(|p50| p50 * 2 / 3)),
            ],
            ..StartStatistics::default()
        };
        let query = JobQuery::parse("", 1_795_989_600_000, 1, true);
        let (before, choices) = (StartStatistics::default(), FilterChoices::default());
        start_time_answer(StartTimeParts { query, now, before, choices }).answer
    }

    #[test]
    fn no_percentile_is_told_of_few_starts() {
        insta::assert_snapshot!(answered(12, None, None), @"12 starts: from 31.0 s to 1m 01s.");
        insta::assert_snapshot!(answered(1204, Some(38_400), Some(112_000)), @"Half of 1,204 starts took under 38.4 s, 99 of 100 under 1m 52s. Image pull takes 67 % of it.");
        insta::assert_snapshot!(answered(40, Some(38_400), None), @"Half of 40 starts took under 38.4 s. Image pull takes 67 % of it.");
    }
}
