//! `image reconcile`: one line for each tag and each task definition.

use clap::Args;
use fargate_image_builder::{ImageFailure, ReconcileReport, TagState, find_image, reconcile};
use fargate_model::text::{bytes, escape};
use fargate_terminal::{TableColumn, stdout_size, table_lines};
use serde_json::json;

use super::image_site::ImageSite;
use crate::exit::CommandExit;
use crate::streams::{tell, to_stdout};

const COLUMNS: [TableColumn; 4] = [
    TableColumn::new("WHAT"),
    TableColumn::new("REGION").dropped(0),
    TableColumn::new("STATE"),
    TableColumn::new("DETAIL"),
];

/// `image reconcile`.
#[derive(Debug, Args)]
pub struct ReconcileArgs {
    /// The image: the NAME of `[image.NAME]` of the configuration file
    pub name: String,
    /// Copy images, move tags and register task definitions; else only tell what would be done
    #[arg(long)]
    pub apply: bool,
}

/// Reconciles one image.
pub fn run(site: &ImageSite, args: &ReconcileArgs) -> CommandExit {
    site.run(async |run| {
        let image = find_image(site.config(), &args.name)?;
        let report = reconcile(site.config(), &image, args.apply, &run).await?;
        let text = table(&report);
        let failures = report.failures();
        if failures.is_empty() {
            if !report.is_aligned() {
                tell!("nothing was changed; `--apply` does it");
            }
            return Ok((json!(report), text));
        }
        if !site.is_json() {
            // A reader that is gone has what it wanted; the failure is told on stderr.
            let _ = to_stdout(&text);
        }
        let names: Vec<String> = failures.iter().map(|failure| escape(failure)).collect();
        Err(ImageFailure::PushFailed {
            what: format!("reconciling `{}`: {}", image.name, names.join("; ")),
            hint: "correct this and run the command again; what is done is not done twice"
                .to_owned(),
        }
        .into())
    })
}

fn table(report: &ReconcileReport) -> String {
    let mut rows = Vec::new();
    for tag in &report.tags {
        let state = match tag.state {
            TagState::Right => "right",
            TagState::ToMove => "to move",
            TagState::ToCopy => "to copy",
            TagState::Moved => "moved",
            TagState::Failed => "failed",
        };
        let copied = match tag.copied_bytes {
            0 => String::new(),
            n => format!(", {} copied", bytes(n)),
        };
        let detail = match &tag.error {
            Some(error) => escape(error),
            None => format!("{}{copied}", tag.wanted.short()),
        };
        let what = format!("{}:{}", tag.repository, tag.channel);
        let region = tag.region.clone().unwrap_or_else(|| "-".to_owned());
        rows.push(vec![escape(&what), region, state.to_owned(), detail]);
    }
    for one in &report.definitions {
        let profile = one.profile.as_deref().unwrap_or("[defaults]");
        let (state, detail) = match (&one.error, &one.revision) {
            (Some(error), _) => ("failed", escape(error)),
            (None, Some(revision)) if one.registered => ("registered", escape(revision)),
            (None, Some(revision)) => ("right", escape(revision)),
            (None, None) => ("to register", escape(one.image.as_deref().unwrap_or("-"))),
        };
        let what = format!("task definition of {profile}");
        rows.push(vec![what, "-".to_owned(), state.to_owned(), detail]);
    }
    match rows.is_empty() {
        true => String::new(),
        false => table_lines(&COLUMNS, &rows, stdout_size().map(|size| size.columns)).join("\n"),
    }
}
