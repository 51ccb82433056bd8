//! Pulls the images of a task, each with its own login, and says in ECS's words why one cannot be had.
//!
//! On Fargate no image is there before a task. Here the engine keeps layers, but the registry is asked
//! each time, so a tag that moved, a wrong password or a missing image are seen by every task. Two
//! images are run without a question: one that is named by the engine's own id (`sha256:...`), and one
//! that is named by its digest without a login.

use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::models::ImageInspect;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt;
use tokio::time::timeout;

use super::engine::DockerEngine;
use super::engine_error::EngineError;
use super::image_reference::ImageName;
use crate::backend::container::{
    ContainerStartError, ImageArchitecture, ImagePull, PulledImage, RegistryLogin,
};

/// How long one image may take.
const PULL_TIME: Duration = Duration::from_secs(600);
/// How ECS begins a failure of a manifest.
const RETRIED: &str = "pull image manifest has been retried 1 time(s): ";
/// How the engine's own id of an image begins.
const ID: &str = "sha256:";

/// Pulls one image, if a registry has to be asked for it.
pub async fn pull(
    engine: &DockerEngine,
    pull: &ImagePull,
) -> Result<PulledImage, ContainerStartError> {
    let name = ImageName::parse(&pull.image);
    if pull.image.starts_with(ID) {
        let missing = || no_image(format!("failed to resolve ref {}: not found", pull.image));
        let image = inspect(engine, &pull.image).await?.ok_or_else(missing)?;
        return checked(image, &name, pull.architecture);
    }
    let local = name.local();
    let known = match name.is_digest() && pull.login.is_none() {
        true => inspect(engine, &local).await?,
        false => None,
    };
    let image = match known {
        Some(image) => image,
        None => {
            ask_registry(engine, &name, pull).await?;
            let missing = || no_image(format!("{RETRIED}{}: not found", resolving(&name)));
            inspect(engine, &local).await?.ok_or_else(missing)?
        }
    };
    checked(image, &name, pull.architecture)
}

async fn inspect(
    engine: &DockerEngine,
    local: &str,
) -> Result<Option<ImageInspect>, ContainerStartError> {
    match engine.ask("looking for an image", engine.client().inspect_image(local)).await {
        Ok(image) => Ok(Some(image)),
        Err(error) if error.is_missing() => Ok(None),
        Err(EngineError::Refused { message, .. }) => Err(no_image(message)),
        Err(error) => Err(ContainerStartError::Engine { problem: error.to_string() }),
    }
}

async fn ask_registry(
    engine: &DockerEngine,
    name: &ImageName,
    pull: &ImagePull,
) -> Result<(), ContainerStartError> {
    let platform = platform(pull.architecture);
    let options = CreateImageOptionsBuilder::default()
        .from_image(&name.name)
        .tag(&name.version)
        .platform(&platform)
        .build();
    let login = pull.login.as_ref().map(credentials);
    let progress = async {
        let mut answers = engine.client().create_image(Some(options), None, login);
        while let Some(answer) = answers.next().await {
            answer?;
        }
        Ok::<_, Error>(())
    };
    let what = "pulling an image";
    let slow = EngineError::Slow { what, within: PULL_TIME };
    let pulled = tokio::select! {
        pulled = timeout(PULL_TIME, progress) => pulled.map_err(|_| slow),
        () = engine.until_lost() => Err(EngineError::NoAnswer { what, text: "it is gone".into() }),
    };
    let pulled = pulled.and_then(|pulled| pulled.map_err(|e| EngineError::of(what, PULL_TIME, e)));
    pulled.map_err(|error| match error {
        EngineError::Refused { message, .. } => {
            no_image(refusal(name, pull.architecture, &message))
        }
        EngineError::Slow { .. } => {
            no_image(format!("{RETRIED}{}: failed to do request: i/o timeout", resolving(name)))
        }
        error @ EngineError::NoAnswer { .. } => {
            ContainerStartError::Engine { problem: error.to_string() }
        }
    })
}

fn credentials(login: &RegistryLogin) -> DockerCredentials {
    DockerCredentials {
        username: Some(login.username.clone()),
        password: Some(login.password.clone()),
        ..DockerCredentials::default()
    }
}

