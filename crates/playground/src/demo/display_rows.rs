//! The rows of the live display, and the lines where there is none.

use std::time::Duration;

use fargate_model::text::{count, duration};
use fargate_terminal::{
    StateMark, Style, TableColumn, TerminalCapabilities, TerminalSize, cut, style, table_lines,
};

use super::progress::{DemoJobChange, JobView, word};
use super::timeline::{DemoJobEnd, DemoJobPhase, TimelineAxis};

/// Cells of a bar on a terminal of 80 columns and more.
const WIDE_BAR: usize = 36;
/// Cells of a bar below that.
const NARROW_BAR: usize = 16;
/// Columns that a wide bar needs.
const WIDE: usize = 80;
/// Columns below which there are no bars.
const NARROW: usize = 60;

/// Names are cut to this, so that states begin below each other from the first frame on.
const NAME_WIDTH: usize = 12;
const STATE_WIDTH: usize = 9;
/// Where the state begins in a row: after the name and the gap between columns.
const STATE_AT: usize = NAME_WIDTH + 2;
/// Head of the table, an empty line and the legend.
const LINES_AROUND: usize = 3;

/// One frame: the table of all jobs, never wider or higher than `size`.
#[must_use]
pub fn frame(
    jobs: &[JobView],
    now: Duration,
    calls: usize,
    size: TerminalSize,
    abilities: TerminalCapabilities,
) -> Vec<String> {
    let room = size.rows.saturating_sub(2 + LINES_AROUND).max(1);
    let mut order: Vec<&JobView> = jobs.iter().collect();
    if order.len() > room {
        // What still goes on is worth more than what is over.
        order.sort_by_key(|job| job.timeline.finished().is_some());
    }
    let hidden = if order.len() > room { order.split_off(room - 1) } else { Vec::new() };
    let mut lines = table(&order, now, size, abilities);
    if !hidden.is_empty() {
        let running = hidden.iter().filter(|job| job.timeline.finished().is_none()).count();
        let over = hidden.len() - running;
        let text = match (running, over) {
            (0, over) => format!("+ {over} more over"),
            (running, 0) => format!("+ {running} more running"),
            (running, over) => format!("+ {running} more running, {over} over"),
        };
        lines.push(cut(&format!("  {text}"), size.columns));
    }
    lines.push(String::new());
    lines.push(cut(&legend(now, calls, size.columns), size.columns));
    let highest = size.rows.saturating_sub(2).max(1);
    lines.truncate(highest);
    lines
}

fn axis(now: Duration, size: TerminalSize) -> Option<TimelineAxis> {
    let cells = match size.columns {
        WIDE.. => WIDE_BAR,
        NARROW.. => NARROW_BAR,
        _ => return None,
    };
    Some(TimelineAxis::holding(now, cells))
}

/// The head and one row for each job, with its mark before it.
fn table(
    jobs: &[&JobView],
    now: Duration,
    size: TerminalSize,
    abilities: TerminalCapabilities,
) -> Vec<String> {
    let axis = axis(now, size);
    let mut columns = vec![
        TableColumn::new("JOB").at_least(NAME_WIDTH),
        TableColumn::new("STATE").at_least(STATE_WIDTH),
    ];
    columns.extend(axis.map(|axis| TableColumn::headed(axis.labels()).at_least(axis.cells)));
    columns.push(TableColumn::new("NOTE"));
    let cells = |job: &&JobView| {
        let mut cells = vec![cut(&job.name, NAME_WIDTH), state(job).to_owned()];
        cells.extend(axis.map(|axis| job.timeline.bar(now, axis)));
        cells.push(job.note.clone());
        cells
    };
    let rows: Vec<Vec<String>> = jobs.iter().map(cells).collect();
    // Two columns are for the mark and the space after it.
    let mut lines = table_lines(&columns, &rows, Some(size.columns.saturating_sub(2))).into_iter();
    let head = lines.next().map(|head| format!("  {head}"));
    let rows = lines.zip(jobs).map(|(line, job)| painted(&line, job, abilities));
    head.into_iter().chain(rows).collect()
}

/// A line of the table with its mark. Colours go in last, so that they count for nothing in the width.
fn painted(line: &str, job: &JobView, abilities: TerminalCapabilities) -> String {
    let (mark, style) = mark(job);
    let mark = abilities.paint(style, mark.symbol(abilities.unicode));
    let state = state(job);
    match line.split_at_checked(STATE_AT).map(|(name, rest)| (name, rest.strip_prefix(state))) {
        Some((name, Some(rest))) => format!("{mark} {name}{}{rest}", abilities.paint(style, state)),
        // The terminal is too narrow for the state.
        _ => format!("{mark} {line}"),
    }
}

fn state(job: &JobView) -> &'static str {
    word(&job.timeline, job.begun.is_some())
}

/// The mark of a job and the colour of it.
fn mark(job: &JobView) -> (StateMark, Style) {
    match (job.timeline.finished(), job.timeline.phase()) {
        (Some(DemoJobEnd::Passed), _) => (StateMark::Passed, style::PASSED),
        (Some(DemoJobEnd::Failed), _) => (StateMark::Failed, style::FAILED),
        (Some(DemoJobEnd::Cancelled), _) => (StateMark::Cancelled, style::NONE),
        (None, DemoJobPhase::Job) => (StateMark::Running, style::NONE),
        (None, DemoJobPhase::Waits) if job.begun.is_none() => (StateMark::Waiting, style::WAITING),
        (None, _) => (StateMark::Starting, style::NONE),
    }
}

