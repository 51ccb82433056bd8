//! The answer about one job as text for a terminal, and for "Copy as text" on its page. Names that a job chose
//! are escaped, so nothing in the text moves a cursor. No colours here: the text says all without them.

use std::time::Duration;

use fargate_model::text::{bytes, escape, money, ticking};

use crate::answer_words::{length, time_of_day, titled};
use crate::timeline::is_of_start;
use crate::{JobAnswer, JobStateWord, JobVerdictWord, TimelinePhase, TimelineRow, WhyAnswer};

/// Widest lines of prose, in characters. Source: the words of this project's terminal output.
const PROSE: usize = 88;
/// Columns left of the bar: owner, phase, length.
const LEFT: usize = 33;
/// Columns right of it: the usual length.
const RIGHT: usize = 8;
/// Narrowest and widest bars, in characters.
const BAR: (usize, usize) = (16, 48);

/// How the text is written.
#[derive(Clone, Copy, Debug)]
pub struct JobTextStyle {
    /// Columns of the terminal; `None`: as many as needed.
    pub width: Option<usize>,
    /// Whether it shows `✓` and `✗`.
    pub unicode: bool,
    /// Whether the events follow.
    pub events: bool,
    /// Now: milliseconds since 1970.
    pub now_ms: u64,
}

/// Why the job waits or failed: a head, and the cause with what to do. Of a job that passed, one line.
#[must_use]
pub fn why_text(answer: &JobAnswer, style: &JobTextStyle) -> String {
    let mut lines = vec![head(answer, style)];
    if let Some(why) = &answer.why {
        lines.push(String::new());
        lines.extend(why_lines(why, style));
        for next in &answer.then {
            lines.push(format!("  Then: {}", escape(&next.headline)));
        }
        lines.push(format!("  {}", next_words(why)));
    } else if answer.state != JobStateWord::Finished {
        lines.extend([String::new(), escape(&answer.answer)]);
    }
    lines.join("\n")
}

/// All of it: head, why, start, stages, facts, and the events if they are asked for.
#[must_use]
pub fn show_text(answer: &JobAnswer, style: &JobTextStyle) -> String {
    let mut parts = vec![show_head(answer, style)];
    if let Some(why) = &answer.why {
        parts.push(why_lines(why, style).join("\n"));
    }
    if let Some(damaged) = answer.damaged_after_ms {
        parts.push(format!(
            "The record of this job is damaged after {} UTC. What is lost is not shown.",
            time_of_day(damaged)
        ));
    }
    parts.push(start_lines(answer, style).join("\n"));
    if !answer.stages.is_empty() {
        parts.push(stage_lines(answer).join("\n"));
    }
    if !answer.facts.is_empty() {
        parts.push(fact_lines(answer).join("\n"));
    }
    if style.events {
        parts.push(event_lines(answer).join("\n"));
    }
    parts.join("\n\n")
}

/// The mark of a job: its verdict, or its state.
fn mark(answer: &JobAnswer, unicode: bool) -> &'static str {
    match (answer.verdict, answer.state) {
        (Some(JobVerdictWord::Passed), _) => {
            if unicode {
                "✓"
            } else {
                "+"
            }
        }
        (Some(JobVerdictWord::Failed), _) => {
            if unicode {
                "✗"
            } else {
                "x"
            }
        }
        (Some(JobVerdictWord::SystemFailure), _) => "!",
        (Some(JobVerdictWord::TimedOut), _) => "T",
        (Some(JobVerdictWord::Cancelled), _) => "-",
        (None, JobStateWord::Waiting) => ".",
        (None, JobStateWord::Starting) => "~",
        (None, JobStateWord::Running) => ">",
        (None, JobStateWord::Stopping | JobStateWord::Finished) => "v",
    }
}

/// Name, id and project.
fn names(answer: &JobAnswer, style: &JobTextStyle) -> Vec<String> {
    let mark = mark(answer, style.unicode);
    let name = answer.name.as_deref().map(escape);
    let mut words = match name {
        Some(name) => vec![format!("{mark} {name}"), escape(&answer.id)],
        None => vec![format!("{mark} {}", escape(&answer.id))],
    };
    words.extend(answer.project.as_deref().map(escape));
    words
}

fn head(answer: &JobAnswer, style: &JobTextStyle) -> String {
    let mut words = names(answer, style);
    let lived = length(answer.lived_ms.unwrap_or_default());
    words.push(match (answer.verdict, answer.state) {
        (Some(JobVerdictWord::Passed), _) => format!("passed in {lived}{}", started(answer)),
        (Some(verdict), _) => format!("{} after {lived}", verdict.words()),
        (None, state) => {
            let lives = Duration::from_millis(answer.lived_ms.unwrap_or_default());
            format!("{} {}", state.word(), ticking(lives))
        }
    });
    words.join("  ")
}

