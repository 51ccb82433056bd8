//! The table and the sentences at the end of the demo.

use std::path::Path;
use std::time::Duration;

use fargate_model::text::{bytes, duration};

use crate::leftovers::Leftovers;
use crate::runner::{Outcome, Verdict};
use crate::terminal::Abilities;

/// One job that is over.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What came of it; none where it never ended.
    pub outcome: Option<Outcome>,
    /// From its first call to the end of `prepare`.
    pub started_in: Option<Duration>,
    /// What it left.
    pub leftovers: Leftovers,
    /// How it differs from the plan.
    pub differs: Option<String>,
}

/// The end of the demo.
#[derive(Clone, Debug)]
pub struct Report {
    /// All jobs.
    pub rows: Vec<Row>,
    /// How long all of them took.
    pub took: Duration,
    /// What is left of anything.
    pub leftovers: Leftovers,
}

struct Column {
    head: &'static str,
    width: usize,
    right: bool,
    /// Columns go in this order when the terminal is narrow; 0 stays.
    drop: u8,
}

const COLUMNS: [Column; 7] = [
    Column { head: "JOB", width: 12, right: false, drop: 0 },
    Column { head: "VERDICT", width: 9, right: false, drop: 0 },
    Column { head: "EXIT", width: 4, right: true, drop: 0 },
    Column { head: "STARTED IN", width: 10, right: true, drop: 3 },
    Column { head: "STAGES", width: 6, right: true, drop: 2 },
    Column { head: "LOG", width: 7, right: true, drop: 1 },
    Column { head: "LEFT BEHIND", width: 11, right: false, drop: 0 },
];

/// Space between two columns.
const GAP: usize = 2;

impl Report {
    /// Whether everything went as planned and nothing is left.
    #[must_use]
    pub fn as_planned(&self) -> bool {
        self.leftovers.is_none() && self.rows.iter().all(Row::as_planned)
    }

    /// The whole text, no line wider than `columns`. `kept` is the folder with the logs, which
    /// stays where something differs.
    #[must_use]
    pub fn text(&self, columns: Option<usize>, kept: &Path, abilities: Abilities) -> Vec<String> {
        let width = columns.unwrap_or(usize::MAX);
        let planned = self.as_planned();
        let mut lines = Vec::new();
        if !planned {
            lines.push(format!("{} {}", abilities.paint("1;31", "error:"), self.complaint()));
            lines.push(String::new());
        }
        lines.extend(self.table(width, planned, abilities));
        lines.push(String::new());
        if planned {
            let (counts, took) = (self.counts(), duration(self.took));
            let jobs = self.rows.len();
            lines.extend(sentence(&format!("{jobs} jobs in {took}: {counts}, as planned."), width));
            lines.extend(sentence("Checked: no task, no state file, no process is left.", width));
            lines.extend(sentence("Next: README.md shows how to connect GitLab.", width));
        } else {
            for row in &self.rows {
                if let Some(differs) = &row.differs {
                    lines.push(format!("  {}: {differs}", row.name));
                }
            }
            lines.extend(self.leftover_facts());
            lines.push(format!("  logs and state: {}", kept.display()));
        }
        lines
    }

    fn complaint(&self) -> String {
        let differing: Vec<_> = self
            .rows
            .iter()
            .filter(|row| row.differs.is_some())
            .map(|row| row.name.as_str())
            .collect();
        match differing.as_slice() {
            [] => format!("something is left behind: {}", self.leftovers),
            names => format!(
                "{} of {} jobs did not end as planned: {}",
                names.len(),
                self.rows.len(),
                names.join(", ")
            ),
        }
    }

    fn leftover_facts(&self) -> Vec<String> {
        let left = &self.leftovers;
        let tasks = left.tasks.iter().map(|arn| format!("  still there: task {arn}"));
        let files = left.files.iter().map(|path| format!("  still there: {}", path.display()));
        let processes = left.processes.iter().map(|pid| format!("  still there: process {pid}"));
        tasks.chain(files).chain(processes).collect()
    }

    /// `4 passed, 1 failed and 1 was cancelled`
    fn counts(&self) -> String {
        let count = |word: &str| self.rows.iter().filter(|row| row.verdict() == word).count();
        let cancelled = match count("cancelled") {
            1 => "1 was cancelled".to_owned(),
            many => format!("{many} were cancelled"),
        };
        format!("{} passed, {} failed and {cancelled}", count("passed"), count("failed"))
    }

    fn table(&self, width: usize, planned: bool, abilities: Abilities) -> Vec<String> {
        // Marks get a column of their own where there is something to mark.
        let margin = if planned { 0 } else { 2 };
        let columns = fitting(width.saturating_sub(margin));
        let heads: Vec<_> = COLUMNS.iter().map(|column| column.head.to_owned()).collect();
        let mut lines = vec![format!("{:margin$}{}", "", line(&heads, &columns))];
        for row in &self.rows {
            let mark = match (planned, row.as_planned()) {
                (true, _) => String::new(),
                (false, true) => "  ".to_owned(),
                (false, false) => format!("{} ", abilities.paint("31", "!")),
            };
            let text = line(&row.cells(), &columns);
            let kept: String = text.chars().take(width.saturating_sub(margin)).collect();
            lines.push(format!("{mark}{}", kept.trim_end()));
        }
        lines
    }
}

impl Row {
    fn as_planned(&self) -> bool {
        self.differs.is_none() && self.leftovers.is_none()
    }

