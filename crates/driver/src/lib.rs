//! From a job to a finished task.
//!
//! [`task`] starts, watches and stops one Fargate task; [`session`] talks to the agent in it;
//! [`verdict`] decides what is told when nobody said how a script ended; [`provision`] puts them
//! together. None of them knows a forge. [`gitlab`] holds the stages of GitLab's custom executor,
//! [`exec`] one command for a person.
//!
//! There is one ECS client and it is reached by endpoint; nothing here is told whether AWS or the
//! local cloud answers. What processes remember for each other is the business of `fargate-state`, how
//! AWS is reached that of `fargate-aws`.

pub mod exec;
pub mod gitlab;
pub mod provision;
pub mod script_file;
pub mod session;
pub mod task;
pub mod verdict;

mod reconnect;
