//! The text of an issue about drift, in Markdown: what differs, and what to do.

use std::fmt::Write;

use fargate_model::text::{bytes, duration, escape};

use super::drift_report::{DriftReport, ImageDrift};

impl DriftReport {
    /// The text of an issue, in Markdown; empty where there is no drift.
    #[must_use]
    pub fn issue(&self) -> String {
        text_of(self)
    }
}

fn text_of(report: &DriftReport) -> String {
    let mut text = String::new();
    let images: Vec<_> = report.images.iter().filter(|image| !image.findings.is_empty()).collect();
    if images.is_empty() {
        return text;
    }
    let names: Vec<String> = images.iter().map(|image| format!("`{}`", image.image)).collect();
    // Writing to a text cannot fail.
    let _ = writeln!(text, "## Drift of image {}\n", names.join(", "));
    let _ = writeln!(text, "Seen at {}: {}.\n", report.at, report.summary());
    for image in images {
        write_image(&mut text, image);
    }
    text.push_str("`fargate-runner image drift` shows this again.\n");
    text
}

fn write_image(text: &mut String, image: &ImageDrift) {
    let _ = writeln!(text, "### `{}`\n", image.image);
    if let Some(stable) = &image.stable {
        let age = duration(std::time::Duration::from_secs(stable.age_s));
        let _ = writeln!(text, "`stable` has `{}`, published {age} ago.\n", stable.tag);
    }
    text.push_str("| severity | class | subject | what | next step |\n|---|---|---|---|---|\n");
    for one in &image.findings {
        let cells = [
            one.severity.as_str().to_owned(),
            one.class.as_str().to_owned(),
            format!("`{}`", cell(&one.subject)),
            cell(&one.what),
            cell(&one.next),
        ];
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    let reclaimable = image.reclaimable_bytes();
    if reclaimable > 0 {
        let _ = writeln!(text, "\n`gc` would give back up to {}.", bytes(reclaimable));
    }
    text.push('\n');
}

/// Harmless in a cell of a table.
fn cell(text: &str) -> String {
    escape(text).replace('|', "\\|")
}
