//! What the user sees while the jobs run: one region on a terminal, finished lines elsewhere.

use std::io::{self, Write};
use std::time::Duration;

use super::board::Board;
use super::display;
use super::screen::{self, Screen};
use crate::terminal::{Abilities, Size, size, wrap};

/// Time between two lines on what still goes on, where the display is not live.
const STILL: Duration = Duration::from_secs(15);

/// The size that is taken for a terminal that does not tell its own.
const USUAL: Size = Size { columns: 80, rows: 24 };

/// The display of one demo.
pub enum Show {
    /// In place.
    Live {
        /// The region.
        screen: Screen<io::Stdout>,
        /// What stands above it.
        intro: String,
        /// What the terminal can show.
        abilities: Abilities,
    },
    /// A line per change.
    Lines {
        /// When the next line on what still goes on is due.
        still: Duration,
    },
}

impl Show {
    /// Begins a display of so many jobs, with faults in these words.
    ///
    /// # Errors
    ///
    /// What kept standard output from being written.
    pub fn open(abilities: Abilities, jobs: usize, faults: Option<&str>) -> io::Result<Self> {
        let intro = format!(
            "Fargate Runner demo: a cloud, a git server and {jobs} jobs on this machine.\n\
             No AWS account, no Docker.\n{}",
            faults.map(|faults| format!("What goes wrong: {faults}.\n")).unwrap_or_default()
        );
        if abilities.live && size().is_some() {
            screen::restore_on_panic();
            return Ok(Self::Live { screen: Screen::new(io::stdout()), intro, abilities });
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
    pub fn update(&mut self, board: &Board, calls: usize) -> io::Result<()> {
        let now = board.now();
        match self {
            Self::Live { screen, intro, abilities } => {
                let size = size().unwrap_or(USUAL);
                let mut head = wrap(intro, size.columns);
                head.push(String::new());
                let lines = display::frame(&board.jobs(), now, calls, size, *abilities);
                screen.frame(&head, &lines, size)
            }
            Self::Lines { still } => {
                let mut out = io::stdout().lock();
                for change in board.changes() {
                    writeln!(out, "{}", display::line(&change))?;
                    *still = now + STILL;
                }
                if now >= *still {
                    writeln!(out, "{}", display::still(&board.jobs(), now))?;
                    *still = now + STILL;
                }
                out.flush()
            }
        }
    }
}
