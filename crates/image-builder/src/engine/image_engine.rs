//! The connection to an engine, and what is known of it.

use std::future::Future;
use std::time::Duration;

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, ClientVersion, Docker};
use fargate_model::text::bytes;
use serde::Serialize;
use tokio::time::timeout;

use super::raw_connection::builder_version;
use crate::failure::ImageFailure;

/// Where an engine listens, unless `DOCKER_HOST` says otherwise.
const USUAL_SOCKET: &str = "unix:///var/run/docker.sock";
/// The API of engine 20.10.
///
/// Source: Docker Engine API version history.
const OLDEST_API: ClientVersion = ClientVersion { major_version: 1, minor_version: 41 };
/// How long the head of an answer may take: an export begins with it after minutes of work.
const HEAD_S: u64 = 1800;
/// How long a usual request may take.
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// Least room where the engine keeps images. Ours: below it no CI image can be built.
const LEAST_FREE_BYTES: u64 = 1024 * 1024 * 1024;

/// What an engine is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuildEngineFacts {
    /// Where it is.
    pub address: String,
    /// Its version, such as `20.10.24`.
    pub version: String,
    /// The version of the API that is spoken.
    pub api: String,
    /// The processor of its machine, as images name it: `amd64`, `arm64`.
    pub architecture: String,
    /// It builds by BuildKit unless it is asked otherwise.
    pub prefers_buildkit: bool,
    /// Room where it keeps images; none if it runs on another machine.
    pub free_bytes: Option<u64>,
    /// Its ids of images are digests of manifests, as containerd's store of images has them, and not of
    /// configurations.
    #[serde(skip)]
    pub names_images_by_manifest: bool,
}

/// An engine that answered.
#[derive(Clone)]
pub struct ImageEngine {
    docker: Docker,
    facts: BuildEngineFacts,
}

impl std::fmt::Debug for ImageEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageEngine").field("facts", &self.facts).finish_non_exhaustive()
    }
}

impl ImageEngine {
    /// Connects to the engine at `given` (`unix://PATH`, a path, or `tcp://ADDRESS:PORT`), else to the usual
    /// socket.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::EngineUnusable`].
    pub async fn connect(given: Option<&str>) -> Result<Self, ImageFailure> {
        let address = given.filter(|given| !given.is_empty()).unwrap_or(USUAL_SOCKET).to_owned();
        let docker = client(&address)?;
        let docker = limited(&address, "its version", docker.negotiate_version()).await?;
        let api = docker.client_version();
        if api < OLDEST_API {
            return Err(ImageFailure::EngineUnusable {
                what: format!("using the Docker Engine at {address}: it speaks API {api} at most"),
                hint: format!("API {OLDEST_API} is needed, which engine 20.10 has"),
            });
        }
        let info = limited(&address, "its facts", docker.info()).await?;
        if let Some(system) = info.os_type.as_deref().filter(|system| *system != "linux") {
            return Err(ImageFailure::EngineUnusable {
                what: format!("using the Docker Engine at {address}: it builds images of {system}"),
                hint: "an engine for Linux is needed".to_owned(),
            });
        }
        let folder = info.docker_root_dir.filter(|_| is_local(&address));
        let status = info.driver_status.into_iter().flatten().flatten();
        let pinged = builder_version(&address).await.ok().flatten();
        let facts = BuildEngineFacts {
            prefers_buildkit: pinged.as_deref() == Some("2"),
            version: info.server_version.unwrap_or_else(|| "of unknown version".to_owned()),
            api: api.to_string(),
            architecture: match info.architecture.as_deref() {
                Some("aarch64" | "arm64") => "arm64".to_owned(),
                Some("x86_64" | "amd64") | None => "amd64".to_owned(),
                Some(other) => other.to_owned(),
            },
            free_bytes: folder.as_deref().and_then(free_bytes),
            // Source: `docker info` of Docker Engine 27 with the containerd image store.
            names_images_by_manifest: { status }
                .any(|word| word.starts_with("io.containerd.snapshotter")),
            address,
        };
        Ok(Self { docker, facts })
    }

    /// What is known of it.
    #[must_use]
    pub fn facts(&self) -> &BuildEngineFacts {
        &self.facts
    }

    /// The client, for answers that come in pieces. Whoever reads them sees to the deadline.
    #[must_use]
    pub fn client(&self) -> &Docker {
        &self.docker
    }

