//! The private image of CI jobs: from a folder with a Dockerfile to a digest that jobs may use.
//!
//! Each step is a module. What passes between steps after the build is a folder in the OCI image layout.
//! Progress leaves as [`ImageEvent`]s, and each step fails with an [`ImageFailure`], which knows its exit
//! code. This crate prints nothing, and it does not know the command line.

// The layout of futures that await futures of the AWS client is deeper than the usual limit.
#![recursion_limit = "256"]

pub mod attest;
mod blocking_work;
mod build_surroundings;
mod candidate_tag;
mod content_digest;
pub mod context;
pub mod dockerfile;
mod drift;
pub mod engine;
mod event;
mod failure;
mod image_build;
mod image_check;
mod image_pull;
mod image_push;
mod image_run;
mod layer;
pub mod merge_request;
mod oci_layout;
mod promote;
mod publish;
mod push;
mod registry_failure;
mod replica_check;
mod repository_login;
pub mod secret_scan;
mod smoke_test;
mod transfer_retry;
pub mod vulnerability;

pub use build_surroundings::BuildSurroundings;
pub use drift::{
    CleanUpLimits, CleanUpReport, CleanedImage, CleanedState, DriftClass, DriftFinding,
    DriftReport, DriftSchedule, DriftSeverity, ImageDrift, check_drift, clean_up_image,
};
pub use event::{ImageEvent, ImageEvents, ImageStep, OutputStream};
pub use failure::ImageFailure;
pub use image_build::{ImageBuildReport, build_image};
pub use image_check::{
    CheckedContext, ImageCheckReport, check_context, check_image, find_image, preflight,
};
pub use image_pull::pull_image;
pub use image_push::{ImagePushReport, PushSource, push_image, verify_image, verify_layout};
pub use image_run::{CancelImageRun, ImageRun};
pub use layer::{
    ExportStream, LayerCache, LayerFormat, LayerRules, LoadedImage, SpoolFolder, load_layout,
    normalise_export,
};
pub use oci_layout::{BlobDescriptor, OciLayout, OciManifest};
pub use promote::{
    ChannelReport, DefinitionAlignment, DescendantVersion, ListedVersion, PromotionRequest,
    PromotionRule, ReconcileReport, RevocationReport, TagAlignment, TagState, list_versions,
    promote, reconcile, revoke, roll_back, vulnerability_rule,
};
pub use publish::{PublishFailure, PublishReport, PublishRequest, PublishSource, publish_image};
pub use push::{PushTarget, PushedImage, VerifiedImage};
pub use smoke_test::{
    ExpectedPeer, SmokeCheck, SmokeExpectations, SmokeTestReport, SmokeTestRequest, run_smoke_test,
    sweep_smoke_tests,
};
