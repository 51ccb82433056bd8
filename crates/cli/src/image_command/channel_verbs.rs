//! `image promote`, `rollback` and `revoke`. On stdout stands the digest that the channel has then.

use std::path::PathBuf;

use clap::Args;
use fargate_image_builder::{
    ChannelReport, ImageStep, PromotionRequest, find_image, promote, revoke, roll_back,
    vulnerability_rule,
};
use fargate_image_manifest::ChannelName;
use fargate_model::text::escape;
use serde_json::json;

use super::image_site::ImageSite;
use crate::exit::CommandExit;
use crate::streams::tell;

/// `image promote`.
#[derive(Debug, Args)]
pub struct PromoteArgs {
    /// The image: the NAME of `[image.NAME]` of the configuration file
    pub name: String,
    /// The version: its digest, its candidate tag, or a channel that has it
    pub version: String,
    /// The channel that gets the version, such as `latest` or `stable`
    #[arg(long, value_name = "CHANNEL")]
    pub to: ChannelName,
    /// Read this JSON report of Trivy, Grype or ECR; `stable` takes nothing graver than `max_vulnerability`
    #[arg(long, value_name = "FILE")]
    pub vulnerabilities: Option<PathBuf>,
}

/// `image rollback`.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// The image: the NAME of `[image.NAME]` of the configuration file
    pub name: String,
    /// The channel that goes back
    #[arg(long, default_value = "stable")]
    pub channel: ChannelName,
    /// Go back to this version, by digest or candidate tag [default: the one before]
    #[arg(long, value_name = "VERSION")]
    pub to: Option<String>,
}

/// `image revoke`.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// The image: the NAME of `[image.NAME]` of the configuration file
    pub name: String,
    /// The version that nobody may use any more: its digest or its candidate tag
    pub version: String,
    /// Why, in one line; jobs that would use it show this text
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: String,
    /// Give the channels that have it this version
    #[arg(long, value_name = "VERSION")]
    pub replace_with: Option<String>,
}

/// Longest reason, in bytes.
const MAX_REASON: usize = 500;

fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    match !text.is_empty() && text.len() <= MAX_REASON && !text.contains(char::is_control) {
        true => Ok(text.to_owned()),
        false => Err(format!("a reason is one line of 1 to {MAX_REASON} bytes")),
    }
}

/// Gives a channel another version.
pub fn run_promote(site: &ImageSite, args: &PromoteArgs) -> CommandExit {
    site.run(async |run| {
        let image = find_image(site.config(), &args.name)?;
        let (version, channel) = (args.version.as_str(), args.to.clone());
        let report = args.vulnerabilities.as_deref();
        let rule = report.map(|report| vulnerability_rule(&image, report, &run)).transpose()?;
        if rule.is_none() && channel.is_stable() {
            run.events
                .warn(ImageStep::Promote, "no vulnerability report was read: `--vulnerabilities`");
        }
        let request = PromotionRequest { version, channel, rules: rule.into_iter().collect() };
        let report = promote(site.config(), &image, &request, &run).await?;
        told(&report);
        Ok((json!(report), report.to.to_string()))
    })
}

/// Gives a channel the version that it had before.
pub fn run_rollback(site: &ImageSite, args: &RollbackArgs) -> CommandExit {
    site.run(async |run| {
        let image = find_image(site.config(), &args.name)?;
        let to = args.to.as_deref();
        let report = roll_back(site.config(), &image, &args.channel, to, &run).await?;
        told(&report);
        Ok((json!(report), report.to.to_string()))
    })
}

/// Revokes a version.
pub fn run_revoke(site: &ImageSite, args: &RevokeArgs) -> CommandExit {
    site.run(async |run| {
        let image = find_image(site.config(), &args.name)?;
        let version = (args.version.as_str(), args.reason.as_str());
        let other = args.replace_with.as_deref();
        let report = revoke(site.config(), &image, version, other, &run).await?;
        report.replaced.iter().for_each(told);
        for version in &report.descendants {
            let channels: Vec<_> = version.channels.iter().map(ToString::to_string).collect();
            let having = match channels.is_empty() {
                true => String::new(),
                false => format!(", which `{}` has", channels.join("` and `")),
            };
            let (image, tag) = (escape(&version.image), escape(&version.tag));
            tell!("warning: {tag} of `{image}` was built on it{having}");
        }
        Ok((json!(report), report.digest.to_string()))
    })
}

fn told(report: &ChannelReport) {
    if report.changed {
        let name = escape(&report.image);
        tell!(
            "the manifest says so now; registries follow: `fargate-runner image reconcile {name} --apply`"
        );
    }
}
