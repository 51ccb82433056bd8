//! The settings that the driver gives the agent by variables of the container, checked once at the
//! start.
//!
//! It reads no file, and scripts do not see these variables.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use fargate_model::lifetime::MAX_LIFETIME_S;
use fargate_protocol::{BY_TASK_ROLE, HOST_KEY_VARIABLE};
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{PrivateKey, PublicKey};

/// Port if no variable names one. Images and security groups expect SSH there.
const DEFAULT_PORT: u16 = 22;
/// The user name with which the client must log in.
const DEFAULT_USER: &str = "root";

/// The allowed durations. This text repeats [`MAX_LIFETIME_S`], and a test compares both.
const SECONDS: &str = "must be a number of seconds from 1 to 2764800";

/// Most data that one pair of keys may encrypt.
///
/// Source: RFC 4253, section 9: a gigabyte.
const MAX_REKEY_MIB: usize = 1024;

/// How long the task may live until a client sends a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseDefaults {
    /// Longest time without a client.
    pub idle: Duration,
    /// Longest time in all.
    pub lifetime: Duration,
    /// Longest time that a script runs without its client.
    pub client_gone: Duration,
}

/// All settings of the agent.
#[derive(Debug)]
pub struct AgentSettings {
    pub listen: SocketAddr,
    pub user: String,
    pub client_key: PublicKey,
    pub host_key: PrivateKey,
    /// Whether the agent proves its host key by the role of the task.
    pub proves_host_key: bool,
    pub limits: LeaseDefaults,
    /// After this many bytes in one direction of a connection, new keys are exchanged.
    pub rekey_bytes: usize,
}

/// A variable is missing or has a value that is not allowed. The value is not repeated, because one
/// of them is secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the container's variable {variable} {problem}")]
pub struct SettingsError {
    variable: &'static str,
    problem: &'static str,
}

impl AgentSettings {
    /// Reads this process's environment.
    ///
    /// # Errors
    ///
    /// Returns [`SettingsError`], which names the variable and what is allowed, if a variable is
    /// missing or wrong.
    pub fn from_environment() -> Result<Self, SettingsError> {
        Self::new(|name| std::env::var_os(name))
    }

    fn new(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, SettingsError> {
        let text = |variable: &'static str| match lookup(variable).map(OsString::into_string) {
            Some(Ok(text)) if !text.trim().is_empty() => Ok(Some(text.trim().to_owned())),
            Some(Err(_)) => Err(SettingsError { variable, problem: "is not UTF-8" }),
            _ => Ok(None),
        };
        let seconds = |variable: &'static str, default: u64| {
            let problem = SECONDS;
            let value = match text(variable)? {
                None => default,
                Some(value) => value.parse().map_err(|_| SettingsError { variable, problem })?,
            };
            if (1..=MAX_LIFETIME_S).contains(&value) {
                Ok(Duration::from_secs(value))
            } else {
                Err(SettingsError { variable, problem })
            }
        };
        let variable = "FARGATE_RUNNER_REKEY_MIB";
        let problem = "must be a number of MiB from 1 to 1024";
        let rekey_mib = match text(variable)? {
            None => MAX_REKEY_MIB,
            Some(value) => value
                .parse()
                .ok()
                .filter(|mib| (1..=MAX_REKEY_MIB).contains(mib))
                .ok_or(SettingsError { variable, problem })?,
        };
        let proves_host_key = proves_host_key(text(HOST_KEY_VARIABLE)?)?;
        Ok(Self {
            listen: listen(text("FARGATE_RUNNER_ADDRESS")?, text("FARGATE_RUNNER_PORT")?)?,
            user: text("FARGATE_RUNNER_USER")?.unwrap_or_else(|| DEFAULT_USER.to_owned()),
            client_key: client_key(text("SSH_PUBLIC_KEY")?)?,
            host_key: host_key(text("FARGATE_RUNNER_HOST_KEY_SEED")?, proves_host_key)?,
            proves_host_key,
            limits: LeaseDefaults {
                idle: seconds("FARGATE_RUNNER_IDLE_S", 600)?,
                lifetime: seconds("FARGATE_RUNNER_LIFETIME_S", 24 * 3600)?,
                client_gone: seconds("FARGATE_RUNNER_CLIENT_GONE_S", 120)?,
            },
            rekey_bytes: rekey_mib << 20,
        })
    }
}

