//! Which layers of an image are its own: those above the base image that its Dockerfile names.

use fargate_config::{ManagedImage, SquashPolicy};

use crate::blocking_work::blocking;
use crate::build_surroundings::build_arguments;
use crate::dockerfile::{MAX_DOCKERFILE_BYTES, ParsedDockerfile, final_base};
use crate::engine::ImageEngine;
use crate::failure::ImageFailure;

/// How many layers of the engine's image `built` belong to its base, if the configuration wants the other ones
/// to become one; `None` if it does not.
///
/// # Errors
///
/// [`ImageFailure::Unusable`] if the base is not on the engine, or if `built` does not stand on it;
/// [`ImageFailure::EngineUnusable`].
pub(crate) async fn squash_above(
    image: &ManagedImage,
    engine: &ImageEngine,
    built: &str,
) -> Result<Option<usize>, ImageFailure> {
    if image.squash == SquashPolicy::Never {
        return Ok(None);
    }
    let doing = format!("putting the layers of `{}` together (`squash = \"own\"`)", image.name);
    let unusable = |what: String, hint: &str| ImageFailure::Unusable {
        what: format!("{doing}: {what}"),
        hint: hint.to_owned(),
    };
    let path = image.context.join(&image.dockerfile);
    let read = path.clone();
    let content = blocking(move || read_limited(&read)).await?.map_err(|error| {
        unusable(
            format!("reading {}: {error}", path.display()),
            "correct `context` or `dockerfile`",
        )
    })?;
    let file = ParsedDockerfile::parse(&image.dockerfile, &content)?;
    let arguments = build_arguments(image);
    let pairs: Vec<_> = arguments.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let Some(base) = final_base(&file, &pairs) else { return Ok(Some(0)) };
    let named = fargate_model::text::escape_within(&base.image, 200);
    if base.is_unknown {
        return Err(unusable(
            format!("the base {named} (line {}) has a variable without a value", base.line),
            "give it one in `build_args`",
        ));
    }
    let Some((_, below)) = engine.image_layers(&base.image).await? else {
        return Err(unusable(
            format!("the engine has no image {named} (line {}); BuildKit keeps none", base.line),
            "`docker pull` it, or set `squash = \"never\"`",
        ));
    };
    let all = engine.image_layers(built).await?.map(|(_, layers)| layers).unwrap_or_default();
    match all.starts_with(&below) {
        true => Ok(Some(below.len())),
        false => Err(unusable(
            format!("{built} does not stand on {named} as the engine has it now"),
            "build the image again",
        )),
    }
}

fn read_limited(path: &std::path::Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;

    let mut content = Vec::new();
    let limit = MAX_DOCKERFILE_BYTES as u64 + 1;
    std::fs::File::open(path)?.take(limit).read_to_end(&mut content)?;
    Ok(content)
}
