//! The rows of the live display, and the lines where there is none.

use std::time::Duration;

use fargate_model::text::{count, duration};

use super::progress::{DemoJobChange, JobView, word};
use super::timeline::{DemoJobEnd, DemoJobPhase, TimelineAxis};
use crate::terminal::{TerminalCapabilities, TerminalSize};

/// Cells of a bar on a terminal of 80 columns and more.
const WIDE_BAR: usize = 36;
/// Cells of a bar below that.
const NARROW_BAR: usize = 16;
/// Columns that a wide bar needs.
const WIDE: usize = 80;
/// Columns below which there are no bars.
const NARROW: usize = 60;

const NAME_WIDTH: usize = 14;
const STATE_WIDTH: usize = 11;
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
    let axis = axis(now, size);
    let mut lines = vec![head(axis, size)];
    let room = size.rows.saturating_sub(2 + LINES_AROUND).max(1);
    let mut order: Vec<&JobView> = jobs.iter().collect();
    if order.len() > room {
        // What still goes on is worth more than what is over.
        order.sort_by_key(|job| job.timeline.finished().is_some());
    }
    let hidden = if order.len() > room { order.split_off(room - 1) } else { Vec::new() };
    lines.extend(order.iter().map(|job| row(job, now, axis, size, abilities)));
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

fn head(axis: Option<TimelineAxis>, size: TerminalSize) -> String {
    let names = format!("  {:NAME_WIDTH$}{:STATE_WIDTH$}", "JOB", "STATE");
    let line = match axis {
        Some(axis) => format!("{names}{:width$}  NOTE", axis.labels(), width = axis.cells),
        None => format!("{names}NOTE"),
    };
    cut(&line, size.columns)
}

fn row(
    job: &JobView,
    now: Duration,
    axis: Option<TimelineAxis>,
    size: TerminalSize,
    abilities: TerminalCapabilities,
) -> String {
    let (mark, sgr) = mark(job, abilities);
    let state = word(&job.timeline, job.begun.is_some());
    let name = cut(&job.name, NAME_WIDTH - 1);
    let bar =
        axis.map(|axis| format!("{:width$}  ", job.timeline.bar(now, axis), width = axis.cells));
    let plain = format!(
        "{mark} {name:NAME_WIDTH$}{state:STATE_WIDTH$}{}{}",
        bar.unwrap_or_default(),
        job.note,
    );
    let plain = cut(&plain, size.columns);
    // Colours go in last, so that they count for nothing in the width.
    let painted_mark = abilities.paint(sgr, mark);
    let rest = plain.strip_prefix(mark).unwrap_or_default();
    match rest.split_once(state).filter(|_| !state.is_empty()) {
        Some((before, after)) => {
            format!("{painted_mark}{before}{}{after}", abilities.paint(sgr, state))
        }
        None => format!("{painted_mark}{rest}"),
    }
}

/// The mark of a job and the colour of it.
fn mark(job: &JobView, abilities: TerminalCapabilities) -> (&'static str, &'static str) {
    match (job.timeline.finished(), job.timeline.phase()) {
        (Some(DemoJobEnd::Passed), _) => (if abilities.unicode { "✓" } else { "+" }, "32"),
        (Some(DemoJobEnd::Failed), _) => (if abilities.unicode { "✗" } else { "x" }, "31"),
        (Some(DemoJobEnd::Cancelled), _) => ("-", ""),
        (None, DemoJobPhase::Job) => (">", ""),
        (None, DemoJobPhase::Waits) if job.begun.is_none() => (".", "33"),
        (None, _) => ("~", ""),
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

/// The first `width` characters.
fn cut(text: &str, width: usize) -> String {
    match text.chars().count() <= width {
        true => text.trim_end().to_owned(),
        false if width > 3 => {
            let kept: String = text.chars().take(width - 3).collect();
            format!("{}...", kept.trim_end())
        }
        false => text.chars().take(width).collect(),
    }
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
