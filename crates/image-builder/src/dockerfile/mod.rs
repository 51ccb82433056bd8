//! What a Dockerfile says, as far as it can be wrong or dangerous before the engine reads it.
//!
//! The engine stays the judge of the grammar: this module only finds instructions with their lines. It runs
//! nothing and asks nobody.

mod base_image;
mod dockerfile_error;
mod dockerfile_lexer;
mod dockerfile_lint;

pub use base_image::{BaseImage, base_images, final_base};
pub use dockerfile_error::DockerfileError;
pub use dockerfile_lexer::{DockerfileInstruction, MAX_DOCKERFILE_BYTES, ParsedDockerfile};
pub use dockerfile_lint::{LintFinding, LintSeverity, has_secret_name, lint};
