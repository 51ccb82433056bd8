//! Runs a job in a Fargate task, from the launch to the clean-up.
//!
//! [`verdict`] decides what is told when nobody said how a script ended; [`provision`] puts them
//! together. None of them knows a forge. [`gitlab`] holds the stages of GitLab's custom executor,
//! [`exec`] one command for a person.
//! [`task`] starts, watches and stops one Fargate task. [`session`] talks to the server in it.
//! [`state`] remembers both between processes. [`verdict`] decides the result if nobody said how a
//! script ended. [`provision`] puts them together. None of them knows a forge.
//!
//! local cloud answers. What processes remember for each other is the business of `fargate-state`, how
//! AWS is reached that of `fargate-aws`.
//! [`gitlab`] holds the stages of GitLab's custom executor, and [`exec`] runs one command for a
//! person. [`host`] checks what this host gives, [`mask`] keeps secrets out of what is printed, and
//! [`fail_point`] names the steps at which a test may end the process.
//!
//! There is one ECS client, and an endpoint decides whom it reaches. No code here knows whether AWS
//! or the local cloud answers.

pub mod exec;
pub mod gitlab;
pub mod provision;
pub mod script_file;
pub mod session;
pub mod task;
pub mod verdict;

mod reconnect;
