//! From a job to a finished task.
//!
//! [`task`] starts, watches and stops one Fargate task; [`session`] talks to the agent in it;
//! [`state`] remembers both between processes; [`verdict`] decides what is told when nobody said
//! how a script ended; [`provision`] puts them together. None of them knows a forge. [`gitlab`]
//! holds the stages of GitLab's custom executor, [`exec`] one command for a person. [`host`] sees
//! whether this host gives what a process needs, [`mask`] keeps secrets out of what is printed,
//! [`fail_point`] names the steps between which a test may end the process.
//!
//! There is one ECS client and it is reached by endpoint; nothing here is told whether AWS or the
//! local cloud answers.

mod aws;
pub mod exec;
pub mod fail_point;
pub mod gitlab;
pub mod host;
pub mod mask;
pub mod provision;
pub mod session;
pub mod state;
pub mod task;
pub mod verdict;
pub mod version;

mod random;
mod reconnect;
