//! What the user sees while the jobs run: one region on a terminal, finished lines elsewhere.

use std::io::{self, Write};
use std::time::Duration;

use fargate_terminal::{
    ProgressRegion, TerminalCapabilities, TerminalSize, restore_cursor_on_panic, stdout_size, wrap,
};

use super::display_rows;
use super::progress::DemoProgress;

/// Time between two lines on what still goes on, where the display is not live.
const STILL: Duration = Duration::from_secs(15);

/// The display of one demo.
pub enum DemoDisplay {
    /// In place.
    Live {
        /// The region.
        screen: ProgressRegion,
        /// What stands above it.
        intro: String,
        /// What the terminal can show.
        abilities: TerminalCapabilities,
    },
    /// A line per change.
    Lines {
        /// When the next line on what still goes on is due.
        still: Duration,
    },
}

impl DemoDisplay {
    /// Begins a display of so many jobs, with what is said of the page, and with faults in these words.
    ///
    /// # Errors
    ///
    /// What kept standard output from being written.
    pub fn open(
        abilities: TerminalCapabilities,
        jobs: usize,
        page: &str,
        faults: Option<&str>,
    ) -> io::Result<Self> {
        let intro = format!(
            "Fargate Runner demo: a cloud, a git server and {jobs} jobs on this machine.\n\
             No AWS account, no Docker. {page}\n{}",
            faults.map(|faults| format!("What goes wrong: {faults}.\n")).unwrap_or_default()
        );
        if abilities.live && stdout_size().is_some() {
            restore_cursor_on_panic();
            return Ok(Self::Live { screen: ProgressRegion::on_stdout(), intro, abilities });
        }
        let mut out = io::stdout().lock();
        writeln!(out, "{intro}")?;
        out.flush()?;
        Ok(Self::Lines { still: STILL })
    }

    /// Shows what is on the board now; `calls` is the count of requests to ECS.
    ///
    /// # Errors
    ///
    /// What kept standard output from being written.
    pub fn update(&mut self, board: &DemoProgress, calls: usize) -> io::Result<()> {
        let now = board.now();
        match self {
            Self::Live { screen, intro, abilities } => {
                let size = stdout_size().unwrap_or(TerminalSize::USUAL);
                let mut head = wrap(intro, size.columns);
                head.push(String::new());
                let lines = display_rows::frame(&board.jobs(), now, calls, size, *abilities);
                screen.frame(&head, &lines, size)
            }
            Self::Lines { still } => {
                let mut out = io::stdout().lock();
                for change in board.changes() {
                    writeln!(out, "{}", display_rows::line(&change))?;
                    *still = now + STILL;
                }
                if now >= *still {
                    writeln!(out, "{}", display_rows::still(&board.jobs(), now))?;
                    *still = now + STILL;
                }
                out.flush()
            }
        }
    }
}
