//! The session between driver and agent under attack: other hosts, other clients, limits, and tasks
//! that end from outside.

mod hostile_nsswitch;
mod job_ends_task;
mod login_among_strangers;
mod openssh_client;
mod sidecar_containers;
mod stock_client;
mod stranger_connections;
mod task_ends;
mod task_told_to_end;
mod wrong_host_key;

use fargate_tests::CheckedHost;

/// An address on which nobody listens: neither clouds nor their tasks use this part of the
/// loopback network, and the port is that of the site's own cloud.
fn quiet_address(site: &CheckedHost) -> (&'static str, String) {
    let endpoint = site.cloud().endpoint();
    let port = endpoint.rsplit(':').next().expect("a URL with a port");
    ("127.81.0.1", port.trim_end_matches('/').to_owned())
}
