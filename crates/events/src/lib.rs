//! What happens to a job and to its host, from `job.received` to `cleanup.done`, as typed events.
//!
//! [`JobEvent`] lists every event once, with its name, version, level and fields. The code that does
//! the work emits events; a sink writes them down: the operator's log today, a file of one job or
//! metrics later. This crate knows no sink's format, opens no file, keeps no state and does no I/O.
//!
//! A new event is one entry in `job_event.rs` and one line in `docs/LOGGING.md`; a test compares the two.

mod field;
mod job_event;
mod job_fact;
mod record;
mod schema;
mod scope;
mod sink;

pub use field::FieldValue;
pub use job_event::JobEvent;
pub use job_fact::{JobDescription, JobFact, LaunchFact, StageVerdict, TaskFact};
pub use record::EventRecord;
pub use schema::{EventLevel, EventSchema, FieldKind, FieldSchema};
pub use scope::{emit, emit_fact};
pub use sink::{EventEmitter, EventSink, TracingSink};
