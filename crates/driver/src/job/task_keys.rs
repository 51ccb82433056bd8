//! The keys of one task: that by which we log in, and what proves the host. They are drawn anew for each
//! task, and written down nowhere but in the job's record.

use fargate_config::{HostKey, JobProfile};
use fargate_mask::SharedMasker;
use fargate_state::StateError;

use crate::session::{
    ClientKey, HostKeyPolicy, HostKeySeed, TaskLogin, TaskRoleVerifier, parse_host_key,
};
use crate::task::EcsClient;

/// The keys of one task.
pub struct TaskKeys {
    /// Who logs in, and which host is expected.
    pub login: TaskLogin,
    /// The public half of the client key, as in `authorized_keys`.
    pub client_line: String,
    /// The seed of the host key, and the public half of the key. `None` for a key that the task's
    /// role proves, or that is accepted at first use.
    pub seed: Option<(HostKeySeed, String)>,
}

/// A key that our own library could not make or write.
pub fn broken_key(error: russh::keys::ssh_key::Error) -> StateError {
    StateError::host("making a key")(std::io::Error::other(error))
}

impl TaskKeys {
    /// Draws the keys that the profile asks for, and has their secret halves masked.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] if this host gives no random bytes.
    pub fn draw(
        profile: &JobProfile,
        ecs: &EcsClient,
        masker: &SharedMasker,
    ) -> Result<Self, StateError> {
        let (seed, host) = match profile.host_key {
            HostKey::FirstUse => (None, HostKeyPolicy::FirstUse),
            HostKey::Sts => {
                // The configuration has one; without one, no proof is accepted.
                let role = profile.task_role.as_deref().unwrap_or_default();
                let verifier = TaskRoleVerifier::new(ecs.account(), role);
                (None, HostKeyPolicy::TaskRole(Box::new(verifier)))
            }
            HostKey::Seed => {
                let seed = HostKeySeed::draw()?;
                masker.remember(&seed.to_variable());
                let line = seed.host_key().map_err(broken_key)?;
                let key = parse_host_key(&line).map_err(broken_key)?;
                (Some((seed, line)), HostKeyPolicy::Agent(key))
            }
        };
        let key = ClientKey::draw(profile.ssh.client_key)?;
        masker.remember(&key.to_secret_text().map_err(broken_key)?);
        let client_line = key.public_line().map_err(broken_key)?;
        let login = TaskLogin {
            user: profile.ssh.user.clone(),
            key,
            host,
            keepalive_tries: profile.ssh.keepalive_tries,
            rekey_after_mib: profile.ssh.rekey_after_mib,
            masker: masker.clone(),
        };
        Ok(Self { login, client_line, seed })
    }
}
