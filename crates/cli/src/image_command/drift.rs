//! `image drift`: a table, JSON, TSV, or the text of an issue. Drift is exit code 3.

use std::cell::RefCell;
use std::path::PathBuf;

use clap::Args;
use fargate_image_builder::{
    DriftFinding, DriftReport, DriftSchedule, ImageDrift, check_drift, find_image,
};
use fargate_model::text::escape;
use fargate_terminal::{OutputFormat, TableColumn, stdout_size, table_lines};
use serde_json::json;

use super::image_site::ImageSite;
use crate::args::GlobalFlags;
use crate::exit::CommandExit;
use crate::output_args::FormatArgs;
use crate::streams::{tell, to_stdout, unwritten};

const COLUMNS: [TableColumn; 6] = [
    TableColumn::new("IMAGE"),
    TableColumn::new("SEVERITY"),
    TableColumn::new("CLASS"),
    TableColumn::new("SUBJECT"),
    TableColumn::new("WHAT"),
    TableColumn::new("NEXT").dropped(0),
];

/// `image drift`.
#[derive(Debug, Args)]
pub struct DriftArgs {
    /// The images [default: all images of the configuration file]
    pub names: Vec<String>,
    /// Print the text of an issue in Markdown; nothing if there is no drift
    #[arg(long, conflicts_with = "format")]
    pub issue: bool,
    /// Write metrics for Prometheus to this file, whole or not at all, for example for the textfile
    /// collector of `node_exporter`
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// Print a service and a timer of systemd that do this every day; look at nothing
    #[arg(long, conflicts_with = "issue")]
    pub schedule: bool,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// Looks for drift.
pub fn run(site: &ImageSite, args: &DriftArgs) -> CommandExit {
    // The report is printed before the failure is told: both are wanted.
    let drift = RefCell::new(Ok(()));
    let exit = site.run(async |run| {
        let images = match args.names.is_empty() {
            true => site.config().managed_images().collect(),
            false => {
                let found = args.names.iter().map(|name| find_image(site.config(), name));
                found.collect::<Result<Vec<_>, _>>()?
            }
        };
        let report = check_drift(site.config(), &images, &run).await?;
        if let Some(path) = &args.metrics {
            report.write_metrics(path)?;
        }
        for image in &report.images {
            for note in &image.notes {
                tell!("note: {}: {}", escape(&image.image), escape(note));
            }
        }
        *drift.borrow_mut() = report.require_none();
        Ok((json!(report), text(&report, args)))
    });
    match (exit, drift.into_inner()) {
        (CommandExit::Done, Err(failure)) => {
            tell!("error: {failure}");
            CommandExit::Image(failure.exit_code())
        }
        (exit, _) => exit,
    }
}

/// Prints the units.
pub fn print_schedule(global: &GlobalFlags, args: &DriftArgs) -> CommandExit {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => {
            tell!("error: looking for this program: {error}");
            return CommandExit::Image(2);
        }
    };
    let schedule = DriftSchedule {
        program,
        config: crate::config_command::path(global),
        images: args.names.clone(),
        metrics: args.metrics.clone(),
    };
    match to_stdout(&schedule.to_string()).map_err(unwritten) {
        Ok(()) => CommandExit::Done,
        Err(_) => CommandExit::NothingDone,
    }
}

fn text(report: &DriftReport, args: &DriftArgs) -> String {
    if args.issue {
        return report.issue().trim_end().to_owned();
    }
    let rows: Vec<_> = report.images.iter().flat_map(rows).collect();
    match OutputFormat::or_default(args.format.format) {
        OutputFormat::Json => format!("{:#}", json!(report)),
        OutputFormat::Tsv => rows.iter().map(|row| row.join("\t")).collect::<Vec<_>>().join("\n"),
        OutputFormat::Table if rows.is_empty() => String::new(),
        OutputFormat::Table => {
            table_lines(&COLUMNS, &rows, stdout_size().map(|size| size.columns)).join("\n")
        }
    }
}

fn rows(image: &ImageDrift) -> Vec<Vec<String>> {
    let row = |one: &DriftFinding| {
        vec![
            escape(&image.image),
            one.severity.as_str().to_owned(),
            one.class.as_str().to_owned(),
            escape(&one.subject),
            escape(&one.what),
            escape(&one.next),
        ]
    };
    image.findings.iter().map(row).collect()
}
