//! Offers a changed manifest for review: a branch with the new file, and a merge request in words for people.
//!
//! GitLab's API does both, so a pipeline needs no git and no right to push. Nothing is merged here.

mod gitlab_project;
mod manifest_change;
mod manifest_offer;

pub use gitlab_project::{GitLabProject, MergeRequestState};
pub use manifest_change::ManifestChange;
pub use manifest_offer::{MergeRequestTarget, OfferedChange};
