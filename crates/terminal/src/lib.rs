//! How every command writes for people: tables, progress, colours, marks, lists with keys, and the size of a terminal.
//!
//! Data for programs (JSON, TSV) is the business of each command; [`OutputFormat`] only says which one
//! is asked for. This crate cleans and masks nothing: callers pass words that are safe to show.

mod alternate_screen;
mod capabilities;
mod frame_terminal;
mod list_key;
mod list_view;
mod output_format;
mod progress_line;
mod progress_region;
mod raw_terminal;
mod size;
mod state_mark;
mod table;

pub use alternate_screen::AlternateScreen;
pub use anstyle::Style;
pub use capabilities::{ProgressMode, TerminalCapabilities, TerminalColourMode, style};
pub use list_key::{ListKey, list_keys};
pub use list_view::{LIST_GUTTER, ListRequest, ListView};
pub use output_format::OutputFormat;
pub use progress_line::ProgressLine;
pub use progress_region::{ProgressRegion, restore_cursor_on_panic};
pub use raw_terminal::RawTerminal;
pub use size::{TerminalSize, cut, stderr_size, stdin_size, stdout_size, wrap};
pub use state_mark::StateMark;
pub use table::{TableColumn, table_lines};