fn started(answer: &JobAnswer) -> String {
    match (answer.started_in_ms, answer.usual_start_ms) {
        (Some(took), Some(usual)) => {
            format!(", started in {} (usual {})", length(took), length(usual))
        }
        (Some(took), None) => format!(", started in {}", length(took)),
        (None, _) => String::new(),
    }
}

fn show_head(answer: &JobAnswer, style: &JobTextStyle) -> String {
    let mut words = names(answer, style);
    words.extend(answer.git_ref.as_deref().map(escape));
    words.push(match answer.verdict {
        Some(verdict) => verdict.words().to_owned(),
        None => answer.state.word().to_owned(),
    });
    words.push(format!("{} UTC", time_of_day(answer.received_ms)));
    words.push(format!("lived {}", length(answer.lived_ms.unwrap_or_default())));
    words.push(match answer.cost_micro_usd {
        Some(cost) => format!("about {} (estimate)", money(cost)),
        None => "cost not known".to_owned(),
    });
    words.join("  ")
}

fn why_lines(why: &WhyAnswer, style: &JobTextStyle) -> Vec<String> {
    let width = style.width.unwrap_or(PROSE).min(PROSE);
    let headline = escape(&why.headline);
    let gap = width.saturating_sub(headline.chars().count() + why.slug.len()).max(2);
    let mut lines = vec![format!("{headline}{}{}", " ".repeat(gap), why.slug)];
    for evidence in &why.evidence {
        lines.extend(wrapped(&escape(evidence), width.saturating_sub(2), "  "));
    }
    if let Some(action) = &why.action {
        lines.extend(wrapped(&format!("Fix: {}", escape(action)), width.saturating_sub(2), "  "));
    }
    lines.extend(why.command.as_ref().map(|command| format!("    {}", escape(command))));
    lines
}

fn next_words(why: &WhyAnswer) -> String {
    let next = match why.next.as_str() {
        "waits" => "It is tried again by itself.",
        "retries" => "It is tried again a few times.",
        _ => "Not tried again by itself.",
    };
    format!("{next} Who can mend it: {}", why.who)
}

