//! What an installer gets: the Debian package, systemd's units, and the pages for whoever is on call.

mod debian_package;
mod runbook_pages;
mod service_units;

use std::path::PathBuf;

/// The root of the project.
fn root() -> PathBuf {
    let member = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    member.parent().expect("the member has a parent").to_owned()
}
