//! Which lines show the events of an image: one for each finished step, and the running one with at most
//! six lines of its own, which fold into one when it ends.
//!
//! It writes to no stream.

use std::collections::VecDeque;
use std::time::Instant;

use fargate_image_builder::{ImageEvent, ImageStep};
use fargate_model::text::{bytes, duration, ticking};
use fargate_terminal::{StateMark, TerminalCapabilities};

/// Most lines below the running step.
const OWN_LINES: usize = 6;
/// Columns of a step's name, and of what it says before the time.
const NAME_COLUMNS: usize = 11;
const SUMMARY_COLUMNS: usize = 60;
/// Columns of a layer's bar.
const BAR_COLUMNS: u64 = 20;

/// The lines.
pub struct EventLines {
    abilities: TerminalCapabilities,
    finished: Vec<String>,
    running: Option<RunningStep>,
}

struct RunningStep {
    step: ImageStep,
    begun: Instant,
    summary: String,
    output: VecDeque<String>,
    /// The id of each layer, and its line.
    layers: Vec<(String, String)>,
}

impl EventLines {
    /// No lines yet.
    pub fn new(abilities: TerminalCapabilities) -> Self {
        Self { abilities, finished: Vec::new(), running: None }
    }

    /// The lines that do not change any more.
    pub fn finished(&self) -> &[String] {
        &self.finished
    }

    /// The line of the running step.
    pub fn running(&self) -> Option<String> {
        let running = self.running.as_ref()?;
        let took = ticking(running.begun.elapsed());
        Some(self.line(StateMark::Running, running.step, &running.summary, &took))
    }

    /// All lines, as many as fit into `rows`; the newest stay.
    pub fn frame(&self, rows: usize) -> Vec<String> {
        let mut lines = self.finished.clone();
        lines.extend(self.running());
        if let Some(running) = &self.running {
            let own = running.layers.iter().map(|(_, line)| line).chain(&running.output);
            let skipped = own.clone().count().saturating_sub(OWN_LINES);
            lines.extend(own.skip(skipped).map(|line| format!("    {line}")));
        }
        lines.split_off(lines.len().saturating_sub(rows.saturating_sub(1)))
    }

    /// Takes in one event.
    pub fn take(&mut self, event: ImageEvent) {
        match event {
            ImageEvent::StepStarted { step } => {
                self.running = Some(RunningStep::new(step));
            }
            ImageEvent::StepDone { step, summary, took_ms } => {
                self.running = None;
                let took = duration(std::time::Duration::from_millis(took_ms));
                self.finished.push(self.line(StateMark::Passed, step, &summary, &took));
            }
            ImageEvent::Warning { text, .. } => self.finished.push(format!("warning: {text}")),
            other => {
                if let Some(running) = &mut self.running {
                    running.take(other);
                }
            }
        }
    }

    /// The command ended. A step that still ran is marked.
    pub fn close(&mut self, succeeded: bool) {
        if let Some(running) = self.running.take().filter(|_| !succeeded) {
            let took = duration(running.begun.elapsed());
            let line = self.line(StateMark::Failed, running.step, &running.summary, &took);
            self.finished.push(line);
        }
    }

    fn line(&self, mark: StateMark, step: ImageStep, summary: &str, took: &str) -> String {
        let mark = mark.symbol(self.abilities.unicode);
        let line =
            format!("{mark} {:NAME_COLUMNS$} {summary:SUMMARY_COLUMNS$} {took:>8}", step.label());
        line.trim_end().to_owned()
    }
}

impl RunningStep {
    fn new(step: ImageStep) -> Self {
        let (begun, summary) = (Instant::now(), String::new());
        Self { step, begun, summary, output: VecDeque::new(), layers: Vec::new() }
    }

