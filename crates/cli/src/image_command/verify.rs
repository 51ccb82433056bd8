//! `image verify`.

use fargate_image_builder::{find_image, verify_image};
use serde_json::json;

use super::ImageVerifyArgs;
use super::image_site::ImageSite;
use crate::exit::CommandExit;

/// Verifies one image of the registry.
pub fn run(site: &ImageSite, args: &ImageVerifyArgs) -> CommandExit {
    site.run(async |run| {
        let image = find_image(site.config(), &args.image.name)?;
        let profile = site.profile(&image)?;
        let found = verify_image(&image, &profile, &args.version, &run).await?;
        let digest = found.digest.clone();
        Ok((json!(found), digest))
    })
}
