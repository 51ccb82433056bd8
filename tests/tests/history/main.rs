//! The history: what it answers, on SQLite and on a real PostgreSQL alike, and what is left of it after
//! faults: a daemon that is killed, a damaged database, a full disk, two daemons of one host.
//!
//! All tests of this program share one PostgreSQL; each has a database of its own there. Without
//! PostgreSQL they say SKIPPED for that half, and in CI they fail.

mod answers;
mod audit_log;
mod damage;
mod ingest;
mod jobs;
mod killed_daemon;
mod lost_jobs;
mod place;
mod postgres;
mod pruning;
mod rebuilt;
mod split_journals;
mod two_hosts;
