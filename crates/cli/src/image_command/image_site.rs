//! What every verb of `image` needs: the configuration, the event loop, signals, the view of progress, and
//! the way in which results and failures are printed.

use fargate_config::{JobProfile, LoadedConfig, ManagedImage, RunnerConfig, UnknownKeyPolicy};
use fargate_image_builder::{BuildSurroundings, ImageFailure, ImageRun};
use fargate_model::text::error_chain;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::ImageOutputArgs;
use super::event_view::EventView;
use crate::args::GlobalFlags;
use crate::exit::CommandExit;
use crate::streams::{masker, tell, to_stdout, unwritten};
use crate::{config_command, log};

/// Why a verb failed.
pub struct VerbFailure {
    failure: ImageFailure,
    /// What the verb left in the registry, in one line for people; none if the failure says it or nobody knows.
    left: Option<String>,
}

impl VerbFailure {
    /// A failure, and what is left.
    pub fn with(failure: ImageFailure, left: String) -> Self {
        Self { failure, left: Some(left) }
    }
}

impl From<ImageFailure> for VerbFailure {
    fn from(failure: ImageFailure) -> Self {
        Self { failure, left: None }
    }
}

/// What a verb gives: the object for programs, and the text for people.
pub type VerbResult = Result<(Value, String), VerbFailure>;

/// One call of `image`.
pub struct ImageSite {
    config: RunnerConfig,
    output: ImageOutputArgs,
}

impl ImageSite {
    /// Reads the configuration; tells what is wrong with it.
    pub fn open(global: &GlobalFlags, output: ImageOutputArgs) -> Result<Self, CommandExit> {
        let loaded = config_command::load(global, UnknownKeyPolicy::Warn);
        let (_, LoadedConfig { config, warnings, notices }) = loaded.map_err(|error| {
            tell!("error: {error}");
            CommandExit::Image(2)
        })?;
        for warning in warnings.iter().chain(&notices) {
            tell!("warning: {warning}");
        }
        let debug = if global.debug { log::DebugMode::Stderr } else { log::DebugMode::Off };
        log::start(&config, debug, &[("stage", "image".into())]);
        Ok(Self { config, output })
    }

    /// The configuration.
    pub fn config(&self) -> &RunnerConfig {
        &self.config
    }

    /// Whether programs read the result.
    pub fn is_json(&self) -> bool {
        self.output.json || self.output.events.is_some()
    }

    /// Whether only errors are told.
    pub fn is_quiet(&self) -> bool {
        self.output.quiet
    }

    /// The profile of an image, by whose account and proxies registries are reached.
    pub fn profile(&self, image: &ManagedImage) -> Result<JobProfile, ImageFailure> {
        self.config.profile(image.profile.as_deref()).map_err(|error| ImageFailure::Unusable {
            what: format!("reading the profile of the image `{}`: {error}", image.name),
            hint: "correct `profile` of the image, or that profile".to_owned(),
        })
    }

    /// Does the work of a verb and prints what came of it. `work` gives the final object for `--json`, and the
    /// text for stdout otherwise; an empty text is not printed.
    pub fn run(&self, work: impl AsyncFnOnce(ImageRun) -> VerbResult) -> CommandExit {
        let view = EventView::new(self.output);
        // Some steps work on threads of their own; this one drives sockets, the view and signals.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let done = match &runtime {
            Ok(runtime) => runtime.block_on(heard(&view, work)),
            Err(error) => Err(VerbFailure::from(ImageFailure::Unusable {
                what: format!("starting an event loop: {error}"),
                hint: "look for what uses up this host's memory or open files".to_owned(),
            })),
        };
        view.close(done.is_ok());
        self.printed(done)
    }

    fn printed(&self, done: VerbResult) -> CommandExit {
        let is_json = self.is_json();
        let (text, exit) = match done {
            Ok((result, _)) if is_json => (result.to_string(), CommandExit::Done),
            Ok((_, text)) => (text, CommandExit::Done),
            Err(VerbFailure { failure, left }) => {
                let words = error_chain(&failure);
                tell!("error: {words}");
                if let Some(left) = &left {
                    tell!("{left}");
                }
                let code = failure.exit_code();
                let mut object = json!({ "error": masker().text(&words), "exit_code": code });
                if let Some(left) = left.as_deref().or(failure.left()) {
                    object["left"] = masker().text(left).as_ref().into();
                }
                let text = if is_json { object.to_string() } else { String::new() };
                (text, CommandExit::Image(code))
            }
        };
        let written = text.is_empty() || to_stdout(&text).map_err(unwritten).is_ok();
        // The code of a failure says more than that nobody read about it.
        if written || exit != CommandExit::Done { exit } else { CommandExit::NothingDone }
    }
}

/// What the environment says about builds.
pub fn surroundings() -> BuildSurroundings {
    BuildSurroundings {
        docker_host: std::env::var("DOCKER_HOST").ok(),
        source_date_epoch: std::env::var("SOURCE_DATE_EPOCH").ok(),
    }
}

/// Does the work, which hears the first SIGINT or SIGTERM.
async fn heard<T>(
    view: &EventView,
    work: impl AsyncFnOnce(ImageRun) -> Result<T, VerbFailure>,
) -> Result<T, VerbFailure> {
    let listen = |kind| {
        signal(kind).map_err(|error| ImageFailure::Unusable {
            what: format!("listening for signals: {error}"),
            hint: "try again".to_owned(),
        })
    };
    let (mut terminate, mut interrupt) =
        (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let (run, cancel) = ImageRun::new(view.events(), masker().clone());
    let pass_on = async {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            cancel.cancel();
        }
    };
    tokio::select! {
        biased;
        never = pass_on => never,
        done = work(run) => done,
        never = view.tick() => match never {},
    }
}
