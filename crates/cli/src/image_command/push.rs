//! `image push`.

use fargate_image_builder::{PushSource, find_image, push_image};
use serde_json::json;

use super::image_site::{ImageSite, surroundings};
use super::{ImagePushArgs, ImageSourceArgs};
use crate::exit::CommandExit;

/// Pushes one image.
pub fn run(site: &ImageSite, args: &ImagePushArgs) -> CommandExit {
    let source = match &args.source {
        ImageSourceArgs { from: Some(folder), .. } => PushSource::Layout(folder.clone()),
        ImageSourceArgs { image_id, .. } => {
            PushSource::Engine(image_id.clone().unwrap_or_default())
        }
    };
    site.run(async |run| {
        let image = find_image(site.config(), &args.image.name)?;
        let profile = site.profile(&image)?;
        let tag = args.tag.as_deref();
        let report = push_image(&image, &profile, &source, tag, &surroundings(), &run).await?;
        Ok((json!(report), report.pushed.image))
    })
}
