//! `image scan`.

use fargate_image_builder::find_image;
use fargate_image_builder::secret_scan::{
    ScanTarget, SecretScanReport, SecretScanner, SecretWaivers,
};
use serde_json::json;

use super::ImageScanArgs;
use super::image_site::{ImageSite, surroundings};
use crate::exit::CommandExit;

/// Searches one image for secrets.
pub fn run(site: &ImageSite, args: &ImageScanArgs) -> CommandExit {
    site.run(async |run| {
        let target = ScanTarget::of(&args.target)?;
        let file = match &args.image {
            Some(name) => find_image(site.config(), name)?.waivers,
            None => args.waivers.clone(),
        };
        let waivers = file.as_deref().map(SecretWaivers::read).transpose()?.unwrap_or_default();
        let engine = surroundings().docker_host;
        let scanner = SecretScanner::new();
        let report = scanner.scan_step(&target, engine.as_deref(), &waivers, &run).await?;
        if let Some(file) = &args.report {
            report.write(file)?;
        }
        report.gate()?;
        let text = if args.skipped { skipped(&report) } else { String::new() };
        Ok((json!(report), text))
    })
}

/// One line for each thing that was skipped.
fn skipped(report: &SecretScanReport) -> String {
    let lines: Vec<_> = report.skipped_content.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
