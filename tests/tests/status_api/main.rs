//! `fargate-runner serve` over the wire: answers about jobs that really ran, events, limits, and who may see and
//! do what.

mod access;
mod alert_metrics;
mod answering_server;
mod answers;
mod attacks;
mod audit_export;
mod counted_lists;
mod downloads;
mod empty_host;
mod events;
mod hidden_names;
mod http_client;
mod job_counts;
mod notices;
mod odd_names;
mod property_tests;
mod question_limit;
mod runner_numbers;
mod server;
mod service_manager;
mod stalled_history;
mod task_stop;
