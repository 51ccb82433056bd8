//! How long starts take: exact percentiles by nearest rank, per phase, per image and over the day.

use std::collections::BTreeMap;

use fargate_model::half_hours::{HALF_HOUR_MS, HALF_HOURS_OF_DAY, shown_half_hours};
use fargate_status_answers::{HeatMapCell, TimelinePhase};

use crate::database::SqlStatement;
use crate::start_line::{START_PHASES, StartLine};
use crate::{HistoryError, HistoryStore, JobFilter};

/// Fewer starts have no median and no 90th percentile. Source: the issue of the pages.
const LEAST_FOR_MEDIAN: usize = 20;
/// Fewer starts have no 99th percentile.
const LEAST_FOR_P99: usize = 100;
/// The edges between the rows of the heat map, in milliseconds.
const HEAT_EDGES_MS: [u64; 6] = [1_000, 10_000, 20_000, 40_000, 80_000, 160_000];
const WEEK_MS: u64 = 7 * 24 * 3600 * 1000;
/// Newest starts from which the usual times are taken. Ours: the last ten thousand of a week say enough.
const MOST_USUAL: u64 = 10_000;

/// Lengths of one thing, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LengthPercentiles {
    /// How many were reported.
    pub starts: u64,
    /// Half took no longer. `None` under 20.
    pub p50_ms: Option<u64>,
    /// 90 of 100 took no longer. `None` under 20.
    pub p90_ms: Option<u64>,
    /// 99 of 100 took no longer. `None` under 100.
    pub p99_ms: Option<u64>,
    /// The shortest.
    pub least_ms: Option<u64>,
    /// The longest.
    pub most_ms: Option<u64>,
}

/// One phase of starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhasePercentiles {
    /// Which.
    pub phase: TimelinePhase,
    /// Its lengths.
    pub lengths: LengthPercentiles,
}

/// Starts of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePercentiles {
    /// The image as configured.
    pub image: String,
    /// Lengths of its starts.
    pub lengths: LengthPercentiles,
}

/// How long the starts of a filter took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StartStatistics {
    /// From received until the task was ready.
    pub total: LengthPercentiles,
    /// Per phase, in order.
    pub phases: Vec<PhasePercentiles>,
    /// Starts per half hour of the day (UTC) and length; empty cells are left out.
    pub heat_map: Vec<HeatMapCell>,
    /// Per image, most starts first.
    pub by_image: Vec<ImagePercentiles>,
}

/// What a start usually takes: medians of the last 7 days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsualPhases {
    /// How many starts there were.
    pub starts: u64,
    /// From received until the task was ready. `None` under 20.
    pub total_ms: Option<u64>,
    /// Phases with at least 20 lengths, in order.
    pub phases: Vec<(TimelinePhase, u64)>,
}

/// Lengths in milliseconds: 49 days fit, and a hundred thousand take little room.
type Lengths = Vec<u32>;

#[derive(Default)]
struct StartCollector {
    /// Starts before this moment have no cell.
    heat_from_ms: u64,
    total: Lengths,
    phases: [Lengths; START_PHASES.len()],
    heat: BTreeMap<(u8, u8), u64>,
    by_image: BTreeMap<String, Lengths>,
}

impl HistoryStore {
    /// How long the starts of these jobs took. Jobs whose task never was ready are left out.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn starts(&self, filter: &JobFilter) -> Result<StartStatistics, HistoryError> {
        let mut read = SqlStatement::new("SELECT start_line, image FROM jobs");
        filter.add_to(&mut read);
        read.push(" AND start_ms >= 0");
        Ok(self.collect_starts(&read, heat_begin(filter)).await?.statistics())
    }

    /// What a start with this image and size usually takes.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn usual(
        &self,
        image: Option<&str>,
        size: Option<&str>,
        now_ms: u64,
    ) -> Result<UsualPhases, HistoryError> {
        let filter = JobFilter {
            from_ms: Some(now_ms.saturating_sub(WEEK_MS)),
            images: image.map(str::to_owned).into_iter().collect(),
            sizes: size.map(str::to_owned).into_iter().collect(),
            ..JobFilter::default()
        };
        let mut read = SqlStatement::new("SELECT start_line, NULL FROM jobs");
        filter.add_to(&mut read);
        read.push(" AND start_ms >= 0 ORDER BY received_ms DESC LIMIT ").bind(MOST_USUAL);
        let statistics = self.collect_starts(&read, 0).await?.statistics();
        let median = |phase: &PhasePercentiles| Some((phase.phase, phase.lengths.p50_ms?));
        Ok(UsualPhases {
            starts: statistics.total.starts,
            total_ms: statistics.total.p50_ms,
            phases: statistics.phases.iter().filter_map(median).collect(),
        })
    }

    async fn collect_starts(
        &self,
        read: &SqlStatement,
        heat_from_ms: u64,
    ) -> Result<StartCollector, HistoryError> {
        let mut collector = StartCollector { heat_from_ms, ..StartCollector::default() };
        let database = self.database().await;
        database
            .for_each_row("reading the times of starts", read, |row| {
                let line = row.known_text(0)?.as_deref().and_then(StartLine::parse);
                if let Some(line) = line {
                    collector.add(&line, row.known_text(1)?);
                }
                Ok(())
            })
            .await?;
        Ok(collector)
    }
}

