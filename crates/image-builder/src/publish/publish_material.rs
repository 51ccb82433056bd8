//! What an image is made of, known before it is made: the context and its commit, or a layout that is there;
//! and the layout that comes of it.

use std::sync::Arc;

use fargate_fail_point::FailPoint;
use fargate_image_manifest::{ImageDigest, RecordedBase};
use fargate_model::text::{bytes, escape_within};
use serde_json::json;

use super::publish_ground::PublishGround;
use super::publish_request::{PublishRequest, PublishSource};
use super::source_commit::SourceCommit;
use crate::blocking_work::blocking;
use crate::build_surroundings::build_arguments;
use crate::candidate_tag::CandidateSource;
use crate::content_digest::digest_of;
use crate::context::ContextFolder;
use crate::engine::{BuildRequest, BuildSecrets, ImageEngine};
use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_check::{CheckedContext, build_request, check_context};
use crate::image_push::verify_layout;
use crate::image_run::ImageRun;
use crate::layer::{LayerCache, LayerRules, SpoolFolder, squash_above};
use crate::oci_layout::OciLayout;
use crate::secret_scan::ScanTarget;

/// What an image is made of.
pub(super) struct PublishMaterial {
    /// What the candidate tag says of it.
    pub source: CandidateSource,
    kind: MaterialKind,
}

/// The image as it would be pushed.
pub(super) struct MadeLayout {
    /// The image.
    pub layout: OciLayout,
    /// Where secrets are searched: in each layer as it was built.
    pub searched: ScanTarget,
}

impl MadeLayout {
    fn of(layout: OciLayout) -> Self {
        let searched = ScanTarget::Layout(layout.folder().to_owned());
        Self { layout, searched }
    }
}

enum MaterialKind {
    Context(Box<CheckedContext>, Arc<BuildSecrets>),
    Layout(Box<OciLayout>),
}

impl PublishMaterial {
    /// Looks at it, as the step "context"; for a layout, "export".
    pub async fn look(
        request: &PublishRequest<'_>,
        ground: &PublishGround,
        run: &ImageRun,
    ) -> Result<Self, ImageFailure> {
        match request.source {
            PublishSource::Build { .. } => Self::of_context(request, ground, run).await,
            PublishSource::Layout(folder) => {
                let layout = verify_layout(folder, run).await?;
                require_architecture(request, &layout)?;
                let source = source_of_layout(request, &layout).await;
                Ok(Self { source, kind: MaterialKind::Layout(Box::new(layout)) })
            }
        }
    }

    async fn of_context(
        request: &PublishRequest<'_>,
        ground: &PublishGround,
        run: &ImageRun,
    ) -> Result<Self, ImageFailure> {
        let image = request.image;
        let (given, masker) = (image.build_secrets.clone(), run.masker.clone());
        let secrets = blocking(move || BuildSecrets::read(&given, &masker)).await??;
        let context = check_context(image, request.surroundings, run).await?;
        let inputs = inputs(request, ground, &context);
        let (commit, dirty) = match commit(request, &context.folder).await {
            Ok(SourceCommit { commit, changed }) => {
                if let Some(changed) = &changed {
                    let changed = escape_within(changed, 100);
                    let text = format!(
                        "`{changed}` differs from the commit, so this version can never be promoted"
                    );
                    run.events.warn(ImageStep::Context, text);
                }
                (Some(commit), changed.is_some())
            }
            Err(what) => {
                let text =
                    format!("no commit is known, so this version can never be promoted: {what}");
                run.events.warn(ImageStep::Context, text);
                (None, true)
            }
        };
        let source = CandidateSource { commit, inputs, dirty };
        let kind = MaterialKind::Context(Box::new(context), Arc::new(secrets));
        Ok(Self { source, kind })
    }

    /// The digest of the context; none for a layout.
    pub fn context_digest(&self) -> Option<ImageDigest> {
        let MaterialKind::Context(context, _) = &self.kind else { return None };
        format!("sha256:{}", context.summary.digest).parse().ok()
    }

    /// The image that the result builds on, with its digest if text or engine tell it.
    pub async fn base(&self, engine: Option<&ImageEngine>) -> Option<RecordedBase> {
        let MaterialKind::Context(context, _) = &self.kind else { return None };
        let reference = context.base.as_ref()?.image.clone();
        let digest = digest_of_base(&reference, engine).await;
        Some(RecordedBase { reference, digest, other: Default::default() })
    }

    /// The other images that it takes something from, each with its digest if that is known.
    pub async fn bases(&self, engine: Option<&ImageEngine>) -> Vec<(String, Option<ImageDigest>)> {
        let MaterialKind::Context(context, _) = &self.kind else { return Vec::new() };
        let mut bases = Vec::new();
        for base in &context.bases {
            bases.push((base.image.clone(), digest_of_base(&base.image, engine).await));
        }
        bases
    }

