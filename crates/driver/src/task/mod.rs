//! One Fargate task: described, launched, watched until its agent answers, stopped, and found
//! again.
//!
//! It knows the states, answers and deadlines of ECS. It knows no forge, and no exit codes of
//! stages.

mod acquire;
mod channel_image;
mod classify;
mod client;
mod definition;
mod ecs_clock;
mod event;
mod exit_codes;
mod first_connect;
mod first_end;
mod last_log_lines;
mod launch;
mod launch_error;
mod launch_facts;
mod launch_places;
mod log_streams;
mod observation;
mod rate_limiter;
mod relaunch;
mod release;
mod source;
mod spec;
mod tagged;
mod task_log;
mod task_sight;

pub use acquire::{AcquireOptions, AcquiredTask, acquire};
pub use channel_image::ChannelProfile;
pub use client::{DESCRIBE_LIMIT, EcsClient, StopTaskOutcome};
pub use definition::{ResolvedDefinition, VolumeUser};
pub use event::{TaskStartProgress, avoided_words, move_words, relaunch_words};
pub use fargate_aws::CallError;
pub(crate) use first_connect::login_failed;
pub(crate) use first_end::{EssentialFlags, unless_other};
pub(crate) use last_log_lines::add_last_lines;
pub use launch::TaskLauncher;
pub use launch_error::LaunchError;
pub use launch_places::LaunchPlace;
pub use log_streams::ContainerLogPlace;
pub use observation::{ObservedContainer, ObservedTask, TaskStartTimeline};
pub use rate_limiter::RateLimiter;
pub use release::{TaskReleaseReport, find, reason, release, stop, survey};
pub use source::{ClaimedTask, JobBinding, TaskSource};
pub use spec::TaskSpec;
pub(crate) use spec::{FOLDER_VARIABLE, LEASE_VARIABLE, LIFETIME_VARIABLE, TAG_PREFIX, TAG_RIGHT};
pub use tagged::{TaggedTasks, survey_tagged};
pub use task_log::{TaskLogError, TaskLogReader};

pub(crate) use classify::{CauseFacts, stopped};
#[cfg(test)]
pub(crate) use observation::example;