impl StartCollector {
    fn add(&mut self, line: &StartLine, image: Option<String>) {
        let short = |length: u64| u32::try_from(length).unwrap_or(u32::MAX);
        self.total.push(short(line.total_ms));
        for (lengths, length) in self.phases.iter_mut().zip(line.phases) {
            lengths.extend(length.map(short));
        }
        if line.received_ms >= self.heat_from_ms {
            *self.heat.entry(heat_cell(line)).or_default() += 1;
        }
        if let Some(image) = image {
            self.by_image.entry(image).or_default().push(short(line.total_ms));
        }
    }

    fn statistics(self) -> StartStatistics {
        let phases = START_PHASES.into_iter().zip(self.phases);
        let mut by_image: Vec<_> = self
            .by_image
            .into_iter()
            .map(|(image, lengths)| ImagePercentiles { image, lengths: percentiles(lengths) })
            .collect();
        by_image.sort_by_key(|image| std::cmp::Reverse(image.lengths.starts));
        StartStatistics {
            total: percentiles(self.total),
            phases: phases
                .map(|(phase, lengths)| PhasePercentiles { phase, lengths: percentiles(lengths) })
                .collect(),
            heat_map: self
                .heat
                .into_iter()
                .map(|((half_hour, row), starts)| HeatMapCell { half_hour, row, starts })
                .collect(),
            by_image,
        }
    }
}

/// When the heat map begins, if that is later than the filter.
fn heat_begin(filter: &JobFilter) -> u64 {
    let (Some(from_ms), Some(to_ms)) = (filter.from_ms, filter.to_ms) else { return 0 };
    shown_half_hours(from_ms, to_ms).map_or(0, |(first, _)| first * HALF_HOUR_MS)
}

fn heat_cell(line: &StartLine) -> (u8, u8) {
    let half_hour = line.received_ms / HALF_HOUR_MS % HALF_HOURS_OF_DAY;
    let row = HEAT_EDGES_MS.iter().filter(|edge| line.total_ms >= **edge).count();
    (u8::try_from(half_hour).unwrap_or(0), u8::try_from(row).unwrap_or(0))
}

fn percentiles(mut lengths: Lengths) -> LengthPercentiles {
    lengths.sort_unstable();
    let at = |hundredths, least| {
        let rank = nearest_rank(lengths.len(), hundredths);
        lengths.get(rank).filter(|_| lengths.len() >= least).map(|length| u64::from(*length))
    };
    LengthPercentiles {
        starts: lengths.len() as u64,
        p50_ms: at(50, LEAST_FOR_MEDIAN),
        p90_ms: at(90, LEAST_FOR_MEDIAN),
        p99_ms: at(99, LEAST_FOR_P99),
        least_ms: lengths.first().map(|length| u64::from(*length)),
        most_ms: lengths.last().map(|length| u64::from(*length)),
    }
}

/// The index of the smallest length that at least `hundredths` of 100 do not exceed.
fn nearest_rank(count: usize, hundredths: usize) -> usize {
    (count * hundredths).div_ceil(100).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_lengths_that_were_measured() {
        let lengths: Lengths = (1..=100).rev().collect();
        let found = percentiles(lengths);
        let expected = LengthPercentiles {
            starts: 100,
            p50_ms: Some(50),
            p90_ms: Some(90),
            p99_ms: Some(99),
            least_ms: Some(1),
            most_ms: Some(100),
        };
        assert_eq!(found, expected);
        let few = percentiles((1..=19).collect());
        assert_eq!(
            (few.starts, few.p50_ms, few.least_ms, few.most_ms),
            (19, None, Some(1), Some(19))
        );
        let some = percentiles((1..=99).collect());
        assert_eq!((some.p50_ms, some.p90_ms, some.p99_ms), (Some(50), Some(90), None));
        assert_eq!(percentiles(Lengths::new()), LengthPercentiles::default());
    }

    #[test]
    fn no_cell_of_a_window_of_a_day_is_two_stretches_of_time() {
        let noon = 1_796_083_200_000 + 12 * 3_600_000;
        let begin = |from_ms, to_ms| {
            heat_begin(&JobFilter {
                from_ms: Some(from_ms),
                to_ms: Some(to_ms),
                ..Default::default()
            })
        };
        let (minute, day) = (60_000, 24 * 3_600_000);
        assert_eq!(begin(noon + minute, noon + minute + day), noon + 30 * minute);
        assert_eq!(begin(noon, noon + day), noon, "each half hour is there once");
        assert_eq!(begin(noon + minute, noon + 6 * 60 * minute), noon);
        assert_eq!(begin(noon + minute, noon + 7 * day), 0, "its cells are sums over the days");
        assert_eq!(heat_begin(&JobFilter::default()), 0);
    }

    #[test]
    fn a_cell_is_a_half_hour_of_the_day_and_a_length() {
        let noon = 1_796_083_200_000 + 12 * 3_600_000;
        for (total_ms, row) in
            [(0, 0), (999, 0), (1_000, 1), (39_999, 3), (40_000, 4), (160_000, 6)]
        {
            let line = StartLine { received_ms: noon, total_ms, ..Default::default() };
            assert_eq!(heat_cell(&line), (24, row), "{total_ms}");
        }
    }
}
