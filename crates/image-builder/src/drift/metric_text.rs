//! Metrics of drift in the text format of Prometheus, as `node_exporter`'s textfile collector reads them.
//!
//! Every class has a sample, also where it is 0, so that an alert can compare. The time of the check is one of
//! the samples: a check that does not run any more is what nobody notices.

use std::fmt::Write;
use std::path::Path;

use fargate_model::text::error_chain;

use super::drift_finding::{DriftClass, DriftSeverity};
use super::drift_report::DriftReport;
use crate::failure::ImageFailure;

const SEVERITIES: [DriftSeverity; 4] =
    [DriftSeverity::Critical, DriftSeverity::High, DriftSeverity::Warning, DriftSeverity::Info];

/// One metric: name, help, and samples with their labels.
struct MetricFamily {
    name: &'static str,
    help: &'static str,
    samples: Vec<(String, u64)>,
}

impl DriftReport {
    /// Writes metrics in the text format of Prometheus, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Unusable`] if the disk refuses.
    pub fn write_metrics(&self, path: &Path) -> Result<(), ImageFailure> {
        let written = fargate_files::write_public(path, text_of(self).as_bytes());
        written.map_err(|error| ImageFailure::Unusable {
            what: format!("writing the metrics: {}", error_chain(&error)),
            hint: "name a file in a folder that this user may write to".to_owned(),
        })
    }
}

fn text_of(report: &DriftReport) -> String {
    let mut text = String::new();
    for family in families(report).into_iter().filter(|family| !family.samples.is_empty()) {
        let MetricFamily { name, help, samples } = family;
        // Writing to a text cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in samples {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    }
    text
}

fn families(report: &DriftReport) -> Vec<MetricFamily> {
    let at = report.at.system_time().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut findings = Vec::new();
    let (mut severities, mut stable, mut stored, mut reclaimable) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for image in &report.images {
        let (name, counts) = (image.image.as_str(), image.counts());
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        for class in DriftClass::ALL {
            let of_class = counts.iter().filter(|((_, found), _)| *found == class);
            let count = of_class.map(|(_, count)| *count).sum();
            findings.push((labels(&[("image", name), ("class", class.as_str())]), number(count)));
        }
        for severity in SEVERITIES {
            let of_severity = counts.iter().filter(|((found, _), _)| *found == severity);
            let count = of_severity.map(|(_, count)| *count).sum();
            let labels = labels(&[("image", name), ("severity", severity.as_str())]);
            severities.push((labels, number(count)));
        }
        stable.extend(image.stable.as_ref().map(|one| (labels(&[("image", name)]), one.age_s)));
        for (repository, count) in &image.repositories {
            let labels = labels(&[("image", name), ("repository", repository)]);
            stored.push((labels, number(*count)));
        }
        reclaimable.push((labels(&[("image", name)]), image.reclaimable_bytes()));
    }
    let family = |name, help, samples| MetricFamily { name, help, samples };
    vec![
        family(
            "fargate_runner_image_drift_checked_timestamp_seconds",
            "When drift was checked last.",
            vec![(String::new(), at.as_secs())],
        ),
        family("fargate_runner_image_drift_findings", "Differences of each class.", findings),
        family(
            "fargate_runner_image_drift_findings_by_severity",
            "Differences of each severity.",
            severities,
        ),
        family(
            "fargate_runner_image_stable_age_seconds",
            "Age of the version that the channel stable has.",
            stable,
        ),
        family(
            "fargate_runner_image_repository_images",
            "Images that were seen in the repository.",
            stored,
        ),
        family(
            "fargate_runner_image_reclaimable_bytes",
            "Bytes that gc would give back at most.",
            reclaimable,
        ),
    ]
}

fn labels(pairs: &[(&str, &str)]) -> String {
    let value = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs: Vec<String> =
        pairs.iter().map(|(name, text)| format!("{name}=\"{}\"", value(text))).collect();
    format!("{{{}}}", pairs.join(","))
}
