//! `image build`.

use fargate_image_builder::{build_image, find_image};
use serde_json::json;

use super::ImageBuildArgs;
use super::image_site::{ImageSite, surroundings};
use crate::exit::CommandExit;

/// Builds one image.
pub fn run(site: &ImageSite, args: &ImageBuildArgs) -> CommandExit {
    site.run(async |run| {
        let image = find_image(site.config(), &args.image.name)?;
        let report = build_image(&image, &surroundings(), args.no_cache, &run).await?;
        Ok((json!(report), report.built.id))
    })
}