fn legend(now: Duration, calls: usize, columns: usize) -> String {
    let count = count(u64::try_from(calls).unwrap_or(u64::MAX));
    let totals = format!("{}   {count} ECS calls", duration(now));
    let letters = ". waits  n network  p pull  s start  a agent  = job";
    match letters.len() + 5 + totals.len() <= columns {
        true => format!("{letters}     {totals}"),
        false => totals,
    }
}

/// The line of one change, where the display is not live.
#[must_use]
pub fn line(change: &DemoJobChange) -> String {
    format!("{:>7}  {}  {}  {}", duration(change.at), change.name, change.state, change.note)
}

/// The line on what still goes on, where the display is not live.
#[must_use]
pub fn still(jobs: &[JobView], now: Duration) -> String {
    let names: Vec<_> = jobs
        .iter()
        .filter(|job| job.timeline.finished().is_none())
        .map(|job| job.name.as_str())
        .collect();
    format!("{:>7}  still going on: {}", duration(now), names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::timeline::DemoJobTimeline;
    use super::*;

    const PLAIN: TerminalCapabilities =
        TerminalCapabilities { live: true, colour: false, unicode: true };

    fn job(name: &str, phase: DemoJobPhase, finish: Option<DemoJobEnd>, note: &str) -> JobView {
        let mut timeline = DemoJobTimeline::default();
        timeline.enter(DemoJobPhase::Network, Duration::from_millis(250));
        timeline.enter(DemoJobPhase::Pull, Duration::from_millis(500));
        timeline.enter(phase, Duration::from_millis(1000));
        if let Some(finish) = finish {
            timeline.finish(finish, Duration::from_millis(2300));
        }
        let begun = Some(Duration::ZERO);
        JobView { name: name.to_owned(), timeline, note: note.to_owned(), begun, started_in: None }
    }

    fn jobs() -> Vec<JobView> {
        let waiting = JobView {
            name: "big-log".to_owned(),
            timeline: DemoJobTimeline::default(),
            note: String::new(),
            begun: None,
            started_in: None,
        };
        vec![
            job("lint", DemoJobPhase::Job, Some(DemoJobEnd::Passed), "8 stages"),
            job("fails-with-3", DemoJobPhase::Job, Some(DemoJobEnd::Failed), "exit 3"),
            job("cancelled", DemoJobPhase::Job, Some(DemoJobEnd::Cancelled), "after_script"),
            job("build", DemoJobPhase::Job, None, "script"),
            job("tests", DemoJobPhase::Pull, None, "pulling"),
            waiting,
        ]
    }

    fn drawn(columns: usize, rows: usize, abilities: TerminalCapabilities) -> Vec<String> {
        frame(&jobs(), Duration::from_millis(4200), 41, TerminalSize { columns, rows }, abilities)
    }

    #[test]
    fn eighty_columns_show_bars_of_36_cells() {
        insta::assert_snapshot!(drawn(80, 24, PLAIN).join("\n"), @"
          JOB           STATE      0s      2s      4s      6s      8s    NOTE
        ✓ lint          passed     .npp=====|                            8 stages
        ✗ fails-with-3  failed     .npp=====x                            exit 3
        - cancelled     cancelled  .npp=====-                            after_script
        > build         running    .npp============>                     script
        ~ tests         starting   .npppppppppppppp>                     pulling
        . big-log       waiting    .................

        . waits  n network  p pull  s start  a agent  = job     4.2 s   41 ECS calls
        ");
    }

    #[test]
    fn no_line_is_wider_and_no_frame_higher_than_the_terminal() {
        for columns in [20, 40, 59, 60, 79, 80, 200] {
            for rows in [3, 6, 8, 20, 50] {
                let lines = drawn(columns, rows, PLAIN);
                assert!(
                    lines.len() <= rows.saturating_sub(2).max(1),
                    "{columns}x{rows}: {lines:#?}"
                );
                assert!(lines.iter().all(|line| line.chars().count() <= columns), "{lines:#?}");
            }
        }
    }

    #[test]
    fn a_low_terminal_shows_what_still_runs_and_counts_the_rest() {
        let lines = drawn(60, 9, PLAIN);
        insta::assert_snapshot!(lines.join("\n"), @"
          JOB           STATE      0s      4s        NOTE
        > build         running    np======>         script
        ~ tests         starting   nppppppp>         pulling
        . big-log       waiting    .........
          + 3 more over

        4.2 s   41 ECS calls
        ");
    }

    #[test]
    fn colours_are_closed_on_their_line_and_removing_them_loses_nothing() {
        let coloured = drawn(80, 24, TerminalCapabilities { colour: true, ..PLAIN });
        let plain = drawn(80, 24, PLAIN);
        for (coloured, plain) in coloured.iter().zip(&plain) {
            let mut bare = coloured.replace("\x1b[0m", "");
            for sgr in ["31", "32", "33"] {
                bare = bare.replace(&format!("\x1b[{sgr}m"), "");
            }
            assert_eq!(&bare, plain);
            assert_eq!(coloured.matches("\x1b[0m").count() * 2, coloured.matches('\x1b').count());
        }
    }
}
