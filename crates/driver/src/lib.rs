//! Runs a job in a Fargate task, from the launch to the clean-up.
//!
//! [`task`] starts, watches and stops one Fargate task. [`session`] talks to the server in it.
//! [`verdict`] decides the result if nobody said how a script ended. [`job`] puts them together: it
//! brings a job up, runs its scripts and cleans it up. None of them knows a forge. [`gitlab`] holds the
//! stages of GitLab's custom executor, and [`exec`] runs one command for a person. [`daemon`] is how they ask
//! the daemon of their host, if there is one.
//!
//! There is one ECS client, and an endpoint decides whom it reaches. No code here knows whether AWS
//! or the local cloud answers. `fargate-state` keeps what processes must know of each other, and
//! `fargate-aws` knows how AWS is reached.

pub mod context;
pub mod daemon;
pub mod exec;
pub mod gitlab;
pub mod job;

pub mod script_file;
pub mod session;
pub mod task;
pub mod task_shell;
pub mod verdict;

mod reconnect;
