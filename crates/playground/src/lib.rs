//! What a newcomer plays with: the local cloud for a person, the demo, the torture, and an imitation
//! of gitlab-runner that plays jobs through a driver. Never shipped to production.

mod accept;
pub mod backend_args;
pub mod demo;
pub mod environment;
pub mod faults;
pub mod files;
mod first_bytes;
pub mod git_server;
pub mod impostor;
pub mod invariants;
pub mod leftovers;
pub mod programs;
pub mod relay;
pub mod runner;
pub mod serve;
pub mod signals;
pub mod single_job;
pub mod test_host;
pub mod torture;
pub mod wait;
