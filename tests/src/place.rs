//! Addresses of this machine at which nobody else listens.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU8, Ordering};

/// A free port at an address of this process. Each call takes the next last byte of the address, so that no
/// other test takes the port before somebody listens there.
///
/// # Panics
///
/// If the machine has no free loopback address.
#[must_use]
pub fn free_place() -> SocketAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let process = u8::try_from(std::process::id() % 256).expect("less than 256");
    let ip = Ipv4Addr::new(127, 84, process, NEXT.fetch_add(1, Ordering::Relaxed));
    let free = TcpListener::bind((ip, 0)).expect("a free port");
    free.local_addr().expect("a bound socket")
}
