//! Figures with their goals, as a table for people and as JSON for machines.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

/// On which side of a number a figure must lie.
#[derive(Clone, Copy)]
pub enum FigureGoal {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl FigureGoal {
    fn number(self) -> f64 {
        match self {
            Self::AtMost(number) | Self::AtLeast(number) => number,
        }
    }

    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}

/// One measured number.
pub struct BenchFigure {
    /// What was measured; it stays the same from version to version.
    pub name: &'static str,
    /// In `unit`.
    pub value: f64,
    /// `ratio`, or a unit.
    pub unit: &'static str,
    /// What it should be.
    pub goal: FigureGoal,
    /// What it was computed from.
    pub note: String,
}

/// All figures of one run, and what could not be measured here.
#[derive(Default)]
pub struct BenchReport {
    figures: Vec<BenchFigure>,
    skipped: Vec<String>,
}

impl BenchReport {
    /// Takes one figure.
    pub fn add(&mut self, figure: BenchFigure) {
        self.figures.push(figure);
    }

    /// Notes what is not measured on this machine, and why.
    pub fn skip(&mut self, what: &str, why: &str) {
        self.skipped.push(format!("SKIPPED {what}: {why}"));
    }

    /// A list of `{name, value, unit, goal, holds}`.
    pub fn to_json(&self) -> String {
        let entry = |figure: &BenchFigure| {
            json!({
                "name": figure.name,
                "value": (figure.value * 1000.0).round() / 1000.0,
                "unit": figure.unit,
                "goal": figure.goal.number(),
                "holds": figure.goal.holds(figure.value),
            })
        };
        let list = Value::Array(self.figures.iter().map(entry).collect());
        format!("{list:#}\n")
    }
}

impl fmt::Display for BenchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:36} {:>9} {:6} {:>9}  {:6}  measured", "", "figure", "", "goal", "")?;
        for BenchFigure { name, value, unit, goal, note } in &self.figures {
            let side = match goal {
                FigureGoal::AtMost(_) => "<=",
                FigureGoal::AtLeast(_) => ">=",
            };
            let holds = if goal.holds(*value) { "holds" } else { "MISSED" };
            let goal = format!("{side} {}", goal.number());
            writeln!(f, "{name:36} {value:>9.2} {unit:6} {goal:>9}  {holds:6}  {note}")?;
        }
        for skipped in &self.skipped {
            writeln!(f, "{skipped}")?;
        }
        Ok(())
    }
}

/// Milliseconds.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The smallest value that at least `percent` of all do not exceed (nearest rank).
///
/// There must be at least one value.
pub fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1]
}

/// The middle one.
pub fn median(values: &[f64]) -> f64 {
    percentile(values, 50)
}
