//! The tag of a published image, and what stands beside it: the list of packages and the provenance.

use std::time::Duration;

use fargate_image_manifest::{ManifestTime, RecordedVersion};

use super::publish_ground::PublishGround;
use super::publish_material::PublishMaterial;
use super::publish_request::{PublishRequest, PublishSource};
use crate::attest::{
    ArtifactDescriptor, AttestedImage, BuildProvenance, CompressionProvenance, LayerFile,
    ScanProvenance, WrittenAttestations, attest_image, setting_names,
};
use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::layer::{LayerFormat, LayerRules};
use crate::oci_layout::OciLayout;
use fargate_fail_point::FailPoint;

/// How long it may take after somebody asked it to stop.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Gives the image its tag and writes its papers, as the step "attest". The tag comes first: whoever cleans up
/// finds papers by the tag of their image.
pub(super) async fn write(
    request: &PublishRequest<'_>,
    ground: &PublishGround,
    material: &PublishMaterial,
    layout: &OciLayout,
    (version, started): (&RecordedVersion, ManifestTime),
    run: &ImageRun,
) -> Result<WrittenAttestations, ImageFailure> {
    let work = async {
        let image = AttestedImage {
            repository: request.image.repository.clone(),
            digest: version.digest.clone(),
            architecture: request.image.architecture.as_str().to_owned(),
        };
        let subject = ArtifactDescriptor::of(layout.manifest_type(), layout.manifest_bytes());
        let file = |layer: &crate::oci_layout::BlobDescriptor| LayerFile {
            media_type: layer.media_type.clone(),
            path: layout.blob_path(layer),
        };
        let layers = layout.manifest().layers.iter().map(file).collect();
        let built = provenance(request, ground, material, version, started).await;
        ground.target.give_tag(layout, &version.tag).await?;
        let session = ground.target.session();
        let papers = attest_image(session, &image, &subject, layers, &built).await?;
        FailPoint::ImageAttested.reached();
        for skipped in &papers.skipped {
            let skipped = fargate_model::text::escape_within(skipped, 200);
            run.events.warn(ImageStep::Attest, format!("{skipped} is missing in the list"));
        }
        let summary = format!("{} packages listed, provenance", papers.packages);
        Ok((papers, summary))
    };
    // An upload in the middle of which it is dropped would stay open.
    let work = run.unless_cancelled_within(ImageStep::Attest, STOP_GRACE, work);
    run.whole_step(ImageStep::Attest, work).await
}

async fn provenance(
    request: &PublishRequest<'_>,
    ground: &PublishGround,
    material: &PublishMaterial,
    version: &RecordedVersion,
    started: ManifestTime,
) -> BuildProvenance {
    let image = request.image;
    let is_build = matches!(request.source, PublishSource::Build { .. });
    let scan = version.scan.as_ref();
    let of_build = |names: &[String]| if is_build { setting_names(names) } else { Vec::new() };
    BuildProvenance {
        name: image.name.clone(),
        dockerfile: is_build.then(|| image.dockerfile.clone()),
        argument_names: of_build(&image.build_args),
        secret_names: of_build(&image.build_secrets),
        context: version.context.clone(),
        commit: version.git.clone(),
        dirty: version.dirty,
        bases: material.bases(ground.engine.as_ref()).await,
        compression: compression(request, ground, version),
        scan: ScanProvenance {
            rules: scan.map(|scan| scan.rules.clone()).unwrap_or_default(),
            findings: scan.map_or(0, |scan| scan.findings),
            waived: scan.map_or(0, |scan| scan.waived),
        },
        agent: version.agent.clone(),
        helper: version.helper.clone(),
        started,
        finished: version.created,
    }
}

fn compression(
    request: &PublishRequest<'_>,
    ground: &PublishGround,
    version: &RecordedVersion,
) -> CompressionProvenance {
    let format = version.compression.clone().unwrap_or_else(|| "none".to_owned());
    if matches!(request.source, PublishSource::Layout(_)) {
        let library = "not known: the layers came compressed".to_owned();
        return CompressionProvenance { format, level: 0, library };
    }
    let takes_zstd = ground.engine.as_ref().is_some_and(crate::engine::ImageEngine::takes_zstd);
    let (level, library) = match LayerRules::of(request.image, 0, takes_zstd).format {
        LayerFormat::Zstd { level } => {
            (level, format!("zstd {}, with threads", zstd::zstd_safe::version_string()))
        }
        LayerFormat::Gzip { level } => (level, "flate2 with zlib-rs".to_owned()),
    };
    CompressionProvenance { format, level, library }
}
