//! What happened to one job: the journal in which it is written down, and the story that the journal tells.
//!
//! The journal is an append-only file per job beside its record, with a checksum per line. Each process of
//! the job appends; nobody waits for a reader. [`JobStory`] is the fold of all its entries: one value that
//! says where the job stands, what each try and stage did, and why. Nothing here calls AWS, knows a
//! database, or finds words for people.

mod fold;
mod job_cost;
mod journal_entry;
mod journal_folder;
mod journal_mask;
mod journal_reader;
mod journal_sink;
mod story;
mod told_story;

pub use job_cost::{TaskUse, estimate_costs};
pub use journal_entry::{JournalContent, JournalEntry, LONGEST_LINE};
pub use journal_folder::{JOURNALS, JournalFolder};
pub use journal_reader::{JournalPart, read_journal};
pub use journal_sink::JournalSink;
pub use story::{JobState, JobStory, JobVerdict, StageStory, TaskTimes, TryStory};
pub use told_story::ToldStory;
