//! Which version of an image a channel has: promotion, rollback and revocation change the manifest;
//! reconciliation makes registries and task definitions follow it.
//!
//! Nothing is built or scanned here. Whoever promotes may bring further rules, such as one about
//! vulnerabilities. Commands write the manifest only if nobody else changed it since it was read.

pub(crate) mod channel_commands;
mod image_listing;
pub(crate) mod manifest_failure;
mod promotion_papers;
mod promotion_rescan;
mod promotion_rules;
mod reconciliation;
mod replica_copy;
pub(crate) mod repository_access;

pub use channel_commands::{
    ChannelReport, DescendantVersion, PromotionRequest, RevocationReport, promote, revoke,
    roll_back,
};
pub use image_listing::{ListedVersion, list_versions};
pub use promotion_papers::vulnerability_rule;
pub use promotion_rules::PromotionRule;
pub use reconciliation::{DefinitionAlignment, ReconcileReport, TagAlignment, TagState, reconcile};
