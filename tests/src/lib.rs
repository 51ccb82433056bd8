//! What whole-product tests share: a local cloud with a configuration file, jobs whose stages are
//! real processes, and the invariants that hold after every fault.
//!
//! It asserts, so it panics; it is no place for product code and knows no internals of it. A test
//! opens a [`CheckedHost`], plays jobs on it, and ends with [`CheckedHost::close`], which checks what
//! must always
//! hold.

mod administrator;
mod checked_host;
mod containers;
mod docker_engine;
mod ecs;
mod efs;
mod emulator;
mod engine_socket;
mod files;
mod host_sshd;
pub mod image_host;
pub mod image_registry;
mod installation;
mod invariants;
mod job;
mod job_image;
mod microburst;
mod moved_clock;
mod neighbour;
mod place;
mod plain_engine;
mod postgres;
mod printed_policy;
mod process;
mod python;
mod quota_cloud;
mod recording_proxy;
mod redact;
pub mod scenes;
mod script_server;
mod size;
mod sshd;
mod toml_key;
mod wait;

pub use checked_host::{CheckedHost, agent, runner};
pub use containers::{ContainerEngine, root_of_test_image};
pub use docker_engine::{EngineContainer, TestEngine};
pub use ecs::{client as ecs_client, register as ecs_register, secrets_client, store_login};
pub use efs::{client as efs_client, make_access_point};
pub use emulator::EcsEmulator;
pub use fargate_access_policy::PolicyHolder;
pub use fargate_playground::invariants::{contains, files_below};
pub use fargate_playground::relay::{
    ConnectionCut, FaultyRelay, RelayBehaviour, RelayFault, RelayFaultKind, RelaySide, RelayTarget,
};
pub use files::{copy_program, replace_in, write_program, write_whole};
pub use host_sshd::HostSshd;
pub use installation::RunnerInstallation;
pub use invariants::END_AT;
pub use job::{BUILD_FAILURE, SYSTEM_FAILURE, TestJob};
pub use job_image::JOB_DOCKERFILE;
pub use microburst::MicroburstProxy;
pub use moved_clock::MovedClock;
pub use neighbour::{have, skip};
pub use place::free_place;
pub use plain_engine::PlainEngine;
pub use postgres::{new_postgres_database, run_postgres_sql};
pub use process::{
    PipeReading, TestProcess, TestProcessResult, alive, alive_in_task, is_ignored, mark,
    memory_kib, pass, process, wait_at,
};
pub use python::python;
pub use quota_cloud::{SESSION_VARIABLES, quota_cloud};
pub use recording_proxy::RecordingProxy;
pub use redact::redacted;
pub use script_server::ScriptServer;
pub use size::megabytes;
pub use sshd::SshdSetup;
pub use toml_key::set_key;
pub use wait::{PATIENCE, until, until_found};
