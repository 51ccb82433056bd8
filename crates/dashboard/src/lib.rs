//! The pages of the dashboard: HTML from the answers of the status API, complete without a script.
//!
//! Each function takes an answer and a [`PageFrame`] and returns a whole page, or its `<main>` alone if
//! the frame asks for a fragment. Every text that is not ours passes maud's escaping and
//! `name_text`'s marks for characters that nobody sees. No page has an inline style, script or
//! handler, so a content security policy can forbid them all. Nothing here reads a clock, a database or
//! the network, and nothing decides who may see what: the answers hold only what the reader may see.

mod checks_page;
mod columns;
mod cost_page;
mod filter_text;
mod frame;
mod heat_map;
mod history_filters;
mod history_page;
mod images_page;
mod job_head;
mod job_page;
mod messages;
mod name_text;
mod now_lists;
mod now_page;
mod number_text;
mod page_query;
mod patterns;
mod phase_axis;
#[cfg(any(test, feature = "samples"))]
pub mod samples;
mod start_time_page;
mod state_mark;
mod static_files;
mod strip;
mod timeline;
mod why_card;

#[cfg(test)]
mod tests;

pub use checks_page::checks_page;
pub use cost_page::cost_page;
pub use filter_text::{filter_pairs, filter_text};
pub use frame::{PageBanner, PageFrame};
pub use history_page::history_page;
pub use images_page::images_page;
pub use job_page::job_page;
pub use messages::{
    cause_page, job_choice_page, job_not_found_page, later_page, message_page, not_found_page,
    not_stopped_page, sign_in_page,
};
pub use now_page::now_page;
pub use start_time_page::start_time_page;
pub use static_files::{StaticFile, static_file};
