//! `image list`: a table, JSON or TSV.

use clap::Args;
use fargate_image_builder::{ListedVersion, list_versions};
use fargate_image_manifest::ManifestTime;
use fargate_model::text::{bytes, duration, escape};
use fargate_terminal::{OutputFormat, TableColumn, stdout_size, table_lines};
use serde_json::json;

use super::image_site::ImageSite;
use crate::exit::CommandExit;
use crate::output_args::FormatArgs;

const COLUMNS: [TableColumn; 7] = [
    TableColumn::new("IMAGE"),
    TableColumn::new("CHANNELS"),
    TableColumn::new("STATUS"),
    TableColumn::new("AGE").dropped(1),
    TableColumn::new("SIZE").dropped(0),
    TableColumn::new("TAG"),
    TableColumn::new("DIGEST").dropped(2),
];

/// `image list`.
#[derive(Debug, Args)]
pub struct ImageListArgs {
    /// The image [default: all images of the configuration file]
    pub name: Option<String>,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// Lists versions.
pub fn run(site: &ImageSite, args: &ImageListArgs) -> CommandExit {
    site.run(async |_| {
        let listed = list_versions(site.config(), args.name.as_deref())?;
        let document = json!({ "versions": listed });
        let rows = || listed.iter().map(row).collect::<Vec<_>>();
        let text = match OutputFormat::or_default(args.format.format) {
            OutputFormat::Json => format!("{document:#}"),
            OutputFormat::Tsv => {
                rows().iter().map(|row| row.join("\t")).collect::<Vec<_>>().join("\n")
            }
            OutputFormat::Table if listed.is_empty() => String::new(),
            OutputFormat::Table => {
                table_lines(&COLUMNS, &rows(), stdout_size().map(|size| size.columns)).join("\n")
            }
        };
        Ok((document, text))
    })
}

fn row(version: &ListedVersion) -> Vec<String> {
    let channels: Vec<_> = version.channels.iter().map(ToString::to_string).collect();
    let channels = if channels.is_empty() { "-".to_owned() } else { channels.join(",") };
    let now = ManifestTime::now();
    let is_deprecated = version.deprecation_time.is_some_and(|time| time <= now);
    let status = match (version.status.as_str(), is_deprecated) {
        ("tested", true) => "deprecated",
        (status, _) => status,
    };
    vec![
        escape(&version.image),
        channels,
        status.to_owned(),
        duration(now.since(version.created)),
        bytes(version.size_bytes),
        escape(&version.tag),
        version.digest.short().to_owned(),
    ]
}
