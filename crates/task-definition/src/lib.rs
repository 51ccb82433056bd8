//! Task definitions as code: a template in ECS's own JSON and a profile make one, which is checked, named by
//! the hash of its content, and registered only if ECS does not have it.
//!
//! It starts no task and knows no job. An image is taken as its text says.

mod canonical;
mod checks;
mod definition_site;
mod difference;
mod ecs_definitions;
mod error;
mod image_use;
mod kept_definitions;
mod placeholder;
mod prune;
mod registration;
mod rendered;
mod revision;
mod template;
#[cfg(test)]
mod tests;

pub use canonical::{CONTENT_TAG, CanonicalDefinition, ContentHash};
pub use definition_site::{DefinitionComparison, DefinitionSite, ListedRevision, PrunedRevision};
pub use difference::{DefinitionDifference, differences};
pub use ecs_definitions::EcsDefinitions;
pub use error::{DefinitionError, DefinitionProblem, TemplateError};
pub use image_use::ContainerImageUse;
pub use kept_definitions::KeptDefinitions;
pub use placeholder::PlaceholderValues;
pub use prune::{PruneVerdict, RevisionUse};
pub use registration::{DefinitionRegistrar, RegisteredDefinition, RevisionOrigin};
pub use rendered::RenderedDefinition;
pub use revision::{DefinitionRevision, RevisionStatus};
pub use template::DefinitionTemplate;
