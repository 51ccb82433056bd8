//! What a build is given beside its folder: the environment of the command, and the build arguments.

use std::collections::HashMap;

use fargate_config::ManagedImage;

/// Where the engine is, and the time that the environment gives to contents.
#[derive(Clone, Debug, Default)]
pub struct BuildSurroundings {
    /// The value of `DOCKER_HOST`.
    pub docker_host: Option<String>,
    /// The value of `SOURCE_DATE_EPOCH`.
    pub source_date_epoch: Option<String>,
}

/// The build arguments of an image, by their names.
pub(crate) fn build_arguments(image: &ManagedImage) -> HashMap<String, String> {
    let pairs = image.build_args.iter().filter_map(|argument| argument.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
