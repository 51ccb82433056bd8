//! What happened to the jobs of all hosts, in SQLite or PostgreSQL.
//!
//! [`JournalIngest`] reads the journals of one host and puts each job's story into the [`HistoryStore`];
//! the store answers questions about many jobs. No job waits for it, and nothing in it is needed to run
//! one: a lost database is rebuilt from what the journals, the records and ECS still know. This crate
//! knows no URL, no page and no AWS.

mod audit;
mod costs;
mod damaged;
mod database;
mod dialect;
mod error;
mod event_stream;
mod hosts;
mod ingest;
mod job_columns;
mod job_filter;
mod job_page;
mod job_update;
mod journal_fold;
mod journal_scan;
mod location;
mod lookup;
mod moments;
mod overview;
mod person_actions;
mod pruning_clock;
mod rebuild;
mod rebuild_due;
mod repair;
mod retention;
mod schema;
mod start_line;
mod starts;
mod store;
mod unheard;

pub use audit::{AuditEntry, AuditRecord, AuditVerification};
pub use costs::{CostDaySum, CostGroupSum, CostKey, CostStatistics, CostSum, UnpricedJobs};
pub use error::HistoryError;
pub use event_stream::StoredEvent;
pub use hosts::HostRow;
pub use ingest::{IngestCondition, IngestSettings, JournalIngest};
pub use job_filter::{JobFilter, ValueRange};
pub use job_page::{JobPage, JobRow, JobSort, PageCursor, PageRequest};
pub use job_update::{AppliedEntry, StoryUpdate};
pub use location::HistoryLocation;
pub use overview::{CauseSighting, FailureRow, FilterChoices, JobBucket};
pub use person_actions::PersonAction;
pub use pruning_clock::PruningTime;
pub use rebuild_due::KnownTask;
pub use starts::{
    ImagePercentiles, LengthPercentiles, PhasePercentiles, StartStatistics, UsualPhases,
};
pub use store::{HistoryRepair, HistoryStore, OpenedHistory};
