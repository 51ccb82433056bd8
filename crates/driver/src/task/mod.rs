//! One Fargate task: described, launched, watched until its agent answers, stopped, found again.
//!
//! It knows ECS's states, answers and deadlines. It knows no forge and no exit codes.

mod acquire;
mod classify;
mod client;
mod event;
mod first_end;
mod last_words;
mod launch;
mod observation;
mod pace;
mod relaunch;
mod release;
mod spec;
mod tagged;

pub use crate::aws::CallError;
pub(crate) use acquire::login_failed;
pub use acquire::{Acquired, Terms, acquire};
pub use client::{Ecs, Stopped};
pub use event::{Event, relaunch_words};
pub(crate) use first_end::{EssentialFlags, unless_other};
pub(crate) use last_words::add_last_lines;
pub use launch::{LaunchError, Launcher};
pub use observation::{Container, Observation, Timeline};
pub use pace::Pace;
pub use release::{Released, find, reason, release, stop, survey};
pub use spec::{ContainerSpec, LaunchRequest, Provider, Purchase, TaskSpec};
pub(crate) use spec::{FOLDER_VARIABLE, LEASE_VARIABLE, LIFETIME_VARIABLE, TAG_PREFIX};
pub use tagged::{Tagged, survey_tagged};

pub(crate) use classify::{Place, stopped};
#[cfg(test)]
pub(crate) use observation::example;
