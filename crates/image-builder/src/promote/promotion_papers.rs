//! What a promotion needs beside the manifest: a scanner's report that lets the version pass, and the
//! signature of what is promoted.

use std::path::Path;

use fargate_config::{ManagedImage, RunnerConfig};
use fargate_image_manifest::{ImageDigest, ManifestTime, RecordedVersion};
use fargate_registry::RepositoryRights;

use super::promotion_rules::PromotionRule;
use super::repository_access::ImageRepositories;
use crate::attest::{ImageSigningKey, sign_image};
use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::vulnerability::{ScannerReport, VulnerabilityPolicy};

/// The rule of `max_vulnerability` for `stable`, by the scanner's report in a file. It tells the waivers
/// that cover nothing, and what passed.
///
/// # Errors
///
/// [`ImageFailure::Unusable`] if the report or the waivers cannot be read.
pub fn vulnerability_rule<'a>(
    image: &ManagedImage,
    report: &Path,
    run: &'a ImageRun,
) -> Result<PromotionRule<'a>, ImageFailure> {
    let policy = VulnerabilityPolicy::of(image, ManifestTime::now())?;
    let report = ScannerReport::read(report)?;
    Ok(Box::new(move |version, channel| {
        if !channel.is_stable() {
            return Ok(());
        }
        let warn = |text: String| run.events.warn(ImageStep::Promote, text);
        match policy.judge(&report, &[&version.digest]) {
            Ok(verdict) => {
                for waiver in &verdict.unused {
                    let id = fargate_model::text::escape_within(&waiver.id, 80);
                    warn(format!("the waiver of {id} covers nothing in this report; remove it"));
                }
                Ok(())
            }
            Err(ImageFailure::PromotionRefused { what, .. }) => Err(what),
            Err(other) => Err(other.to_string()),
        }
    }))
}

/// Signs a version in its first repository, if the image has a `signing_key`. Gives the digest of the
/// manifest that holds the signature.
pub(super) async fn signed(
    config: &RunnerConfig,
    image: &ManagedImage,
    version: &RecordedVersion,
    run: &ImageRun,
) -> Result<Option<ImageDigest>, ImageFailure> {
    let Some(named) = &image.signing_key else { return Ok(None) };
    let repositories = ImageRepositories::open(config, image, &run.masker).await?;
    let key = ImageSigningKey::open(named, repositories.account()).await?;
    let repository =
        repositories.repository(&image.repository, RepositoryRights::PullAndPush).await?;
    sign_image(&repository.session, &image.repository, &version.digest, &key).await.map(Some)
}