    /// Waits for one answer, at most 30 s; `what` names it in errors.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::EngineUnusable`].
    pub async fn ask<T>(
        &self,
        what: &str,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, ImageFailure> {
        limited(&self.facts.address, what, request).await
    }

    /// Whether the engine stands on this host, as far as its address tells.
    #[must_use]
    pub fn is_local(&self) -> bool {
        is_local(&self.facts.address)
    }

    /// The id of an image and the digests of its layers; `None` if the engine has no such image.
    pub(crate) async fn image_layers(
        &self,
        name: &str,
    ) -> Result<Option<(String, Vec<String>)>, ImageFailure> {
        let known = async {
            match self.docker.inspect_image(name).await {
                Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
                found => found.map(Some),
            }
        };
        let found = self.ask(&format!("the image {name}"), known).await?;
        Ok(found.map(|found| {
            let layers = found.root_fs.and_then(|root| root.layers).unwrap_or_default();
            (found.id.unwrap_or_default(), layers)
        }))
    }

    /// What the engine's refusal means, and what to do about it. `what` was asked for.
    pub(crate) fn unusable(&self, what: &str, error: &Error) -> ImageFailure {
        unusable(&self.facts.address, what, error)
    }

    /// Whether there is room for an image.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::EngineUnusable`] if there is not.
    pub fn require_room(&self) -> Result<(), ImageFailure> {
        match self.facts.free_bytes {
            Some(free) if free < LEAST_FREE_BYTES => Err(ImageFailure::EngineUnusable {
                what: format!(
                    "using the Docker Engine at {}: its disk has {} left; at least {} are needed",
                    self.facts.address,
                    bytes(free),
                    bytes(LEAST_FREE_BYTES)
                ),
                hint: "`docker system df` tells what uses it, `docker image prune` frees some"
                    .to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

fn is_local(address: &str) -> bool {
    !address.starts_with("tcp://") && !address.starts_with("http://")
}

fn client(address: &str) -> Result<Docker, ImageFailure> {
    let is_tcp = address.starts_with("tcp://") || address.starts_with("http://");
    let is_socket = address.starts_with("unix://") || address.starts_with('/');
    let connected = match (is_tcp, is_socket) {
        (true, _) => Docker::connect_with_http(address, HEAD_S, API_DEFAULT_VERSION),
        (_, true) => Docker::connect_with_unix(address, HEAD_S, API_DEFAULT_VERSION),
        _ => {
            return Err(ImageFailure::EngineUnusable {
                what: format!("using the Docker Engine {address}: its address is not understood"),
                hint: "`DOCKER_HOST` is `unix:///PATH` or `tcp://ADDRESS:PORT`".to_owned(),
            });
        }
    };
    connected.map_err(|error| unusable(address, "a connection", &error))
}

async fn limited<T>(
    address: &str,
    what: &str,
    request: impl Future<Output = Result<T, Error>>,
) -> Result<T, ImageFailure> {
    match timeout(REQUEST_TIME, request).await {
        Ok(answer) => answer.map_err(|error| unusable(address, what, &error)),
        Err(_) => Err(ImageFailure::EngineUnusable {
            what: format!(
                "asking the Docker Engine at {address} for {what}: no answer within {} s",
                REQUEST_TIME.as_secs()
            ),
            hint: "look whether dockerd lives, and at its log".to_owned(),
        }),
    }
}

/// What the client library says, and what to do about it.
pub(super) fn unusable(address: &str, what: &str, error: &Error) -> ImageFailure {
    let text = error_text(error);
    let hint = if text.contains("ermission denied") {
        "the socket belongs to the group `docker`: `usermod -aG docker USER` lets a user in, and gives \
         that user all rights of root"
    } else if text.contains("No such file")
        || text.contains("refused")
        || text.contains("not found")
    {
        "start it (Debian: `apt-get install docker.io`), or name its socket in `DOCKER_HOST`"
    } else {
        "look whether dockerd lives, and at its log"
    };
    ImageFailure::EngineUnusable {
        what: format!("asking the Docker Engine at {address} for {what}: {text}"),
        hint: hint.to_owned(),
    }
}

/// The error and what caused it. The library's own texts name the cause only in their sources.
pub(super) fn error_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = cause.source();
    }
    text
}

fn free_bytes(folder: &str) -> Option<u64> {
    let found = nix::sys::statvfs::statvfs(folder).ok()?;
    Some(found.blocks_available().saturating_mul(found.fragment_size()))
}
