//! `image gc`: a table, JSON or TSV of what nobody needs, and its deletion.

use std::cell::RefCell;
use std::time::Duration;

use clap::Args;
use fargate_image_builder::{
    CleanUpLimits, CleanUpReport, CleanedImage, CleanedState, clean_up_image, find_image,
};
use fargate_model::text::{bytes, duration, escape};
use fargate_terminal::{OutputFormat, TableColumn, stdout_size, table_lines};
use serde_json::json;

use super::image_site::ImageSite;
use crate::exit::CommandExit;
use crate::output_args::FormatArgs;
use crate::streams::tell;

const COLUMNS: [TableColumn; 7] = [
    TableColumn::new("REPOSITORY").dropped(2),
    TableColumn::new("TAG"),
    TableColumn::new("DIGEST").dropped(1),
    TableColumn::new("AGE"),
    TableColumn::new("SIZE"),
    TableColumn::new("STATE"),
    TableColumn::new("DETAIL").dropped(0),
];

/// `image gc`.
#[derive(Debug, Args)]
pub struct CleanUpArgs {
    /// The image: the NAME of `[image.NAME]` of the configuration file
    pub name: String,
    /// Delete; else only tell what would be deleted
    #[arg(long)]
    pub apply: bool,
    /// Most images that this run deletes
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub most: u16,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// Cleans up one image.
pub fn run(site: &ImageSite, args: &CleanUpArgs) -> CommandExit {
    // The report is printed before the failure is told: both are wanted.
    let failed = RefCell::new(Ok(()));
    let exit = site.run(async |run| {
        let image = find_image(site.config(), &args.name)?;
        let limits = CleanUpLimits { apply: args.apply, most: args.most.into() };
        let report = clean_up_image(site.config(), &image, limits, &run).await?;
        *failed.borrow_mut() = report.require_done();
        tell_counts(&report);
        Ok((json!(report), text(&report, args)))
    });
    match (exit, failed.into_inner()) {
        (CommandExit::Done, Err(failure)) => {
            tell!("error: {failure}");
            CommandExit::Image(failure.exit_code())
        }
        (exit, _) => exit,
    }
}

fn tell_counts(report: &CleanUpReport) {
    let found = report.images.len();
    match report.applied {
        true => tell!("{} of {found} deleted", report.count(CleanedState::Deleted)),
        false if found > 0 => tell!("{found} to delete; `--apply` does it"),
        false => tell!("nothing to delete"),
    }
    if report.left > 0 {
        tell!("{} more are left for the next run", report.left);
    }
}

fn text(report: &CleanUpReport, args: &CleanUpArgs) -> String {
    let rows: Vec<_> = report.images.iter().map(row).collect();
    match OutputFormat::or_default(args.format.format) {
        OutputFormat::Json => format!("{:#}", json!(report)),
        OutputFormat::Tsv => rows.iter().map(|row| row.join("\t")).collect::<Vec<_>>().join("\n"),
        OutputFormat::Table if rows.is_empty() => String::new(),
        OutputFormat::Table => {
            table_lines(&COLUMNS, &rows, stdout_size().map(|size| size.columns)).join("\n")
        }
    }
}

fn row(image: &CleanedImage) -> Vec<String> {
    let detail = match (&image.error, image.referrers.len()) {
        (Some(error), _) => escape(error),
        (None, 0) => "-".to_owned(),
        (None, count) => format!("with {count} about it"),
    };
    vec![
        escape(&image.repository),
        escape(&image.tags.join(",")),
        image.digest.short().to_owned(),
        duration(Duration::from_secs(image.age_s)),
        bytes(image.size_bytes),
        image.state.as_str().to_owned(),
        detail,
    ]
}
