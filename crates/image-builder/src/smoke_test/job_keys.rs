//! The keys of one test, drawn for it and known to nobody else. The seed is among the container's variables,
//! as in a task; it means nothing after the test.

use fargate_driver::session::{ClientKey, HostKeyPolicy, HostKeySeed, TaskLogin, parse_host_key};
use fargate_mask::SharedMasker;

use super::{ExpectedPeer, SmokeExpectations};
use crate::failure::ImageFailure;

/// How long a container lives whose test was killed. The agent sees to it.
const LIFETIME_S: u64 = 1800;

/// The keys.
pub(super) struct JobKeys {
    /// Who logs in, and which host is expected.
    pub login: TaskLogin,
    /// The variables of the container.
    pub variables: Vec<String>,
}

impl JobKeys {
    /// Draws them, and has their secret halves masked.
    pub(super) fn draw(
        expects: &SmokeExpectations,
        masker: &SharedMasker,
    ) -> Result<Self, ImageFailure> {
        let failed = |error: String| ImageFailure::Unusable {
            what: format!("making the keys of a smoke test: {error}"),
            hint: "look at this host's random number source".to_owned(),
        };
        let ssh = &expects.ssh;
        let key = ClientKey::draw(ssh.client_key).map_err(|error| failed(error.to_string()))?;
        let secret = key.to_secret_text().map_err(|error| failed(error.to_string()))?;
        masker.remember(&secret);
        let line = key.public_line().map_err(|error| failed(error.to_string()))?;
        let client_gone_s = expects.timeouts.client_gone.as_secs().max(1);
        let mut variables = vec![
            format!("SSH_PUBLIC_KEY={line}"),
            format!("FARGATE_RUNNER_IDLE_S={LIFETIME_S}"),
            format!("FARGATE_RUNNER_LIFETIME_S={LIFETIME_S}"),
            format!("FARGATE_RUNNER_CLIENT_GONE_S={client_gone_s}"),
        ];
        if ssh.port != 22 {
            variables.push(format!("FARGATE_RUNNER_PORT={}", ssh.port));
        }
        if ssh.user != "root" {
            variables.push(format!("FARGATE_RUNNER_USER={}", ssh.user));
        }
        let host = match expects.peer {
            ExpectedPeer::Sshd => HostKeyPolicy::FirstUse,
            ExpectedPeer::Agent => {
                let seed = HostKeySeed::draw().map_err(|error| failed(error.to_string()))?;
                masker.remember(&seed.to_variable());
                variables.push(format!("FARGATE_RUNNER_HOST_KEY_SEED={}", seed.to_variable()));
                let line = seed.host_key().map_err(|error| failed(error.to_string()))?;
                let key = parse_host_key(&line).map_err(|error| failed(error.to_string()))?;
                HostKeyPolicy::Agent(key)
            }
        };
        let login = TaskLogin {
            user: ssh.user.clone(),
            key,
            host,
            keepalive_tries: ssh.keepalive_tries,
            rekey_after_mib: ssh.rekey_after_mib,
            masker: masker.clone(),
        };
        Ok(Self { login, variables })
    }
}
