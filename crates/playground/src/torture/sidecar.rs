//! A second container of a job's task, which ends by itself while the job goes on: log routers,
//! service meshes and monitoring are such, and end for reasons of their own.

use std::fmt;

use fastrand::Rng;
use serde_json::{Value, json};

/// The container's name.
pub const NAME: &str = "log-router";
/// With what the names of their task definitions begin.
const FAMILY: &str = "ci-job-with-sidecar";

/// A container beside the job's own, as its task definition describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SidecarContainer {
    /// Whether the task ends with it.
    pub essential: bool,
    /// Whether the definition lists it before the job's container.
    listed_first: bool,
    /// Of its life, in milliseconds.
    ends_after_ms: u16,
    exit_code: u8,
}

impl SidecarContainer {
    /// One that ends while the task starts, while the script runs, or after it.
    pub fn draw(rng: &mut Rng) -> Self {
        Self {
            essential: rng.u8(0..4) > 0,
            listed_first: rng.bool(),
            ends_after_ms: [0, 100, 300, 600, 1000][rng.usize(0..5)],
            exit_code: [0, 1, 137][rng.usize(0..3)],
        }
    }

    /// The family of the task definition that has it.
    #[must_use]
    pub fn family(self) -> String {
        let essential = if self.essential { "essential" } else { "optional" };
        let place = if self.listed_first { "first" } else { "last" };
        format!("{FAMILY}-{essential}-{place}-{}-{}", self.ends_after_ms, self.exit_code)
    }

    /// Whether a task definition is one of those that a torture registers.
    #[must_use]
    pub fn is_family(name: &str) -> bool {
        name.strip_prefix(FAMILY).is_some_and(|rest| rest.starts_with('-'))
    }

    /// What `RegisterTaskDefinition` is told: the cloud's own definition, with this container.
    #[must_use]
    pub fn definition(self) -> Value {
        let (ms, code) = (self.ends_after_ms, self.exit_code);
        let script =
            format!("echo up; sleep {}.{:03}; echo ends; exit {code}", ms / 1000, ms % 1000);
        let job = json!({"name": "job", "image": "registry.example/ci/job:1"});
        let beside = json!({
            "name": NAME, "image": "registry.example/ci/log-router:1", "essential": self.essential,
            "command": ["sh", "-c", script],
        });
        let containers = if self.listed_first { [beside, job] } else { [job, beside] };
        json!({
            "family": self.family(), "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
            "cpu": "1024", "memory": "2048", "containerDefinitions": containers,
        })
    }
}

impl fmt::Display for SidecarContainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.essential {
            true => "an essential sidecar ends",
            false => "a sidecar that is not essential ends",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torture_knows_its_own_definitions_and_no_others() {
        let mut rng = Rng::with_seed(1);
        for _ in 0..100 {
            assert!(SidecarContainer::is_family(&SidecarContainer::draw(&mut rng).family()));
        }
        for other in ["ci-job", "another:1", "ci-job-with-sidecars"] {
            assert!(!SidecarContainer::is_family(other), "{other}");
        }
    }
}
