//! `image check`.

use fargate_image_builder::{check_image, find_image};
use serde_json::json;

use super::ImageNameArgs;
use super::image_site::{ImageSite, surroundings};
use crate::exit::CommandExit;

/// Checks one image.
pub fn run(site: &ImageSite, args: &ImageNameArgs) -> CommandExit {
    site.run(async |run| {
        let image = find_image(site.config(), &args.name)?;
        let profile = site.profile(&image)?;
        let report = check_image(&image, &profile, &surroundings(), &run).await?;
        Ok((json!(report), String::new()))
    })
}
