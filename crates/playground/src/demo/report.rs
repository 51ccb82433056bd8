//! The table and the sentences at the end of the demo.

use std::path::Path;
use std::time::Duration;

use fargate_model::text::{bytes, duration};
use fargate_terminal::{TableColumn, TerminalCapabilities, cut, style, table_lines, wrap};

use super::fault_rules::DemoFaultCounts;
use crate::leftovers::JobLeftovers;
use crate::runner::{GitLabVerdict, PlayedJob};

/// One job that is over.
#[derive(Clone, Debug)]
pub struct DemoReportRow {
    /// Its name.
    pub name: String,
    /// What came of it; none where it never ended.
    pub outcome: Option<PlayedJob>,
    /// From its first call to the end of `prepare`.
    pub started_in: Option<Duration>,
    /// What it left.
    pub leftovers: JobLeftovers,
    /// How it differs from the plan; with faults, in what none of them explains.
    pub differs: Option<String>,
    /// How it ended otherwise than it does without faults.
    pub instead: Option<String>,
}

/// The end of the demo.
#[derive(Clone, Debug)]
pub struct DemoReport {
    /// All jobs.
    pub rows: Vec<DemoReportRow>,
    /// How long all of them took.
    pub took: Duration,
    /// What is left of anything.
    pub leftovers: JobLeftovers,
    /// The faults that it was played with.
    pub injected: Option<DemoFaultCounts>,
}

const COLUMNS: [TableColumn; 7] = [
    TableColumn::new("JOB").at_least(12),
    TableColumn::new("VERDICT").at_least(9),
    TableColumn::new("EXIT").number(),
    TableColumn::new("STARTED IN").number().dropped(3),
    TableColumn::new("STAGES").number().dropped(2),
    TableColumn::new("LOG").number().at_least(7).dropped(1),
    TableColumn::new("LEFT BEHIND"),
];

impl DemoReport {
    /// Whether everything went as planned, or as faults explain it, and nothing is left.
    #[must_use]
    pub fn as_planned(&self) -> bool {
        self.leftovers.is_none() && self.rows.iter().all(DemoReportRow::as_planned)
    }

