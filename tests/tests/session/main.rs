//! The conversation between driver and agent under attack: other hosts, stray clients, limits,
//! and tasks that end from outside.

mod chosen_ends;
mod containers;
mod ends;
mod hosts;
mod libraries;
mod ssh;
mod stock_client;
mod stranger_logins;
mod strangers;
mod told_to_end;

use fargate_tests::TestHost;

/// An address on which nobody listens: neither clouds nor their tasks use this part of the
/// loopback network, and the port is that of the site's own cloud.
fn quiet_address(site: &TestHost) -> (&'static str, String) {
    let endpoint = site.cloud().endpoint();
    let port = endpoint.rsplit(':').next().expect("a URL with a port");
    ("127.81.0.1", port.trim_end_matches('/').to_owned())
}
