//! The options of `image publish` that offer the changed manifest for review.

use std::path::PathBuf;

use clap::Args;
use fargate_config::{JobProfile, ManagedImage};
use fargate_image_builder::merge_request::{MergeRequestState, MergeRequestTarget, OfferedChange};
use fargate_image_builder::{ImageFailure, ImageRun, PublishReport};
use serde_json::{Value, json};

/// How the change of the manifest is offered.
#[derive(Debug, Args)]
pub struct ManifestOfferArgs {
    /// Write the change of the manifest to this file for review, as JSON: branch, title and description
    #[arg(long, value_name = "FILE")]
    pub change: Option<PathBuf>,
    /// Commit the manifest to a branch of its own and open a merge request, in a pipeline of GitLab. The
    /// token comes from `FARGATE_RUNNER_GITLAB_TOKEN_FILE` or `FARGATE_RUNNER_GITLAB_TOKEN`
    #[arg(long)]
    pub open_merge_request: bool,
}

/// Looks before slow work whether a merge request can be opened, if one is asked for.
pub fn target(
    args: &ManifestOfferArgs,
    image: &ManagedImage,
) -> Result<Option<MergeRequestTarget>, ImageFailure> {
    let made = || MergeRequestTarget::of_pipeline(image, |name| std::env::var(name).ok());
    args.open_merge_request.then(made).transpose()
}

/// Offers what a publication changed. Gives the members of the result, and one line for people.
pub async fn offer(
    args: &ManifestOfferArgs,
    target: Option<&MergeRequestTarget>,
    (image, profile): (&ManagedImage, &JobProfile),
    report: &PublishReport,
    run: &ImageRun,
) -> Result<(Value, Option<String>), ImageFailure> {
    let Some(change) = OfferedChange::of_published(image, report) else {
        return Ok((Value::Null, None));
    };
    if let Some(file) = &args.change {
        change.write(file)?;
    }
    let Some(target) = target else { return Ok((json!(change), None)) };
    let mut result = json!(change);
    let words = match target.open(&change, profile, run).await? {
        MergeRequestState::Opened(address) => {
            result["merge_request"] = json!(address);
            format!("merge request: {address}")
        }
        MergeRequestState::AlreadyThere => {
            format!("the branch {} has a merge request already", change.branch)
        }
    };
    Ok((result, Some(words)))
}