    /// The layout: the folder that was given, or the folder built, exported and normalised.
    pub async fn layout(
        &self,
        request: &PublishRequest<'_>,
        ground: &PublishGround,
        spool: &SpoolFolder,
        run: &ImageRun,
    ) -> Result<MadeLayout, ImageFailure> {
        let (context, secrets) = match &self.kind {
            MaterialKind::Layout(layout) => return Ok(MadeLayout::of(layout.as_ref().clone())),
            MaterialKind::Context(context, secrets) => (context, secrets),
        };
        let engine = ground.engine.as_ref().expect("a build was not begun without an engine");
        let without_cache = matches!(request.source, PublishSource::Build { without_cache: true });
        let built = run.whole_step(ImageStep::Build, async {
            let build = build_request(request.image, context, BuildSecrets::default());
            let secrets = Arc::clone(secrets);
            let build = BuildRequest { without_cache, secrets, ..build };
            let built = engine.build(&build, run).await?;
            FailPoint::ImageBuilt.reached();
            let summary = format!("{} steps, {} from cache", built.steps, built.cached);
            Ok((built, summary))
        });
        let built = built.await?;
        run.whole_step(ImageStep::Export, async {
            let folder = spool.path().join("image");
            let time = i64::try_from(context.time_s).unwrap_or(0);
            let base = squash_above(request.image, engine, &built.id).await?;
            let rules = LayerRules::of(request.image, time, engine.takes_zstd());
            let rules = rules.squashed_above(base);
            let cache = LayerCache::of_this_user(request.image);
            let layout = engine.export_layout(&built.id, &folder, rules, cache, run).await?;
            FailPoint::ImageExported.reached();
            let size = bytes(layout.layer_bytes());
            let summary = format!("{} layers, {size}", layout.manifest().layers.len());
            let mut made = MadeLayout::of(layout);
            if base.is_some() {
                // What a layer deletes is gone from the merged one, and was in the build all the same.
                made.searched = ScanTarget::EngineImage(built.id.clone());
            }
            Ok((made, summary))
        })
        .await
    }
}

/// What git says of the context; of a file that the context leaves out, it does not matter.
async fn commit(
    request: &PublishRequest<'_>,
    folder: &ContextFolder,
) -> Result<SourceCommit, String> {
    let counts = |path: &str| {
        // These are read whatever the ignore file says.
        let is_read = path == request.image.dockerfile || path.ends_with(".dockerignore");
        is_read || !folder.ignores(path)
    };
    SourceCommit::read(&request.image.context, counts).await
}

/// A layout is its own input. Its commit is that of the image's folder, if this host has it in git.
async fn source_of_layout(request: &PublishRequest<'_>, layout: &OciLayout) -> CandidateSource {
    let inputs = layout.manifest_digest().to_owned();
    match SourceCommit::read(&request.image.context, |_| true).await {
        Ok(found) => {
            let dirty = found.changed.is_some();
            CandidateSource { commit: Some(found.commit), inputs, dirty }
        }
        Err(_) => CandidateSource { commit: None, inputs, dirty: false },
    }
}

/// The digest of everything that the image is made of, except the base's own content.
fn inputs(
    request: &PublishRequest<'_>,
    ground: &PublishGround,
    context: &CheckedContext,
) -> String {
    let image = request.image;
    let arguments: std::collections::BTreeMap<_, _> = build_arguments(image).into_iter().collect();
    let takes_zstd = ground.engine.as_ref().is_some_and(ImageEngine::takes_zstd);
    let rules = LayerRules::of(image, 0, takes_zstd);
    let inputs = json!({
        "context": context.summary.digest,
        "dockerfile": image.dockerfile,
        "arguments": arguments,
        "architecture": image.architecture.as_str(),
        "format": format!("{:?}", rules.format),
        "reproducible": image.reproducible.as_str(),
        "squash": image.squash.as_str(),
    });
    digest_of(inputs.to_string().as_bytes())
}

/// The digest in the text, else the one that the engine pulled.
async fn digest_of_base(reference: &str, engine: Option<&ImageEngine>) -> Option<ImageDigest> {
    if let Some((_, digest)) = reference.split_once('@') {
        return digest.parse().ok();
    }
    let engine = engine?;
    let found = engine.ask("a base", engine.client().inspect_image(reference)).await.ok()?;
    let pulled = found.repo_digests?;
    pulled.iter().find_map(|pulled| pulled.split_once('@')?.1.parse().ok())
}

/// Refuses an image for another processor than the configuration says.
fn require_architecture(
    request: &PublishRequest<'_>,
    layout: &OciLayout,
) -> Result<(), ImageFailure> {
    let wanted = request.image.architecture.as_str();
    let config: serde_json::Value =
        serde_json::from_slice(layout.config_bytes()).unwrap_or_default();
    let found = match config["architecture"].as_str().unwrap_or_default() {
        "amd64" => "x86_64",
        other => other,
    };
    if found == wanted {
        return Ok(());
    }
    Err(ImageFailure::Unusable {
        what: format!(
            "reading {}: the image is made for `{}`, and `architecture` of `{}` is `{wanted}`",
            layout.folder().display(),
            escape_within(found, 40),
            request.image.name
        ),
        hint: "build it for that processor, or correct `architecture`".to_owned(),
    })
}
