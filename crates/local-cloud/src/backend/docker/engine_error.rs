//! Why the engine cannot be used, or did not do what it was asked.

use std::time::Duration;

use bollard::errors::Error;

/// Why a cloud cannot run its containers on an engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineUnusable {
    /// The address has a form that is not known here.
    #[error(
        "using the Docker Engine {given}; allowed are the path of a socket, unix://PATH and \
         tcp://ADDRESS:PORT, by --engine or by DOCKER_HOST"
    )]
    Address {
        /// What was given.
        given: String,
    },
    /// Nothing answers there.
    #[error(
        "asking the Docker Engine at {address}: {text}; start it (Debian: apt-get install docker.io), \
         or name its socket with --engine"
    )]
    NoAnswer {
        /// Where it was looked for.
        address: String,
        /// What went wrong.
        text: String,
    },
    /// The engine is older than 20.10, or of another operating system.
    #[error(
        "using the Docker Engine at {address}: it {problem}; an engine 20.10 or later for Linux is needed"
    )]
    Unfit {
        /// Where it is.
        address: String,
        /// What it lacks.
        problem: String,
    },
}

/// Why a request to the engine failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It answered, and refused.
    #[error("{message}")]
    Refused { status: u16, message: String },
    /// It refused the connection, ended it, or sent something that nobody understands.
    #[error("the Docker Engine does not answer ({what}: {text})")]
    NoAnswer { what: &'static str, text: String },
    /// It took too long.
    #[error("the Docker Engine did not answer within {} s ({what})", within.as_secs())]
    Slow { what: &'static str, within: Duration },
}

impl EngineError {
    /// What the client library says, in our words.
    pub fn of(what: &'static str, within: Duration, error: Error) -> Self {
        match error {
            Error::DockerResponseServerError { status_code, message } => {
                Self::Refused { status: status_code, message }
            }
            // An error inside an answer that began well, for example of a pull.
            Error::DockerStreamError { error } => Self::Refused { status: 200, message: error },
            Error::RequestTimeoutError => Self::Slow { what, within },
            other => Self::NoAnswer { what, text: chain(&other) },
        }
    }

    /// The engine knows no such thing.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// A container cannot be made, because its image is not there.
    pub fn is_missing_image(&self) -> bool {
        matches!(self, Self::Refused { status: 404, message } if message.contains("No such image"))
    }

    /// The engine answered, whatever it said.
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

/// The error and what caused it. The library's own texts name the cause only in their sources.
pub fn chain(error: &dyn std::error::Error) -> String {
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
