//! Shows the events of an image on stderr: in place on a terminal, as one line for each finished step
//! elsewhere; or all of them on stdout, for programs.
//!
//! Words are masked and cleaned here; where the lines stand is the business of [`EventLines`].

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fargate_image_builder::{ImageEvent, ImageEvents};
use fargate_model::text::escape_within;
use fargate_terminal::{ProgressRegion, TerminalCapabilities, TerminalSize, stderr_size};

use super::event_lines::EventLines;
use super::{EventFormat, ImageOutputArgs};
use crate::status::capabilities;
use crate::streams::{masker, tell, to_stdout};

/// At most ten frames a second.
const FRAME: Duration = Duration::from_millis(100);
/// How often the running step is told where no terminal is.
const SELDOM: Duration = Duration::from_secs(15);
/// Longest line that is shown, in characters.
const LONGEST: usize = 400;

/// The view. Clones show on the same place.
#[derive(Clone)]
pub struct EventView(Arc<Mutex<ViewState>>);

struct ViewState {
    place: ViewPlace,
    lines: EventLines,
    told: Instant,
}

enum ViewPlace {
    /// One JSON object for each event, on stdout.
    Events,
    /// In place; none once it is closed.
    Live(Option<ProgressRegion>),
    Lines,
    Nowhere,
}

impl EventView {
    /// The view that these arguments and stderr ask for.
    pub fn new(output: ImageOutputArgs) -> Self {
        let abilities: TerminalCapabilities = capabilities();
        let place = match (output.events, output.quiet, abilities.live) {
            (Some(EventFormat::Ndjson), _, _) => ViewPlace::Events,
            (None, true, _) => ViewPlace::Nowhere,
            (None, false, true) => ViewPlace::Live(Some(ProgressRegion::on_stderr())),
            (None, false, false) => ViewPlace::Lines,
        };
        let lines = EventLines::new(abilities);
        Self(Arc::new(Mutex::new(ViewState { place, lines, told: Instant::now() })))
    }

    /// What the work tells its events to.
    pub fn events(&self) -> ImageEvents {
        let view = self.clone();
        ImageEvents::to(move |event| view.state().take(event))
    }

    /// Draws again and again, so that times tick; never returns.
    pub async fn tick(&self) -> Infallible {
        loop {
            tokio::time::sleep(FRAME).await;
            self.state().draw();
        }
    }

    /// Draws for the last time. What stands there stays.
    pub fn close(&self, succeeded: bool) {
        let mut state = self.state();
        state.lines.close(succeeded);
        state.draw();
        if let ViewPlace::Live(region) = &mut state.place {
            *region = None;
        }
    }

    fn state(&self) -> MutexGuard<'_, ViewState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ViewState {
    fn take(&mut self, event: ImageEvent) {
        match &self.place {
            ViewPlace::Events => {
                let text = serde_json::to_string(&event).expect("names and numbers only");
                // A reader that is gone has what it wanted.
                let _ = to_stdout(&masker().text(&text));
            }
            ViewPlace::Nowhere => {}
            ViewPlace::Live(_) => self.lines.take(event),
            ViewPlace::Lines => {
                let before = self.lines.finished().len();
                self.lines.take(event);
                for line in &self.lines.finished()[before..] {
                    tell!("{line}");
                    self.told = Instant::now();
                }
            }
        }
    }

    fn draw(&mut self) {
        match &mut self.place {
            ViewPlace::Live(Some(region)) => {
                let clean = |line: &String| escape_within(&masker().text(line), LONGEST);
                let size = stderr_size().unwrap_or(TerminalSize::USUAL);
                let lines = self.lines.frame(size.rows);
                if !lines.is_empty() {
                    let lines: Vec<String> = lines.iter().map(clean).collect();
                    // A terminal that is gone shows nothing more; the work goes on.
                    let _ = region.frame(&[], &lines, size);
                }
            }
            ViewPlace::Lines if self.told.elapsed() >= SELDOM => {
                if let Some(line) = self.lines.running() {
                    tell!("{line}");
                }
                self.told = Instant::now();
            }
            ViewPlace::Live(None) | ViewPlace::Lines | ViewPlace::Events | ViewPlace::Nowhere => {}
        }
    }
}
