//! Connects again to a task that a state file names.
//!
//! It reads what `prepare` wrote, and never changes it.

use std::net::SocketAddr;

use fargate_config::JobProfile;
use fargate_events::{JobEvent, emit};
use fargate_mask::SharedMasker;
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_state::{JobRecord, TaskServer};

use crate::session::{
    ClientKey, HostKeyPolicy, LoginError, TaskConnector, TaskLogin, parse_host_key,
};
use crate::task::{CauseFacts, login_failed};

/// A connector to the task of `record`, which must show the pinned host key.
///
/// # Errors
///
/// Returns a [`CauseReport`] if the record lacks an address or a valid key.
pub fn to(
    record: &JobRecord,
    profile: &JobProfile,
    masker: &SharedMasker,
) -> Result<TaskConnector, CauseReport> {
    let damaged = |what: &str| {
        CauseReport::new(FailureCause::StateDamaged).because(format!("No usable {what}."))
    };
    let address = record.address.ok_or_else(|| damaged("address"))?;
    let pinned = parse_host_key(&record.host_key).map_err(|_| damaged("host key"))?;
    let host = match &record.peer {
        Some(TaskServer::Agent(_)) => HostKeyPolicy::Agent(pinned),
        Some(TaskServer::Sshd(_)) => HostKeyPolicy::Pinned(pinned),
        None => return Err(damaged("peer")),
    };
    masker.remember(record.client_key.expose());
    let login = TaskLogin {
        user: record.user.clone(),
        key: ClientKey::parse(record.client_key.expose()).map_err(|_| damaged("client key"))?,
        host,
        keepalive_tries: profile.ssh.keepalive_tries,
        rekey_after_mib: profile.ssh.rekey_after_mib,
        masker: masker.clone(),
    };
    Ok(TaskConnector { address, login, timeouts: profile.timeouts.clone() })
}

/// Why the server at `address` no longer lets us in. If it shows another host key, that is written
/// to the operator's log.
pub fn shut(error: &LoginError, address: SocketAddr) -> CauseReport {
    let why = login_failed(error, address, &CauseFacts::default());
    if why.cause == FailureCause::WrongHost {
        emit(JobEvent::SecurityWrongHost { address, message: error.to_string() });
    }
    why
}