    fn verdict(&self) -> &'static str {
        match &self.outcome {
            None => "no end",
            Some(outcome) if outcome.cancelled => "cancelled",
            Some(outcome) if outcome.verdict == Verdict::Success => "passed",
            Some(_) => "failed",
        }
    }

    fn cells(&self) -> Vec<String> {
        let dash = || "-".to_owned();
        let exit = self.outcome.as_ref().map_or_else(dash, |outcome| match outcome.verdict {
            Verdict::Success => "0".to_owned(),
            Verdict::Failed { exit_code: Some(code), .. } => code.to_string(),
            Verdict::Failed { exit_code: None, .. } => dash(),
        });
        vec![
            self.name.clone(),
            self.verdict().to_owned(),
            exit,
            self.started_in.map_or_else(dash, duration),
            self.outcome.as_ref().map_or_else(dash, |outcome| outcome.calls.len().to_string()),
            self.outcome.as_ref().map_or_else(dash, |outcome| bytes(outcome.trace_bytes)),
            self.leftovers.to_string(),
        ]
    }
}

/// The numbers of the columns that fit `width`.
fn fitting(width: usize) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..COLUMNS.len()).collect();
    for drop in 1..=3 {
        let total: usize = kept.iter().map(|&at| COLUMNS[at].width + GAP).sum();
        if total - GAP > width {
            kept.retain(|&at| COLUMNS[at].drop != drop);
        }
    }
    kept
}

fn line(cells: &[String], columns: &[usize]) -> String {
    let padded = columns.iter().map(|&at| {
        let Column { width, right, .. } = COLUMNS[at];
        match right {
            true => format!("{:>width$}", cells[at]),
            false => format!("{:width$}", cells[at]),
        }
    });
    let gap = " ".repeat(GAP);
    padded.collect::<Vec<_>>().join(&gap).trim_end().to_owned()
}

fn sentence(text: &str, width: usize) -> Vec<String> {
    crate::terminal::wrap(text, width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::FailureReason;

    const PLAIN: Abilities = Abilities { live: false, colour: false, unicode: true };

    fn row(name: &str, verdict: Verdict, cancelled: bool, log: u64) -> Row {
        let outcome = Outcome {
            verdict,
            cancelled,
            calls: Vec::new(),
            trace: Vec::new(),
            trace_bytes: log,
            took: Duration::from_secs(2),
        };
        Row {
            name: name.to_owned(),
            outcome: Some(outcome),
            started_in: Some(Duration::from_millis(1020)),
            leftovers: Leftovers::default(),
            differs: None,
        }
    }

    fn report() -> Report {
        let failed = |reason, exit_code| Verdict::Failed { reason, exit_code };
        Report {
            rows: vec![
                row("lint", Verdict::Success, false, 2_100),
                row("fails-with-3", failed(FailureReason::ScriptFailure, Some(3)), false, 1_200),
                row("cancelled", failed(FailureReason::UnknownFailure, None), true, 1_000),
                row("big-log", Verdict::Success, false, 5_000_321),
            ],
            took: Duration::from_millis(7_900),
            leftovers: Leftovers::default(),
        }
    }

    #[test]
    fn a_demo_that_went_as_planned_ends_with_its_table_and_what_was_checked() {
        let text = report().text(None, Path::new("/tmp/demo"), PLAIN).join("\n");
        insta::assert_snapshot!(text, @"
        JOB           VERDICT    EXIT  STARTED IN  STAGES      LOG  LEFT BEHIND
        lint          passed        0       1.0 s       0   2.1 KB  none
        fails-with-3  failed        3       1.0 s       0   1.2 KB  none
        cancelled     cancelled     -       1.0 s       0   1.0 KB  none
        big-log       passed        0       1.0 s       0   5.0 MB  none

        4 jobs in 7.9 s: 2 passed, 1 failed and 1 was cancelled, as planned.
        Checked: no task, no state file, no process is left.
        Next: README.md shows how to connect GitLab.
        ");
    }

    #[test]
    fn a_difference_comes_first_and_its_row_is_marked() {
        let mut report = report();
        report.rows[3].differs = Some("expected: passed, got: runner_system_failure".to_owned());
        report.rows[0].leftovers.processes = vec![4711];
        report.leftovers.processes = vec![4711];
        let text = report.text(Some(80), Path::new("/tmp/demo"), PLAIN).join("\n");
        insta::assert_snapshot!(text, @"
        error: 1 of 4 jobs did not end as planned: big-log

          JOB           VERDICT    EXIT  STARTED IN  STAGES      LOG  LEFT BEHIND
        ! lint          passed        0       1.0 s       0   2.1 KB  1 process
          fails-with-3  failed        3       1.0 s       0   1.2 KB  none
          cancelled     cancelled     -       1.0 s       0   1.0 KB  none
        ! big-log       passed        0       1.0 s       0   5.0 MB  none

          big-log: expected: passed, got: runner_system_failure
          still there: process 4711
          logs and state: /tmp/demo
        ");
    }

    #[test]
    fn columns_go_where_the_terminal_is_narrow() {
        for width in [44, 50, 60, 71] {
            let lines = report().text(Some(width), Path::new("/tmp/demo"), PLAIN);
            assert!(lines.iter().all(|line| line.chars().count() <= width), "{lines:#?}");
        }
        assert_eq!(fitting(71).len(), 7);
        assert_eq!(fitting(70).len(), 6);
        assert_eq!(fitting(44).len(), 4);
    }
}