fn wrapped(text: &str, width: usize, indent: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let fits = line.chars().count() + 1 + word.chars().count() <= width;
        if !line.is_empty() && !fits {
            lines.push(format!("{indent}{line}"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(format!("{indent}{line}"));
    lines
}

/// The bars of the start, on one axis.
fn start_lines(answer: &JobAnswer, style: &JobTextStyle) -> Vec<String> {
    let rows: Vec<&TimelineRow> =
        answer.timeline.iter().filter(|row| is_of_start(row.phase)).collect();
    let from = rows.iter().filter_map(|row| row.from_ms).min().unwrap_or(answer.received_ms);
    let until = answer.ended_ms.unwrap_or(style.now_ms);
    let is_open =
        |row: &&&TimelineRow| row.from_ms.is_some() && row.to_ms.is_none() && row.is_reported;
    let open_end = rows.iter().find(is_open).map(|_| until);
    let to = rows.iter().filter_map(|row| row.to_ms).chain(open_end).max().unwrap_or(from);
    let axis = TimeAxis { from, to: to.max(from + 1), cells: cells(style.width) };
    let length_of_start = length(axis.to - axis.from);
    let is_compared = rows.iter().any(|row| row.usual_ms.is_some());
    let head = format!("{:<LEFT$}{}", format!("start  {length_of_start}"), axis.labels());
    let mut lines = vec![match is_compared {
        true => {
            format!("{head:<width$}usual", width = LEFT + axis.cells + RIGHT - "usual".len() + 2)
        }
        false => head.trim_end().to_owned(),
    }];
    lines.extend(rows.iter().map(|row| axis.line(row, until)));
    if let Some(shift) = answer.clock_shift_ms {
        let shifted = length(shift.unsigned_abs());
        lines.push(format!("ECS clock shifted by {}{shifted}", if shift < 0 { "-" } else { "" }));
    }
    lines
}

fn cells(width: Option<usize>) -> usize {
    let room = width.unwrap_or(usize::MAX).saturating_sub(LEFT + 1 + RIGHT);
    room.clamp(BAR.0, BAR.1)
}

/// One axis for all bars.
struct TimeAxis {
    from: u64,
    to: u64,
    cells: usize,
}

impl TimeAxis {
    /// The cell of a moment.
    fn cell(&self, at: u64) -> usize {
        let cells = u128::try_from(self.cells).unwrap_or_default();
        let at = u128::from(at.clamp(self.from, self.to) - self.from) * cells;
        usize::try_from(at / u128::from(self.to - self.from)).unwrap_or(self.cells)
    }

    /// Whole steps of time above the cells, at most one per 10 cells.
    fn labels(&self) -> String {
        const STEPS: [u64; 15] = [
            100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000,
            600_000, 1_800_000, 3_600_000,
        ];
        let length = self.to - self.from;
        let most = u64::try_from(self.cells / 10).unwrap_or(1).max(1);
        let step = STEPS.into_iter().find(|step| length / step <= most).unwrap_or(length.max(1));
        let mut line = String::new();
        for n in 0..=length / step {
            let cell = self.cell(self.from + n * step) + 1;
            let pad = cell.saturating_sub(line.chars().count());
            line.push_str(&" ".repeat(pad));
            line.push_str(&step_words(n * step));
        }
        line
    }

    fn line(&self, row: &TimelineRow, until: u64) -> String {
        let took = match (row.from_ms, row.to_ms.or(Some(until).filter(|_| row.is_reported))) {
            (Some(from), Some(to)) => length(to.saturating_sub(from)),
            _ => "-".to_owned(),
        };
        let left = format!("{:<7} {:<16} {:>7}", row.owner, row.label, took);
        let usual = row.usual_ms.map(|usual| format!("  {:>6}", length(usual)));
        let bar = self.bar(row, until);
        let text = match &usual {
            Some(usual) => format!("{left} |{bar:<cells$}{usual}", cells = self.cells),
            None => format!("{left} |{bar}"),
        };
        text.trim_end().to_owned()
    }

    fn bar(&self, row: &TimelineRow, until: u64) -> String {
        if !row.is_reported {
            return " not reported by ECS".to_owned();
        }
        let Some(from) = row.from_ms else { return " not reached".to_owned() };
        let (start, end) = (self.cell(from), self.cell(row.to_ms.unwrap_or(until)));
        let start = start.min(self.cells - 1);
        let length = end.saturating_sub(start).max(1);
        let mut bar = " ".repeat(start);
        bar.push_str(&character(row.phase).repeat(length));
        let mut notes = Vec::new();
        if row.to_ms.is_none() {
            bar.push('>');
        }
        if let Some(failed) = &row.failed {
            notes.push(format!("x {}", escape(failed)));
        }
        notes.extend(
            row.note.as_deref().filter(|_| row.phase == TimelinePhase::RunTask).map(escape),
        );
        if notes.is_empty() { bar } else { format!("{bar} {}", notes.join(", ")) }
    }
}

fn step_words(ms: u64) -> String {
    match ms {
        0 => "0 s".to_owned(),
        1..1_000 => format!("0.{} s", ms / 100),
        _ if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ => format!("{} s", ms / 1000),
    }
}

/// The character of a phase. Source: the words of this project's terminal output.
fn character(phase: TimelinePhase) -> &'static str {
    match phase {
        TimelinePhase::Queued | TimelinePhase::Held => "/",
        TimelinePhase::RunTask | TimelinePhase::Script => "#",
        TimelinePhase::Network => "=",
        TimelinePhase::Pull => ".",
        TimelinePhase::Start => "|",
        TimelinePhase::Agent | TimelinePhase::Proof => "x",
        TimelinePhase::OwnStage => ":",
        TimelinePhase::Stop => "-",
    }
}

fn stage_lines(answer: &JobAnswer) -> Vec<String> {
    let widest = answer.stages.iter().map(|stage| escape(&stage.name).chars().count()).max();
    let widest = widest.unwrap_or_default().max("STAGE".len());
    let mut lines = vec![format!(
        "{:<widest$}  {:<8}  {:>8}  {:>4}  {:>8}",
        "STAGE", "STARTED", "TOOK", "EXIT", "OUTPUT"
    )];
    for stage in &answer.stages {
        let took = stage.took_ms.map_or_else(|| "-".to_owned(), length);
        let exit = stage.exit.map_or_else(|| "-".to_owned(), |exit| exit.to_string());
        let mut line = format!(
            "{:<widest$}  {:<8}  {took:>8}  {exit:>4}  {:>8}",
            escape(&stage.name),
            time_of_day(stage.started_ms),
            bytes(stage.output_bytes),
        );
        let odd =
            stage.verdict.as_deref().filter(|verdict| !matches!(*verdict, "passed" | "failed"));
        let words = [stage.exit_meaning.as_deref(), odd].into_iter().flatten();
        let resumed = (stage.resumed > 0).then(|| format!("cut and resumed {}x", stage.resumed));
        let words: Vec<_> = words.map(str::to_owned).chain(resumed).collect();
        if !words.is_empty() {
            line = format!("{line}  {}", words.join(", "));
        }
        lines.push(line);
    }
    lines
}

fn fact_lines(answer: &JobAnswer) -> Vec<String> {
    let widest = answer.facts.iter().map(|fact| fact.name.len()).max().unwrap_or_default();
    let lines = answer.facts.iter();
    lines.map(|fact| format!("{:<widest$}  {}", fact.name, escape(&fact.value))).collect()
}

fn event_lines(answer: &JobAnswer) -> Vec<String> {
    let mut lines = vec![titled("events, UTC")];
    lines.extend(answer.events.iter().map(|event| {
        let at = crate::answer_words::exact_time_of_day(event.at_ms);
        format!("{at}  {:<18} {}", event.name, escape(&event.text)).trim_end().to_owned()
    }));
    lines
}

#[cfg(test)]
#[path = "job_text_tests.rs"]
mod tests;
