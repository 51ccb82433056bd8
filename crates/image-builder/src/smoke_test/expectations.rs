//! How jobs reach an image: what the smoke test does as the driver would.

use std::time::Duration;

use fargate_config::{HostKey, JobProfile, JobTimeouts, Shell, SshSettings};

/// How long a container may take to end after SIGTERM.
///
/// Source: ECS, "stopTimeout" of a container definition: 30 s unless it says otherwise.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Who must answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedPeer {
    /// Our agent, with the host key that the seed gives.
    Agent,
    /// Whoever shows a host key first: a stock `sshd`, or our agent.
    Sshd,
}

/// How jobs reach an image.
#[derive(Clone, Debug)]
pub struct SmokeExpectations {
    /// User, port, and kind of the key.
    pub ssh: SshSettings,
    /// Who must answer.
    pub peer: ExpectedPeer,
    /// The shell of scripts.
    pub shell: Shell,
    /// The times of a job.
    pub timeouts: JobTimeouts,
    /// How long the container may take to end after SIGTERM.
    pub stop_timeout: Duration,
}

impl SmokeExpectations {
    /// Those of a profile. A host key that the task's role would prove comes from a seed here, because there
    /// is no role.
    #[must_use]
    pub fn of(profile: &JobProfile) -> Self {
        Self {
            ssh: profile.ssh.clone(),
            peer: match profile.host_key {
                HostKey::Seed | HostKey::Sts => ExpectedPeer::Agent,
                HostKey::FirstUse => ExpectedPeer::Sshd,
            },
            shell: profile.shell,
            timeouts: profile.timeouts.clone(),
            stop_timeout: STOP_TIMEOUT,
        }
    }
}
