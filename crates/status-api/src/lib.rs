//! The HTTP status API: answers as JSON and as pages, events as they happen, metrics.
//!
//! [`StatusService`] assembles answers from the history and from what the controller knows of this host;
//! [`serve`] answers requests with them. Handlers say what happened, one place says how HTTP puts it
//! ([`ApiProblem`]). Nothing here decides about jobs: the few changes that an operator may ask for are calls
//! of the controller. What is secret is in no answer, because it is in no story.

pub mod access;
mod answer_cache;
mod api_problem;
mod assemble;
mod clock;
mod connection;
mod csp_report;
mod csv_rows;
mod daemon_facts;
mod event_feed;
mod file_answers;
mod follow;
mod history_place;
mod image_answers;
mod image_levers;
mod job_count;
mod job_query;
mod live_facts;
mod metrics;
mod name_visibility;
mod notice_watch;
mod open_conditions;
mod outside_duties;
mod pages;
mod questions;
mod request_body;
mod request_guard;
mod request_parts;
mod routes;
mod runner_metrics;
mod runner_watch;
mod service_router;
mod status_service;
mod status_settings;
mod told_keeper;

pub use api_problem::{ApiProblem, ProblemBody};
pub use connection::{ConnectionLimits, FIRST_BYTE, HEADER_TIME, serve};
pub use daemon_facts::DaemonFacts;
pub use event_feed::{EventFeed, HEARTBEAT, JobChange};
pub use follow::follow;
pub use history_place::history_location;
pub use live_facts::LiveFacts;
pub use metrics::StatusMetrics;
pub use outside_duties::{OutsideDuties, run_duties};
pub use routes::openapi_json;
pub use service_router::router;
pub use status_service::StatusService;
pub use status_settings::{ConfiguredImage, MissingSettings, StatusSettings};
