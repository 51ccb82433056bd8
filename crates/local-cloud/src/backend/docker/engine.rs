//! The connection to a Docker Engine: every request has a deadline, and everybody who waits learns when
//! the engine is gone.

use std::future::Future;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::SystemInfo;
use bollard::{API_DEFAULT_VERSION, ClientVersion, Docker};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::engine_error::{EngineError, EngineUnusable};

/// Where an engine listens, unless something else is said.
const USUAL_SOCKET: &str = "unix:///var/run/docker.sock";
/// The API of engine 20.10.
///
/// Source: Docker Engine API version history.
const OLDEST_API: ClientVersion = ClientVersion { major_version: 1, minor_version: 41 };
/// How long the head of an answer may take. A pull sends it once the registry has answered.
const HEAD_S: u64 = 120;
/// How long a usual request may take.
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// How long an engine that was lost may take: whoever asks it is cleaning up.
const LOST_REQUEST_TIME: Duration = Duration::from_secs(2);
/// Between two looks at an engine that answers, and how long one may take.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
const LOOK_TIME: Duration = Duration::from_secs(5);
/// Between two looks at an engine that did not answer.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How long an engine may be silent before its containers count as lost.
const SILENCE: Duration = Duration::from_secs(5);

/// Whether the engine answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineState {
    Answers,
    Lost,
}

/// One engine.
pub struct DockerEngine {
    docker: Docker,
    address: String,
    info: SystemInfo,
    state: watch::Sender<EngineState>,
}

impl DockerEngine {
    /// Connects to the engine that is given, else to that of `DOCKER_HOST`, else to the usual socket.
    pub async fn connect(given: Option<&str>) -> Result<Self, EngineUnusable> {
        let of_environment = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
        let address = given.map(str::to_owned).or(of_environment);
        let address = address.unwrap_or_else(|| USUAL_SOCKET.to_owned());
        let no_answer = |error: EngineError| EngineUnusable::NoAnswer {
            address: address.clone(),
            text: error.to_string(),
        };
        let what = "its version";
        let docker = client(&address)?;
        let docker = limited(what, REQUEST_TIME, docker.negotiate_version()).await;
        let docker = docker.map_err(no_answer)?;
        let unfit = |problem| EngineUnusable::Unfit { address: address.clone(), problem };
        let version = docker.client_version();
        if version < OLDEST_API {
            return Err(unfit(format!("speaks API {version} at most")));
        }
        let info = limited("its facts", REQUEST_TIME, docker.info()).await.map_err(no_answer)?;
        if let Some(system) = info.os_type.as_deref().filter(|system| *system != "linux") {
            return Err(unfit(format!("runs containers of {system}")));
        }
        let state = watch::Sender::new(EngineState::Answers);
        Ok(Self { docker, address, info, state })
    }

    /// The client, for answers that come in pieces. Whoever reads them sees to the deadline.
    pub fn client(&self) -> &Docker {
        &self.docker
    }

    /// Where it is.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How many processors it has.
    pub fn processors(&self) -> u32 {
        let known = self.info.ncpu.and_then(|count| u32::try_from(count).ok());
        known.filter(|count| *count > 0).unwrap_or(1)
    }

    /// The processor of its machine, as the kernel names it: `x86_64`, `aarch64`.
    pub fn machine(&self) -> &str {
        self.info.architecture.as_deref().unwrap_or("x86_64")
    }

    /// Waits for one answer.
    pub async fn ask<T>(
        &self,
        what: &'static str,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, EngineError> {
        let within = match self.state() {
            EngineState::Answers => REQUEST_TIME,
            EngineState::Lost => LOST_REQUEST_TIME,
        };
        limited(what, within, request).await
    }

    /// Whether it answers, as far as is known.
    pub fn state(&self) -> EngineState {
        *self.state.borrow()
    }

    /// Hears when that changes.
    pub fn changes(&self) -> watch::Receiver<EngineState> {
        self.state.subscribe()
    }

    /// Returns when the engine is lost.
    pub async fn until_lost(&self) {
        let mut changes = self.changes();
        // The sender lives as long as this value.
        let _ = changes.wait_for(|state| *state == EngineState::Lost).await;
    }

    /// Looks again and again whether the engine answers; never returns.
    pub async fn watch(&self) -> std::convert::Infallible {
        let mut answered = Instant::now();
        loop {
            match limited("a ping", LOOK_TIME, self.docker.ping()).await {
                Ok(_) => {
                    answered = Instant::now();
                    self.set(EngineState::Answers);
                    sleep(LOOK_PAUSE).await;
                }
                Err(_) => {
                    if answered.elapsed() >= SILENCE {
                        self.set(EngineState::Lost);
                    }
                    sleep(LOOK_AGAIN).await;
                }
            }
        }
    }

    fn set(&self, new: EngineState) {
        self.state.send_if_modified(|state| std::mem::replace(state, new) != new);
    }
}

fn client(address: &str) -> Result<Docker, EngineUnusable> {
    let is_tcp = address.starts_with("tcp://") || address.starts_with("http://");
    let is_socket = address.starts_with("unix://") || address.starts_with('/');
    let connected = match (is_tcp, is_socket) {
        (true, _) => Docker::connect_with_http(address, HEAD_S, API_DEFAULT_VERSION),
        (_, true) => Docker::connect_with_unix(address, HEAD_S, API_DEFAULT_VERSION),
        _ => return Err(EngineUnusable::Address { given: address.to_owned() }),
    };
    connected.map_err(|error| EngineUnusable::NoAnswer {
        address: address.to_owned(),
        text: super::engine_error::chain(&error),
    })
}

async fn limited<T>(
    what: &'static str,
    within: Duration,
    request: impl Future<Output = Result<T, Error>>,
) -> Result<T, EngineError> {
    match timeout(within, request).await {
        Ok(answer) => answer.map_err(|error| EngineError::of(what, within, error)),
        Err(_) => Err(EngineError::Slow { what, within }),
    }
}
