//! Looks at one repository: every tag with its digest, and the manifests behind them. It changes nothing.
//!
//! If one question has no answer, the whole look has failed: what was not seen must not count as gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fargate_image_manifest::ImageDigest;
use fargate_model::text::escape_within;
use tokio::task::JoinSet;

use super::drift_facts::{RepositoryFacts, StoredImage};
use crate::event::{ImageEvent, ImageStep};
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::promote::repository_access::ImageRepository;

/// Questions that are asked at the same time.
const AT_ONCE: usize = 8;
/// Most images that ECR keeps in a repository. Source: Amazon ECR User Guide, "Amazon ECR service quotas".
const ECR_IMAGES: usize = 100_000;

/// Looks at a repository. `wanted` are digests to look for beside those that have tags.
pub(super) async fn survey(
    repository: &Arc<ImageRepository>,
    wanted: &BTreeSet<ImageDigest>,
    run: &ImageRun,
) -> Result<RepositoryFacts, ImageFailure> {
    let told = |what: &str, done: usize, of: usize| {
        let summary = format!("{}: {done} of {of} {what}", repository.name);
        run.events.tell(ImageEvent::StepProgress { step: ImageStep::Drift, summary });
    };
    let tags = match repository.ecr_tags().await? {
        Some(tags) => tags,
        None => tags(repository, |done, of| told("tags", done, of)).await?,
    };
    let mut digests: BTreeSet<ImageDigest> = tags.values().cloned().collect();
    digests.extend(wanted.iter().cloned());
    let of_digest = |digest: ImageDigest| {
        let repository = Arc::clone(repository);
        async move {
            let found = repository.by_digest(&digest).await?;
            Ok(found.map(|manifest| (digest, StoredImage::parse(&manifest.bytes))))
        }
    };
    let digests = digests.into_iter().collect();
    let stored = all(digests, of_digest, |done, of| told("images", done, of)).await?;
    Ok(RepositoryFacts {
        name: repository.name.clone(),
        quota: repository.region.is_some().then_some(ECR_IMAGES),
        tags,
        stored: stored.into_iter().flatten().collect(),
    })
}

/// Every tag with its digest, one question for each.
async fn tags(
    repository: &Arc<ImageRepository>,
    told: impl Fn(usize, usize),
) -> Result<BTreeMap<String, ImageDigest>, ImageFailure> {
    let names = repository.tags().await?.into_iter().collect();
    let of_tag = |tag: String| {
        let repository = Arc::clone(repository);
        async move {
            let digest = repository.head(&tag).await?;
            let digest = digest.map(|text| parsed(&repository.name, &tag, &text)).transpose()?;
            Ok(digest.map(|digest| (tag, digest)))
        }
    };
    let found = all(names, of_tag, told).await?;
    Ok(found.into_iter().flatten().collect())
}

fn parsed(repository: &str, tag: &str, digest: &str) -> Result<ImageDigest, ImageFailure> {
    digest.parse().map_err(|error| ImageFailure::NotVerified {
        what: format!("looking at {repository}: tag {}: {error}", escape_within(tag, 128)),
        hint: "this program knows digests of SHA-256 alone".to_owned(),
    })
}

/// Asks once for each item, some at the same time. `told` gets how many of how many are done.
async fn all<I, T, F>(
    items: Vec<I>,
    ask: impl Fn(I) -> F,
    told: impl Fn(usize, usize),
) -> Result<Vec<T>, ImageFailure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, ImageFailure>> + Send + 'static,
{
    let of = items.len();
    let (mut items, mut asked, mut answers) = (items.into_iter(), JoinSet::new(), Vec::new());
    loop {
        while asked.len() < AT_ONCE
            && let Some(item) = items.next()
        {
            asked.spawn(ask(item));
        }
        match asked.join_next().await {
            None => return Ok(answers),
            Some(Ok(answer)) => answers.push(answer?),
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        }
        told(answers.len(), of);
    }
}
