//! What happens while an image is built, checked and pushed, for whoever shows it.
//!
//! Nothing here decides anything. Foreign text in an event has been masked, and its escape sequences have
//! been taken out; it is still to be cut where it is shown.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A step from a Dockerfile to an image in a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageStep {
    /// Configuration, engine, disk and registry, before any slow work.
    Preflight,
    /// The folder that is built is read and searched.
    Context,
    /// The engine builds.
    Build,
    /// The engine's image becomes an OCI layout with normalised, compressed layers.
    Export,
    /// The layers are searched for secrets.
    Scan,
    /// An image comes from the registry.
    Pull,
    /// A job runs in the image.
    SmokeTest,
    /// Layers and manifest go to the registry.
    Push,
    /// What was pushed is read back.
    Verify,
    /// Bill of materials and provenance go to the registry.
    Attest,
    /// The manifest is written.
    Manifest,
    /// A channel gets another digest.
    Promote,
    /// Tags and task definitions are made to name what the manifest says.
    Reconcile,
    /// Registry and tasks are compared with the manifest.
    Drift,
    /// What nobody needs is deleted.
    CleanUp,
}

impl ImageStep {
    /// Its name for people.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Context => "context",
            Self::Build => "build",
            Self::Export => "export",
            Self::Scan => "scan",
            Self::Pull => "pull",
            Self::SmokeTest => "smoke test",
            Self::Push => "push",
            Self::Verify => "verify",
            Self::Attest => "attest",
            Self::Manifest => "manifest",
            Self::Promote => "promote",
            Self::Reconcile => "reconcile",
            Self::Drift => "drift",
            Self::CleanUp => "clean up",
        }
    }
}

/// Where a line of a build was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputStream {
    /// Standard output, or words of the engine itself.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ImageEvent {
    /// A step began.
    StepStarted {
        /// Which one.
        step: ImageStep,
    },
    /// How far a step is, in one line for people.
    StepProgress {
        /// Which one.
        step: ImageStep,
        /// Such as `2 of 4 layers, 157 of 263 MB`.
        summary: String,
    },
    /// A step succeeded.
    StepDone {
        /// Which one.
        step: ImageStep,
        /// What came of it, in one line for people.
        summary: String,
        /// How long it took, in milliseconds.
        took_ms: u64,
    },
    /// An instruction of the Dockerfile began, or came from the cache.
    BuildStep {
        /// Its number, from 1.
        number: u32,
        /// How many there are.
        of: u32,
        /// Its text.
        name: String,
        /// Nothing is run for it.
        cached: bool,
    },
    /// One line that the build wrote.
    BuildLine {
        /// The number of the instruction; 0 before the first one.
        number: u32,
        /// Where it was written.
        stream: OutputStream,
        /// The line, without its line end.
        line: String,
    },
    /// How far one layer is.
    LayerProgress {
        /// The step that works on it.
        step: ImageStep,
        /// The layer: the first characters of its digest.
        id: String,
        /// What made the layer, in a word or two.
        name: String,
        /// Bytes that are done.
        done_bytes: u64,
        /// All of its bytes.
        of_bytes: u64,
        /// What else is to be said, such as `mounted from acme/base, 0 bytes sent`.
        note: Option<String>,
    },
    /// Something that the operator should know and that stops nothing.
    Warning {
        /// The step that found it.
        step: ImageStep,
        /// What, where, and what to do.
        text: String,
    },
}

/// Who hears the events. Clones tell the same listener.
#[derive(Clone)]
pub struct ImageEvents(Arc<dyn Fn(ImageEvent) + Send + Sync>);

impl ImageEvents {
    /// Calls `listener` with each event. It must not wait: the work waits for it.
    pub fn to(listener: impl Fn(ImageEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    /// Nobody listens.
    #[must_use]
    pub fn nobody() -> Self {
        Self::to(|_| {})
    }

    /// Tells one event.
    pub fn tell(&self, event: ImageEvent) {
        (self.0)(event);
    }

    /// Tells a warning.
    pub fn warn(&self, step: ImageStep, text: impl Into<String>) {
        self.tell(ImageEvent::Warning { step, text: text.into() });
    }
}

impl fmt::Debug for ImageEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImageEvents")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_json_object_that_names_itself_and_can_be_read_again() {
        let event = ImageEvent::BuildStep { number: 2, of: 9, name: "RUN a".into(), cached: true };
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(
            text,
            r#"{"event":"build_step","number":2,"of":9,"name":"RUN a","cached":true}"#
        );
        assert_eq!(serde_json::from_str::<ImageEvent>(&text).unwrap(), event);
    }
}