    /// The whole text, no line wider than `columns`. `kept` is the folder with the logs, which
    /// stays where something differs.
    #[must_use]
    pub fn text(
        &self,
        columns: Option<usize>,
        kept: &Path,
        abilities: TerminalCapabilities,
    ) -> Vec<String> {
        let width = columns.unwrap_or(usize::MAX);
        let planned = self.as_planned();
        let mut lines = Vec::new();
        if !planned {
            lines.push(format!("{} {}", abilities.paint(style::ERROR, "error:"), self.complaint()));
            lines.push(String::new());
        }
        lines.extend(self.table(width, planned, abilities));
        lines.push(String::new());
        lines.extend(self.injection(width));
        if planned {
            lines.extend(self.good_end(width));
            if self.keeps_logs() {
                lines.push(format!("Logs and state: {}", kept.display()));
            }
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

    /// Whether somebody may want to read the logs.
    #[must_use]
    pub fn keeps_logs(&self) -> bool {
        let otherwise = |row: &DemoReportRow| row.instead.is_some();
        !self.as_planned() || (self.injected.is_some() && self.rows.iter().any(otherwise))
    }

    /// What was injected, and which jobs ended otherwise for it.
    fn injection(&self, width: usize) -> Vec<String> {
        let Some(injected) = &self.injected else { return Vec::new() };
        let mut lines =
            wrap(&format!("What went wrong, by the rules of {}:", injected.file), width);
        for (often, rule) in injected.lines() {
            lines.extend(indented(&format!("{often}: {rule}"), width));
        }
        for row in &self.rows {
            if let Some(instead) = &row.instead {
                lines.extend(indented(&format!("{}: {instead}", row.name), width));
            }
        }
        lines.push(String::new());
        lines
    }

    fn good_end(&self, width: usize) -> Vec<String> {
        let (jobs, counts, took) = (self.rows.len(), self.counts(), duration(self.took));
        let ended = format!("{jobs} jobs in {took}: {counts}");
        let sentences = match self.injected {
            None => [
                format!("{ended}, as planned."),
                "Checked: no task, no state file, no process is left.".to_owned(),
                "Next: README.md shows how to connect GitLab.".to_owned(),
            ],
            Some(_) => [
                format!("{ended}, with faults injected."),
                "Checked: no task, no state file, no process is left.".to_owned(),
                "Checked: no job passed that must not, and the big log is whole if its job passed."
                    .to_owned(),
            ],
        };
        sentences.iter().flat_map(|text| wrap(text, width)).collect()
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
            names => {
                let how = match self.injected {
                    None => "did not end as planned",
                    Some(_) => "ended as no fault explains",
                };
                let (some, all) = (names.len(), self.rows.len());
                format!("{some} of {all} jobs {how}: {}", names.join(", "))
            }
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

    fn table(&self, width: usize, planned: bool, abilities: TerminalCapabilities) -> Vec<String> {
        let rows: Vec<Vec<String>> = self.rows.iter().map(DemoReportRow::cells).collect();
        if planned {
            return table_lines(&COLUMNS, &rows, Some(width));
        }
        // Marks get a column of their own where there is something to mark.
        let lines = table_lines(&COLUMNS, &rows, Some(width.saturating_sub(2)));
        let differs = std::iter::once(false).chain(self.rows.iter().map(|row| !row.as_planned()));
        let marked = lines.iter().zip(differs).map(|(line, differs)| match differs {
            false => format!("  {line}"),
            true => format!("{} {line}", abilities.paint(style::FAILED, "!")),
        });
        marked.map(|line| cut(&line, width)).collect()
    }
}

impl DemoReportRow {
    fn as_planned(&self) -> bool {
        self.differs.is_none() && self.leftovers.is_none()
    }

    fn verdict(&self) -> &'static str {
        match &self.outcome {
            None => "no end",
            Some(outcome) if outcome.cancelled => "cancelled",
            Some(outcome) if outcome.verdict == GitLabVerdict::Success => "passed",
            Some(_) => "failed",
        }
    }

    fn cells(&self) -> Vec<String> {
        let dash = || "-".to_owned();
        let exit = self.outcome.as_ref().map_or_else(dash, |outcome| match outcome.verdict {
            GitLabVerdict::Success => "0".to_owned(),
            GitLabVerdict::Failed { exit_code: Some(code), .. } => code.to_string(),
            GitLabVerdict::Failed { exit_code: None, .. } => dash(),
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

/// In lines of at most `width` columns, set in, and further lines more so.
fn indented(text: &str, width: usize) -> Vec<String> {
    let lines = wrap(text, width.saturating_sub(4)).into_iter().enumerate();
    lines
        .map(|(at, line)| if at == 0 { format!("  {line}") } else { format!("    {line}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::FailureReason;

    const PLAIN: TerminalCapabilities =
        TerminalCapabilities { live: false, colour: false, unicode: true };

    fn row(name: &str, verdict: GitLabVerdict, cancelled: bool, log: u64) -> DemoReportRow {
        let outcome = PlayedJob {
            verdict,
            cancelled,
            calls: Vec::new(),
            trace: Vec::new(),
            trace_bytes: log,
            took: Duration::from_secs(2),
        };
        DemoReportRow {
            name: name.to_owned(),
            outcome: Some(outcome),
            started_in: Some(Duration::from_millis(1020)),
            leftovers: JobLeftovers::default(),
            differs: None,
            instead: None,
        }
    }

    fn report() -> DemoReport {
        let failed = |reason, exit_code| GitLabVerdict::Failed { reason, exit_code };
        DemoReport {
            rows: vec![
                row("lint", GitLabVerdict::Success, false, 2_100),
                row("fails-with-3", failed(FailureReason::ScriptFailure, Some(3)), false, 1_200),
                row("cancelled", failed(FailureReason::UnknownFailure, None), true, 1_000),
                row("big-log", GitLabVerdict::Success, false, 5_000_321),
            ],
            took: Duration::from_millis(7_900),
            leftovers: JobLeftovers::default(),
            injected: None,
        }
    }

    #[test]
    fn with_faults_it_says_what_they_did_and_claims_no_plan() {
        let mut report = report();
        let counts = [("RunTask call 2: throttle", 1), ("any 1% seed 7: hang", 0)];
        let counts = counts.map(|(rule, struck)| (rule.to_owned(), struck)).to_vec();
        report.injected = Some(DemoFaultCounts { file: "rainy-day".to_owned(), counts });
        let failed =
            GitLabVerdict::Failed { reason: FailureReason::RunnerSystemFailure, exit_code: None };
        report.rows[0] = row("lint", failed, false, 900);
        report.rows[0].instead = Some("runner_system_failure instead of passed".to_owned());
        assert!(report.as_planned() && report.keeps_logs());
        let text = report.text(None, Path::new("/tmp/demo"), PLAIN).join("\n");
        insta::assert_snapshot!(text, @"
        JOB           VERDICT    EXIT  STARTED IN  STAGES      LOG  LEFT BEHIND
        lint          failed        -       1.0 s       0    900 B  none
        fails-with-3  failed        3       1.0 s       0   1.2 KB  none
        cancelled     cancelled     -       1.0 s       0   1.0 KB  none
        big-log       passed        0       1.0 s       0   5.0 MB  none

        What went wrong, by the rules of rainy-day:
          struck once: RunTask call 2: throttle
          did not strike: any 1% seed 7: hang
          lint: runner_system_failure instead of passed

        4 jobs in 7.9 s: 1 passed, 2 failed and 1 was cancelled, with faults injected.
        Checked: no task, no state file, no process is left.
        Checked: no job passed that must not, and the big log is whole if its job passed.
        Logs and state: /tmp/demo
        ");
        let narrow = report.text(Some(44), Path::new("/tmp/demo"), PLAIN);
        assert!(narrow.iter().all(|line| line.chars().count() <= 44), "{narrow:#?}");
        report.rows[1].differs =
            Some("expected: script_failure with exit 3, got: passed".to_owned());
        let text = report.text(None, Path::new("/tmp/demo"), PLAIN).join("\n");
        assert!(text.starts_with("error: 1 of 4 jobs ended as no fault explains: fails-with-3\n"));
        assert!(text.contains("  struck once: RunTask call 2: throttle\n"), "{text}");
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
        let heads = |width| report().table(width, true, PLAIN)[0].clone();
        assert!(heads(71).contains("LOG") && !heads(70).contains("LOG"));
        assert_eq!(heads(44), "JOB           VERDICT    EXIT  LEFT BEHIND");
    }
}