    fn take(&mut self, event: ImageEvent) {
        match event {
            ImageEvent::StepProgress { summary, .. } => self.summary = summary,
            ImageEvent::BuildStep { number, of, name, cached } => {
                let cached = if cached { ", from the cache" } else { "" };
                self.summary = format!("{number} of {of} steps{cached}");
                self.push(name);
            }
            ImageEvent::BuildLine { line, .. } => self.push(line),
            ImageEvent::LayerProgress { id, name, done_bytes, of_bytes, note, .. } => {
                let how = note.unwrap_or_else(|| bar(done_bytes, of_bytes));
                let line = format!("{id}  {name:8} {:>8}  {how}", bytes(of_bytes));
                match self.layers.iter_mut().find(|(known, _)| *known == id) {
                    Some((_, shown)) => *shown = line,
                    None => self.layers.push((id, line)),
                }
            }
            ImageEvent::StepStarted { .. }
            | ImageEvent::StepDone { .. }
            | ImageEvent::Warning { .. } => {}
        }
    }

    fn push(&mut self, line: String) {
        if self.output.len() == OWN_LINES {
            self.output.pop_front();
        }
        self.output.push_back(line);
    }
}

/// `[####......]  40 %`.
fn bar(done: u64, of: u64) -> String {
    let of = of.max(1);
    let full = done.min(of) * BAR_COLUMNS / of;
    let column = |n| if n < full { '#' } else { '.' };
    let columns: String = (0..BAR_COLUMNS).map(column).collect();
    format!("[{columns}] {:>3} %", done.min(of) * 100 / of)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: TerminalCapabilities =
        TerminalCapabilities { live: true, colour: false, unicode: false };

    fn line(number: u32, text: &str) -> ImageEvent {
        let stream = fargate_image_builder::OutputStream::Stdout;
        ImageEvent::BuildLine { number, stream, line: text.to_owned() }
    }

    #[test]
    fn a_running_step_shows_its_newest_six_lines_and_folds_into_one() {
        let mut lines = EventLines::new(PLAIN);
        let step = ImageStep::Build;
        lines.take(ImageEvent::StepStarted { step });
        lines.take(ImageEvent::BuildStep {
            number: 2,
            of: 9,
            name: "RUN make".into(),
            cached: false,
        });
        for n in 0..8 {
            lines.take(line(2, &format!("line {n}")));
        }
        let frame = lines.frame(24);
        assert_eq!(frame.len(), 7);
        assert!(frame[0].starts_with("> build       2 of 9 steps"), "{frame:#?}");
        assert_eq!([&frame[1], &frame[6]], ["    line 2", "    line 7"]);
        lines.take(ImageEvent::StepDone { step, summary: "9 of 9 steps".into(), took_ms: 1800 });
        let frame = lines.frame(24);
        assert_eq!(frame.len(), 1);
        assert!(frame[0].starts_with("+ build       9 of 9 steps "), "{frame:#?}");
        assert!(frame[0].ends_with("   1.8 s"), "{frame:#?}");
    }

    #[test]
    fn layers_stand_side_by_side_each_in_one_line() {
        let mut lines = EventLines::new(PLAIN);
        let step = ImageStep::Push;
        lines.take(ImageEvent::StepStarted { step });
        for (id, done_bytes) in [("a41f", 5), ("77b0", 0), ("a41f", 10)] {
            lines.take(ImageEvent::LayerProgress {
                step,
                id: id.into(),
                name: "apt".into(),
                done_bytes,
                of_bytes: 20,
                note: None,
            });
        }
        let frame = lines.frame(24);
        assert_eq!(frame[1], "    a41f  apt          20 B  [##########..........]  50 %");
        assert_eq!(frame[2], "    77b0  apt          20 B  [....................]   0 %");
    }

    #[test]
    fn a_step_that_failed_is_marked_and_a_low_terminal_shows_the_newest_lines() {
        let mut lines = EventLines::new(PLAIN);
        for step in [ImageStep::Preflight, ImageStep::Context] {
            lines.take(ImageEvent::StepStarted { step });
            lines.take(ImageEvent::StepDone { step, summary: String::new(), took_ms: 1 });
        }
        lines.take(ImageEvent::StepStarted { step: ImageStep::Build });
        assert_eq!(lines.frame(3).len(), 2);
        lines.close(false);
        assert!(lines.frame(3)[1].starts_with("x build"), "{:?}", lines.frame(3));
    }
}
