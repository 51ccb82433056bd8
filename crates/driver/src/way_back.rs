//! The way back to a task that a state file names.
//!
//! It reads what `prepare` wrote and never changes it.

use std::net::SocketAddr;

use fargate_config::Timeouts;
use fargate_model::why::{Cause, Why};

use crate::mask;
use crate::session::{ClientKey, HostProof, Login, LoginError, Reach, parse_host_key};
use crate::state::{Peer, Record};
use crate::task::{Place, login_failed};

/// Where the task of `record` answers, with the host key that was pinned.
///
/// # Errors
///
/// A [`Why`] if the record lacks something.
pub fn to(record: &Record, timeouts: &Timeouts) -> Result<Reach, Why> {
    let damaged = |what: &str| Why::new(Cause::StateDamaged).because(format!("No usable {what}."));
    let address = record.address.ok_or_else(|| damaged("address"))?;
    let pinned = parse_host_key(&record.host_key).map_err(|_| damaged("host key"))?;
    let host = match &record.peer {
        Some(Peer::Agent(_)) => HostProof::Agent(pinned),
        Some(Peer::Sshd(_)) => HostProof::Pinned(pinned),
        None => return Err(damaged("peer")),
    };
    mask::remember(record.client_key.expose());
    let login = Login {
        user: record.user.clone(),
        key: ClientKey::parse(record.client_key.expose()).map_err(|_| damaged("client key"))?,
        host,
    };
    Ok(Reach { address, login, timeouts: timeouts.clone() })
}

/// Why nobody is let in at `address` any more; another host key is an event for the operator.
pub fn shut(error: &LoginError, address: SocketAddr) -> Why {
    let why = login_failed(error, address, &Place::default());
    if why.cause == Cause::WrongHost {
        tracing::error!(event = "security.wrong_host", address = %address, "{error}");
    }
    why
}
