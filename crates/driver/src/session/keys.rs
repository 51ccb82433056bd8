//! The two keys of a task: the client's key, which opens it, and the host's key, which proves it.
//!
//! In `seed` mode, the driver makes 32 random bytes, and the agent derives its ed25519 host key
//! from them. So the public half is known before the first dial. This stops everybody on the
//! network. It does not stop somebody who may call DescribeTasks, because the seed is among the
//! overrides.

use std::sync::Arc;

use fargate_config::ClientKeyKind;
use fargate_model::random;
use fargate_state::StateError;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, RsaKeypair};
use russh::keys::{HashAlg, PrivateKey, PublicKey};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bits of an RSA client key. Source: NIST SP 800-57 part 1, for use until 2030 and later.
const RSA_BITS: usize = 3072;

/// The bytes from which the host key is derived.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct HostKeySeed([u8; 32]);

impl HostKeySeed {
    /// Makes a new one.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::Host`] if the host gives no random bytes.
    pub fn draw() -> Result<Self, StateError> {
        random::bytes().map(Self).map_err(StateError::host("drawing random bytes"))
    }

    /// The seed as the agent reads it: 64 hexadecimal digits.
    #[must_use]
    pub fn to_variable(&self) -> String {
        hex::encode(self.0)
    }

    /// The public half of the host key, as one line of OpenSSH.
    ///
    /// # Errors
    ///
    /// Returns the key library's error, which it does not give for a key that it made itself.
    pub fn host_key(&self) -> Result<String, russh::keys::ssh_key::Error> {
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&self.0));
        key.public_key().to_openssh()
    }
}

/// Reads a pinned host key.
///
/// # Errors
///
/// Returns the key library's error if the line is not a public key.
pub fn parse_host_key(line: &str) -> Result<PublicKey, russh::keys::ssh_key::Error> {
    PublicKey::from_openssh(line)
}

/// How people compare a pinned host key: `SHA256:` and its hash. `None` if the line is not a public key.
#[must_use]
pub fn host_key_fingerprint(line: &str) -> Option<String> {
    Some(parse_host_key(line).ok()?.fingerprint(HashAlg::Sha256).to_string())
}

/// The key that opens one task.
#[derive(Clone)]
pub struct ClientKey(Arc<PrivateKey>);

impl ClientKey {
    /// Makes a new one.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::Host`] if the host gives no random bytes, or if no key can be made.
    pub fn draw(kind: ClientKeyKind) -> Result<Self, StateError> {
        match kind {
            ClientKeyKind::Ed25519 => Self::draw_ed25519(),
            ClientKeyKind::Rsa => Self::draw_rsa(),
        }
    }

    fn draw_rsa() -> Result<Self, StateError> {
        let pair = RsaKeypair::random(&mut russh::keys::key::safe_rng(), RSA_BITS);
        let pair = pair
            .map_err(|error| StateError::host("making an RSA key")(std::io::Error::other(error)))?;
        Ok(Self(Arc::new(PrivateKey::from(pair))))
    }

    fn draw_ed25519() -> Result<Self, StateError> {
        let mut seed: [u8; 32] =
            random::bytes().map_err(StateError::host("drawing random bytes"))?;
        let pair = Ed25519Keypair::from_seed(&seed);
        seed.zeroize();
        Ok(Self(Arc::new(PrivateKey::from(pair))))
    }

    /// Reads it from a state file.
    ///
    /// # Errors
    ///
    /// Returns the key library's error if the text is not a private key.
    pub fn parse(text: &str) -> Result<Self, russh::keys::ssh_key::Error> {
        Ok(Self(Arc::new(PrivateKey::from_openssh(text)?)))
    }

    /// The private key as text, for the state file.
    ///
    /// # Errors
    ///
    /// Returns the key library's error, which it does not give for a key that it made itself.
    pub fn to_secret_text(&self) -> Result<Zeroizing<String>, russh::keys::ssh_key::Error> {
        self.0.to_openssh(LineEnding::LF)
    }

    /// The public half in the format of `authorized_keys`.
    ///
    /// # Errors
    ///
    /// Returns the key library's error, which it does not give for a key that it made itself.
    pub fn public_line(&self) -> Result<String, russh::keys::ssh_key::Error> {
        self.0.public_key().to_openssh()
    }

    pub(super) fn private(&self) -> Arc<PrivateKey> {
        self.0.clone()
    }
}
