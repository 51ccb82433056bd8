//! The Docker Engine, as far as an image is built on it.
//!
//! It negotiates the version of the API, and every wait has a deadline. Lines of a build pass the masker,
//! and their escape sequences are taken out, before anybody sees them.

mod build_failure;
mod build_log;
mod build_output;
mod build_request;
mod build_secrets;
mod buildkit_build;
mod buildkit_session;
mod buildkit_trace;
mod classic_build;
mod context_stream;
mod engine_remnant;
mod image_builds;
mod image_engine;
mod line_redaction;
mod protobuf;
mod raw_connection;

pub use build_request::{BuildRequest, BuiltImage};
pub use build_secrets::BuildSecrets;
pub(crate) use engine_remnant::{EngineRemnant, RemnantOwner, is_left_over};
pub use image_engine::{BuildEngineFacts, ImageEngine};
pub use line_redaction::LineRedaction;

#[cfg(test)]
mod scripted_engine;
