//! What a smoke test did.

use serde::Serialize;

/// What came of it: everything passed, or was left out for a reason that is told.
#[derive(Clone, Debug, Serialize)]
pub struct SmokeTestReport {
    /// Who answered, and its version.
    pub peer: String,
    /// From the start of the container to the banner of its SSH server, in milliseconds.
    pub banner_ms: u64,
    /// All of it, in milliseconds.
    pub took_ms: u64,
    /// What was done, in order.
    pub checks: Vec<SmokeCheck>,
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SmokeCheck {
    /// Its name.
    pub name: &'static str,
    /// Whether it was done; the image may lack what it needs.
    pub done: bool,
    /// What came of it, in a few words for people.
    pub words: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}
