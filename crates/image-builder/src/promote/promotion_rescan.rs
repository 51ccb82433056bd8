//! Searches a version again before it is promoted, if it was searched by other rules than those of today. The
//! image comes from the registry as it is stored.

use std::time::SystemTime;

use fargate_config::ManagedImage;
use fargate_image_manifest::{ManifestTime, RecordedVersion, ScanRecord};
use fargate_registry::StoredManifest;

use super::repository_access::ImageRepository;
use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::secret_scan::{SecretScanner, SecretWaivers};

/// What the manifest is to say of the search; `None` if it was made by today's rules, or if there was none,
/// which other rules forbid.
pub(super) async fn rescanned(
    image: &ManagedImage,
    version: &RecordedVersion,
    (repository, manifest): (&ImageRepository, &StoredManifest),
    run: &ImageRun,
) -> Result<Option<ScanRecord>, ImageFailure> {
    let Some(former) = &version.scan else { return Ok(None) };
    let scanner = SecretScanner::new();
    let rules = scanner.rules_version();
    if former.rules == rules {
        return Ok(None);
    }
    let waivers = image.waivers.as_deref().map(SecretWaivers::read).transpose()?;
    let waivers = waivers.unwrap_or_default();
    let work = async {
        let found = scanner.scan_registry_image(&repository.session, manifest, run);
        let mut report = found.await?;
        waivers.apply(&mut report, SystemTime::now());
        let summary = format!("{} under today's rules: {}", version.tag, report.summary());
        Ok((report, summary))
    };
    let report = run.step(ImageStep::Scan, work).await?;
    report.gate()?;
    Ok(Some(ScanRecord {
        rules,
        findings: 0,
        waived: u32::try_from(report.findings.len()).unwrap_or(u32::MAX),
        waived_until: waivers.first_end(&report).map(ManifestTime::of),
        other: former.other.clone(),
    }))
}
