//! What a publication is asked for.

use std::path::PathBuf;

use fargate_config::{JobProfile, ManagedImage};

use crate::build_surroundings::BuildSurroundings;

/// What is published.
#[derive(Clone, Debug)]
pub enum PublishSource {
    /// The folder of the image is built.
    Build {
        /// Do every step of the Dockerfile again.
        without_cache: bool,
    },
    /// A folder in the OCI image layout.
    Layout(PathBuf),
}

/// One publication.
#[derive(Clone, Copy, Debug)]
pub struct PublishRequest<'a> {
    /// The image.
    pub image: &'a ManagedImage,
    /// Its profile.
    pub profile: &'a JobProfile,
    /// What is published.
    pub source: &'a PublishSource,
    /// Publish although the manifest lists a version of the same inputs.
    pub again: bool,
    /// Where the engine is.
    pub surroundings: &'a BuildSurroundings,
}
