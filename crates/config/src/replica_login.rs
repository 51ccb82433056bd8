//! Whether each login of `replica_secrets` belongs to a replica of the same `[image.NAME]`.
//!
//! A login for a registry that no replica has would be one that nobody uses and that somebody believes in.

use std::path::Path;

use crate::check::quoted;
use crate::problem::ConfigProblem;
use crate::value::{LocatedValue, SettingsTable};

/// A problem for each login that is no replica's.
pub(crate) fn conflicts(images: &[(String, SettingsTable)], path: &Path) -> Vec<ConfigProblem> {
    images.iter().flat_map(|(_, image)| of_image(image, path)).collect()
}

fn of_image(image: &SettingsTable, path: &Path) -> Vec<ConfigProblem> {
    let logins: Option<LocatedValue<Vec<String>>> = image.get("replica_secrets");
    let Some(LocatedValue { value: logins, place }) = logins else { return Vec::new() };
    let own: Option<LocatedValue<String>> = image.get("repository");
    let own = own.as_ref().map(|own| registry_of(&own.value));
    let replicas: Option<LocatedValue<Vec<String>>> = image.get("replicas");
    let replicas = replicas.map(|replicas| replicas.value).unwrap_or_default();
    let of_replicas: Vec<&str> = replicas.iter().map(|name| registry_of(name)).collect();
    let problem = |login: &String| {
        let registry = login.split('=').next().unwrap_or_default();
        let (what, hint) = if own == Some(registry) {
            ("the registry of `repository`", "name that login as `registry_secret`")
        } else if of_replicas.contains(&registry) {
            return None;
        } else {
            ("a registry that no replica has", "name a registry of `replicas`")
        };
        let rest = format!("has a login for {}, {what}", quoted(registry));
        Some(ConfigProblem::of_key(path, &place, &rest, Some(hint.to_owned())))
    };
    logins.iter().filter_map(problem).collect()
}

/// Host and port of a repository.
fn registry_of(repository: &str) -> &str {
    repository.split('/').next().unwrap_or_default()
}