/// What ECS says where the engine says `said`.
///
/// Source: Amazon ECS Developer Guide, "`CannotPullContainer` task errors in Amazon ECS", and messages in
/// public issue trackers.
fn refusal(name: &ImageName, architecture: ImageArchitecture, said: &str) -> String {
    let lower = said.to_lowercase();
    let has = |any: &[&str]| any.iter().any(|words| lower.contains(words));
    if has(&["no matching manifest", "does not match the specified platform"]) {
        return other_platform(architecture);
    }
    if has(&["toomanyrequests", "too many requests", "no space left", "invalid reference format"]) {
        return said.to_owned();
    }
    if has(&["manifest unknown", "manifest for", "name unknown", "repository name not known"]) {
        return format!("{RETRIED}{}: not found", resolving(name));
    }
    if has(&["unauthorized", "no basic auth", "denied", "authentication required", "forbidden"]) {
        return format!(
            "pull access denied for {}, repository does not exist or may require 'docker login': \
             {said}",
            name.name
        );
    }
    let tried = has(&["dial tcp", "i/o timeout", "no such host", "request canceled", "eof"]);
    let request = if tried { "failed to do request: " } else { "" };
    format!("{RETRIED}{}: {request}{said}", resolving(name))
}

fn resolving(name: &ImageName) -> String {
    format!("failed to resolve ref {}", name.full())
}

fn other_platform(architecture: ImageArchitecture) -> String {
    let platform = platform(architecture);
    format!("{RETRIED}image Manifest does not contain descriptor matching platform '{platform}'")
}

fn platform(architecture: ImageArchitecture) -> String {
    format!("linux/{}", architecture.word())
}

fn no_image(problem: String) -> ContainerStartError {
    ContainerStartError::NoImage { problem }
}

/// What is known of an image that the engine has, if it is one for this processor. A registry may hold
/// an image for another processor under a name that says nothing about it.
fn checked(
    image: ImageInspect,
    name: &ImageName,
    architecture: ImageArchitecture,
) -> Result<PulledImage, ContainerStartError> {
    if image.architecture.as_deref().is_some_and(|made_for| made_for != architecture.word()) {
        return Err(no_image(other_platform(architecture)));
    }
    let digests = image.repo_digests.unwrap_or_default();
    let of_name = digests.iter().find_map(|digest| {
        let (of, digest) = digest.split_once('@')?;
        (of == name.short()).then(|| digest.to_owned())
    });
    let stop_signal = image.config.and_then(|config| config.stop_signal);
    Ok(PulledImage {
        id: image.id.unwrap_or_default(),
        digest: of_name,
        stop_signal: stop_signal.filter(|signal| !signal.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_says_becomes_what_ecs_says() {
        let name = ImageName::parse("127.0.0.1:5000/ci:1");
        let told = |said: &str| refusal(&name, ImageArchitecture::X86_64, said);
        insta::assert_snapshot!(
            [
                "manifest for 127.0.0.1:5000/ci:1 not found: manifest unknown: manifest unknown",
                "Head \"http://127.0.0.1:5000/v2/ci/manifests/1\": no basic auth credentials",
                "Head \"http://127.0.0.1:5000/v2/ci/manifests/1\": unauthorized: authentication required",
                "no matching manifest for linux/amd64 in the manifest list entries",
                "Get \"http://127.0.0.1:5000/v2/\": dial tcp 127.0.0.1:5000: connect: connection refused",
                "toomanyrequests: You have reached your pull rate limit",
                "received unexpected HTTP status: 503 Service Unavailable",
            ]
            .map(told)
            .join("\n"),
            @r#"
        pull image manifest has been retried 1 time(s): failed to resolve ref 127.0.0.1:5000/ci:1: not found
        pull access denied for 127.0.0.1:5000/ci, repository does not exist or may require 'docker login': Head "http://127.0.0.1:5000/v2/ci/manifests/1": no basic auth credentials
        pull access denied for 127.0.0.1:5000/ci, repository does not exist or may require 'docker login': Head "http://127.0.0.1:5000/v2/ci/manifests/1": unauthorized: authentication required
        pull image manifest has been retried 1 time(s): image Manifest does not contain descriptor matching platform 'linux/amd64'
        pull image manifest has been retried 1 time(s): failed to resolve ref 127.0.0.1:5000/ci:1: failed to do request: Get "http://127.0.0.1:5000/v2/": dial tcp 127.0.0.1:5000: connect: connection refused
        toomanyrequests: You have reached your pull rate limit
        pull image manifest has been retried 1 time(s): failed to resolve ref 127.0.0.1:5000/ci:1: received unexpected HTTP status: 503 Service Unavailable
        "#
        );
    }
}