/// Where the agent of this environment listens.
///
/// # Errors
///
/// Returns [`SettingsError`] if the variable of the address or of the port is wrong.
pub fn listen_address() -> Result<SocketAddr, SettingsError> {
    let text = |name: &str| {
        std::env::var(name).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    listen(text("FARGATE_RUNNER_ADDRESS"), text("FARGATE_RUNNER_PORT"))
}

fn listen(address: Option<String>, port: Option<String>) -> Result<SocketAddr, SettingsError> {
    let address = match address {
        None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Some(address) => address.parse().map_err(|_| SettingsError {
            variable: "FARGATE_RUNNER_ADDRESS",
            problem: "must be an IP address",
        })?,
    };
    let port = match port {
        None => DEFAULT_PORT,
        Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(SettingsError {
            variable: "FARGATE_RUNNER_PORT",
            problem: "must be a number from 1 to 65535",
        })?,
    };
    Ok(SocketAddr::new(address, port))
}

fn client_key(line: Option<String>) -> Result<PublicKey, SettingsError> {
    let error = |problem| SettingsError { variable: "SSH_PUBLIC_KEY", problem };
    let line = line.ok_or(error("is missing, so nobody could log in"))?;
    PublicKey::from_openssh(&line)
        .map_err(|_| error("must be one public key in the format of authorized_keys"))
}

fn proves_host_key(word: Option<String>) -> Result<bool, SettingsError> {
    match word.as_deref() {
        None => Ok(false),
        Some(BY_TASK_ROLE) => Ok(true),
        // This text repeats the constant, and a test compares both.
        Some(_) => Err(SettingsError {
            variable: HOST_KEY_VARIABLE,
            problem: "must be `sts`, which makes a key that the task's role proves",
        }),
    }
}

/// The host key. It is derived from the seed, which the driver knows as well. Without a seed it is
/// random, for clients that ask for a proof or trust the first key that they see. A key from a seed
/// is not proven by the role, because everybody who sees the seed has it.
fn host_key(seed: Option<String>, is_proven: bool) -> Result<PrivateKey, SettingsError> {
    let error = |problem| SettingsError { variable: "FARGATE_RUNNER_HOST_KEY_SEED", problem };
    let mut bytes = [0; 32];
    match seed {
        Some(_) if is_proven => {
            return Err(error("stands beside FARGATE_RUNNER_HOST_KEY; set one of the two"));
        }
        Some(seed) => hex::decode_to_slice(seed, &mut bytes)
            .map_err(|_| error("must be 64 hexadecimal digits"))?,
        None => getrandom::fill(&mut bytes)
            .map_err(|_| error("is missing, and the system gave no random bytes"))?,
    }
    Ok(PrivateKey::from(Ed25519Keypair::from_seed(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOBBifyzt+3ro2UXhit/0ao6EQvecTHZ9SV2SRSdakUY job";

    fn settings(variables: &[(&str, &str)]) -> Result<AgentSettings, SettingsError> {
        AgentSettings::new(|name| {
            let given = variables.iter().find(|(known, _)| *known == name);
            given.map(|(_, value)| value.into()).or((name == "SSH_PUBLIC_KEY").then(|| KEY.into()))
        })
    }

    #[test]
    fn the_same_seed_gives_the_same_host_key() {
        let seed = "11".repeat(32);
        let key = || {
            let settings = settings(&[("FARGATE_RUNNER_HOST_KEY_SEED", &seed)]).unwrap();
            settings.host_key.public_key().to_openssh().unwrap()
        };
        assert_eq!(key(), key());
        let other = settings(&[]).unwrap().host_key.public_key().to_openssh().unwrap();
        assert_ne!(key(), other);
    }

    #[test]
    fn a_key_that_the_role_proves_is_another_one_each_time_and_has_no_seed() {
        let proven = (HOST_KEY_VARIABLE, BY_TASK_ROLE);
        let key = || {
            let settings = settings(&[proven]).unwrap();
            assert!(settings.proves_host_key);
            settings.host_key.public_key().to_openssh().unwrap()
        };
        assert_ne!(key(), key());
        let seed = "11".repeat(32);
        let both = settings(&[proven, ("FARGATE_RUNNER_HOST_KEY_SEED", &seed)]).unwrap_err();
        insta::assert_snapshot!(both, @"the container's variable FARGATE_RUNNER_HOST_KEY_SEED stands beside FARGATE_RUNNER_HOST_KEY; set one of the two");
        assert!(!settings(&[]).unwrap().proves_host_key);
    }

    #[test]
    fn a_public_key_alone_is_enough() {
        let settings = settings(&[]).unwrap();
        assert_eq!(settings.listen.to_string(), "0.0.0.0:22");
        assert_eq!(settings.user, "root");
        assert_eq!(settings.limits.client_gone, Duration::from_secs(120));
    }

    #[test]
    fn the_longest_job_of_a_forge_is_a_lifetime_and_one_second_more_is_not() {
        let lifetime = |seconds: u64| {
            let value = seconds.to_string();
            settings(&[("FARGATE_RUNNER_LIFETIME_S", &value)]).map(|s| s.limits.lifetime)
        };
        assert_eq!(lifetime(MAX_LIFETIME_S), Ok(Duration::from_secs(MAX_LIFETIME_S)));
        lifetime(MAX_LIFETIME_S + 1).unwrap_err();
        lifetime(u64::MAX).unwrap_err();
        assert!(SECONDS.ends_with(&format!(" {MAX_LIFETIME_S}")), "{SECONDS}");
    }

    #[test]
    fn each_bad_value_names_its_variable_and_what_is_allowed() {
        let cases = [
            ("SSH_PUBLIC_KEY", "not a key", "must be one public key in the format"),
            ("FARGATE_RUNNER_PORT", "0", "a number from 1 to 65535"),
            ("FARGATE_RUNNER_PORT", "x", "a number from 1 to 65535"),
            ("FARGATE_RUNNER_ADDRESS", "example.com", "an IP address"),
            ("FARGATE_RUNNER_HOST_KEY_SEED", "abc", "64 hexadecimal digits"),
            ("FARGATE_RUNNER_HOST_KEY", "seed", "`sts`"),
            ("FARGATE_RUNNER_IDLE_S", "-1", "seconds"),
            ("FARGATE_RUNNER_LIFETIME_S", "0", "seconds"),
            ("FARGATE_RUNNER_CLIENT_GONE_S", "99999999", "seconds"),
            ("FARGATE_RUNNER_REKEY_MIB", "0", "1 to 1024"),
            ("FARGATE_RUNNER_REKEY_MIB", "1GiB", "1 to 1024"),
        ];
        for (variable, value, allowed) in cases {
            let error = settings(&[(variable, value)]).unwrap_err().to_string();
            assert!(error.contains(variable) && error.contains(allowed), "{error}");
        }
    }
}
