//! The linear time axis of a timeline: its length and its ticks.

use crate::number_text::part_of;

/// Lengths between two ticks, in milliseconds.
const STEPS: [u64; 22] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000,
    120_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000,
];

/// From where to where a timeline is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PhaseAxis {
    /// Its left edge: milliseconds since 1970.
    pub(crate) from_ms: u64,
    /// Its length; never 0.
    pub(crate) span_ms: u64,
    /// From tick to tick.
    step_ms: u64,
}

impl PhaseAxis {
    /// An axis for what began at `from_ms` and has come to `to_ms`. If it goes on, a tenth stays free.
    pub(crate) fn new(from_ms: u64, to_ms: u64, goes_on: bool) -> Self {
        let length = to_ms.saturating_sub(from_ms).max(10);
        // 6 parts in 100 are room for the mark at the end of the last bar.
        let span_ms = if goes_on { length + length / 4 } else { length + length / 16 };
        let step_ms = STEPS.into_iter().find(|step| span_ms / step <= 7);
        // Days: whole hours, seven of them at most.
        let step_ms = step_ms.unwrap_or_else(|| span_ms.div_ceil(7 * 3_600_000) * 3_600_000);
        Self { from_ms, span_ms, step_ms }
    }

    /// Where a moment stands, in percent.
    pub(crate) fn place(&self, at_ms: u64) -> f64 {
        part_of(at_ms.saturating_sub(self.from_ms).min(self.span_ms), self.span_ms)
    }

    /// Where the ticks stand, in percent, and what they say.
    pub(crate) fn ticks(&self) -> Vec<(f64, String)> {
        let moments = (0..).map(|n| n * self.step_ms).take_while(|at| *at <= self.span_ms);
        moments.map(|at| (part_of(at, self.span_ms), tick_label(at))).collect()
    }
}

fn tick_label(ms: u64) -> String {
    let s = ms / 1000;
    match ms {
        0 => "0".to_owned(),
        ms if ms < 1000 => format!("{ms} ms"),
        ms if s < 60 && !ms.is_multiple_of(1000) => format!("{s}.{} s", ms % 1000 / 100),
        _ if s < 60 => format!("{s} s"),
        _ if s < 3600 && s.is_multiple_of(60) => format!("{}m", s / 60),
        _ if s < 3600 => format!("{}m {:02}s", s / 60, s % 60),
        _ if s.is_multiple_of(3600) => format!("{}h", s / 3600),
        _ => format!("{}h {:02}m", s / 3600, s % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_four_to_eight_ticks() {
        for length in
            [700, 5_000, 18_900, 41_500, 90_000, 255_000, 3_000_000, 36_000_000, 864_000_000]
        {
            for goes_on in [false, true] {
                let ticks = PhaseAxis::new(1_000_000, 1_000_000 + length, goes_on).ticks();
                assert!((4..=8).contains(&ticks.len()), "{length} ms: {ticks:?}");
                assert_eq!(ticks[0], (0.0, "0".to_owned()));
            }
        }
    }

    #[test]
    fn an_open_bar_ends_left_of_nine_tenths() {
        let axis = PhaseAxis::new(1_000, 61_000, true);
        assert!(axis.place(61_000) < 90.0);
        assert!(axis.place(61_000) > 70.0);
    }

    #[test]
    fn labels_are_short() {
        let labels: Vec<String> =
            PhaseAxis::new(0, 255_000, false).ticks().into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["0", "1m", "2m", "3m", "4m"]);
        assert_eq!(tick_label(1500), "1.5 s");
    }
}
