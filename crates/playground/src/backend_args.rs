//! The flags that choose what runs the containers of a local cloud.

use std::path::PathBuf;

use clap::ValueEnum;
use fargate_local_cloud::BackendChoice;

use crate::programs::{self, MissingProgram};

/// What runs the containers of tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum BackendName {
    /// Processes of this machine, which need no image.
    #[default]
    Processes,
    /// A Docker Engine of this machine, which runs images.
    Docker,
}

/// What runs the containers of tasks.
#[derive(Clone, Debug, clap::Args)]
pub struct BackendArgs {
    /// What runs the containers of tasks.
    #[arg(long, value_enum, value_name = "WHAT", default_value = "processes")]
    backend: BackendName,
    /// Socket of the Docker Engine, `unix://PATH` or `tcp://ADDRESS:PORT`; that of `DOCKER_HOST` unless
    /// given.
    #[arg(long, value_name = "SOCKET")]
    engine: Option<String>,
    /// Image of the task definition that the cloud starts with: one of a registry, or the id
    /// (`sha256:...`) of one of the engine. It holds the agent.
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
}

/// A flag for an engine stands beside a backend that has none.
#[derive(Debug, thiserror::Error)]
#[error(
    "{flag} says something of a Docker Engine, and the tasks run as processes; add `--backend docker`"
)]
pub struct EngineFlagError {
    flag: &'static str,
}

impl BackendArgs {
    /// The choice that the flags make.
    ///
    /// # Errors
    ///
    /// [`EngineFlagError`] if a flag would have no effect.
    pub fn choice(&self) -> Result<BackendChoice, EngineFlagError> {
        let (engine, image) = (self.engine.clone(), self.image.clone());
        match (self.backend, &engine, &image) {
            (BackendName::Docker, ..) => Ok(BackendChoice::Docker { engine, image }),
            (BackendName::Processes, Some(_), _) => Err(EngineFlagError { flag: "--engine" }),
            (BackendName::Processes, _, Some(_)) => Err(EngineFlagError { flag: "--image" }),
            (BackendName::Processes, None, None) => Ok(BackendChoice::Processes),
        }
    }

    /// The agent that the backend needs beside it. Images hold their own.
    ///
    /// # Errors
    ///
    /// [`MissingProgram`] if processes are to run and there is no agent.
    pub fn agent(&self) -> Result<PathBuf, MissingProgram> {
        match self.backend {
            BackendName::Processes => programs::agent(),
            BackendName::Docker => Ok(PathBuf::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(backend: BackendName, engine: Option<&str>, image: Option<&str>) -> String {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let args = BackendArgs { backend, engine: text(engine), image: text(image) };
        args.choice().map_or_else(|error| error.to_string(), |choice| format!("{choice:?}"))
    }

    #[test]
    fn flags_of_an_engine_need_one() {
        let processes = BackendName::Processes;
        assert_eq!(choice(processes, None, None), "Processes");
        assert_eq!(
            choice(processes, Some("/s"), None),
            "--engine says something of a Docker Engine, and the tasks run as processes; add \
             `--backend docker`"
        );
        assert!(choice(processes, None, Some("debian")).starts_with("--image says"));
        assert_eq!(
            choice(BackendName::Docker, None, Some("debian")),
            "Docker { engine: None, image: Some(\"debian\") }"
        );
    }
}
