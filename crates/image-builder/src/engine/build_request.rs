//! What is built, and what came of it.

use std::collections::HashMap;
use std::sync::Arc;

use fargate_config::BuildNetwork;
use serde::Serialize;

use super::build_secrets::BuildSecrets;
use super::line_redaction::LineRedaction;
use crate::context::ContextFolder;

/// One build.
#[derive(Clone, Debug)]
pub struct BuildRequest {
    /// The folder.
    pub context: Arc<ContextFolder>,
    /// The Dockerfile, by its path in the folder.
    pub dockerfile: String,
    /// The time of all entries of the context, in seconds since 1970.
    pub time_s: u64,
    /// Build arguments. Everybody who has the image can read them.
    pub arguments: HashMap<String, String>,
    /// The processor, as images name it: `amd64`, `arm64`.
    pub architecture: String,
    /// The name that the engine gives to the image.
    pub tag: String,
    /// The network of its steps.
    pub network: BuildNetwork,
    /// Do every step again.
    pub without_cache: bool,
    /// The Dockerfile uses what only BuildKit knows.
    pub needs_buildkit: bool,
    /// Secrets for `RUN --mount=type=secret`. They make it a build by BuildKit.
    pub secrets: Arc<BuildSecrets>,
    /// Takes out of the build's lines what looks like a secret.
    pub redaction: LineRedaction,
}

impl BuildRequest {
    /// The network as the Engine API names it.
    pub(super) fn network_mode(&self) -> &'static str {
        match self.network {
            BuildNetwork::Default => "default",
            BuildNetwork::Host => "host",
            BuildNetwork::None => "none",
        }
    }
}

/// An image that the engine has now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuiltImage {
    /// The engine's id of it, with `sha256:`.
    pub id: String,
    /// The name that the engine knows it by.
    pub tag: String,
    /// How many steps there were.
    pub steps: u32,
    /// How many of them came from the cache.
    pub cached: u32,
}
