//! The elastic network interface of a task.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// The elastic network interface of a task.
#[derive(Clone, Debug)]
pub struct TaskNetworkInterface {
    pub attachment_id: String,
    pub status: InterfaceStatus,
    pub interface_id: String,
    pub mac_address: String,
    /// Its place in the subnet; `None` where the subnet was full.
    pub seat: Option<IpAddr>,
    /// Shown from ATTACHED on.
    pub address: Option<IpAddr>,
    /// Also shown from ATTACHED on, if the request asked for one.
    pub public_address: Option<Ipv4Addr>,
    /// How many connections came to the public address.
    pub public_connections: Arc<AtomicUsize>,
    /// The containers show it as well, once the images are there.
    pub seen_by_containers: bool,
}

/// The status of a network interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceStatus {
    Precreated,
    Attached,
    Deleted,
}

impl InterfaceStatus {
    pub fn word(self) -> &'static str {
        match self {
            Self::Precreated => "PRECREATED",
            Self::Attached => "ATTACHED",
            Self::Deleted => "DELETED",
        }
    }
}

impl TaskNetworkInterface {
    /// The address, if the interface was attached.
    pub fn visible_address(&self) -> Option<IpAddr> {
        self.address.filter(|_| self.status != InterfaceStatus::Precreated)
    }

    /// The public address, if the interface was attached.
    pub fn visible_public_address(&self) -> Option<Ipv4Addr> {
        self.public_address.filter(|_| self.status != InterfaceStatus::Precreated)
    }
}
