//! What a smoke test is asked for.

use super::expectations::SmokeExpectations;
use crate::engine::ImageEngine;

/// What is tested.
pub struct SmokeTestRequest<'a> {
    /// The engine that has the image.
    pub engine: &'a ImageEngine,
    /// The image's name or id there.
    pub image: &'a str,
    /// How its jobs reach it.
    pub expects: SmokeExpectations,
}
