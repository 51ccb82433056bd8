//! A build by the engine's first builder, which every engine has. It knows no build secrets.

use std::pin::pin;
use std::time::Duration;

use bollard::errors::Error;
use bollard::query_parameters::BuildImageOptions;
use bollard::{body_try_stream, models::BuildInfo};
use futures_util::StreamExt;
use tokio::time::timeout;

use super::build_log::BuildLog;
use super::build_output::BuildOutput;
use super::build_request::{BuildRequest, BuiltImage};
use super::context_stream::context_stream;
use super::image_engine::{ImageEngine, error_text};
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;

/// How long a build may say nothing. Ours: a step that compiles may be silent for long.
const SILENCE: Duration = Duration::from_secs(30 * 60);

impl ImageEngine {
    /// Builds an image. Dropping the future stops the build, and the engine removes its containers.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::BuildFailed`] with the step, its exit code and its last lines; others, if the context
    /// cannot be read, the disk is full, or a registry refused the base.
    pub async fn build(
        &self,
        request: &BuildRequest,
        run: &ImageRun,
    ) -> Result<BuiltImage, ImageFailure> {
        let mut log = BuildLog::new(run.events.clone(), run.masker.clone());
        let (context, outcome) = context_stream(request.context.clone(), request.time_s);
        let options = self.options(request);
        let answer = self.client().build_image(options, None, Some(body_try_stream(context)));
        let read = read_answer(answer, &mut log).await;
        // What went wrong on our side explains what the engine says about it.
        if let Some(error) = outcome.take() {
            return Err(error.into());
        }
        let (steps, cached) = log.counts();
        match read {
            Ok(Some(id)) => Ok(BuiltImage { id, tag: request.tag.clone(), steps, cached }),
            Ok(None) => Err(ImageFailure::BuildFailed {
                what: log.failed("the engine ended its answer with neither an image nor an error"),
                hint: "look whether dockerd was restarted, and at its log; then try again"
                    .to_owned(),
            }),
            Err(error) => Err(failure(&log, &error)),
        }
    }

    fn options(&self, request: &BuildRequest) -> BuildImageOptions {
        let is_foreign = request.architecture != self.facts().architecture;
        BuildImageOptions {
            dockerfile: request.dockerfile.clone(),
            t: Some(request.tag.clone()),
            buildargs: Some(request.arguments.clone()).filter(|arguments| !arguments.is_empty()),
            nocache: request.without_cache,
            // Containers of steps go, whatever comes of the steps.
            rm: true,
            forcerm: true,
            platform: match is_foreign {
                true => format!("linux/{}", request.architecture),
                false => String::new(),
            },
            ..BuildImageOptions::default()
        }
    }
}

/// Why the answer of the engine is no image.
enum AnswerError {
    Engine(Error),
    Silent,
}

/// The id of the image, if the engine told one.
async fn read_answer(
    answer: impl futures_util::Stream<Item = Result<BuildInfo, Error>>,
    log: &mut BuildLog,
) -> Result<Option<String>, AnswerError> {
    let mut answer = pin!(answer);
    let mut output = BuildOutput::default();
    let mut id = None;
    let read = loop {
        match timeout(SILENCE, answer.next()).await {
            Err(_) => break Err(AnswerError::Silent),
            Ok(None) => break Ok(id),
            Ok(Some(Err(error))) => break Err(AnswerError::Engine(error)),
            Ok(Some(Ok(event))) => {
                if let Some(text) = event.stream {
                    output.take(&text, log);
                }
                // A pull of the base.
                if let Some(status) = event.status.filter(|_| event.progress_detail.is_none()) {
                    log.line(crate::event::OutputStream::Stdout, &status);
                }
                // Steps of a build with several stages tell ids, too; the last one is the image.
                id = event.aux.and_then(|image| image.id).or(id);
            }
        }
    };
    output.end(log);
    read
}

fn failure(log: &BuildLog, error: &AnswerError) -> ImageFailure {
    let said = match error {
        AnswerError::Silent => {
            let what = log.failed(&format!("the engine said nothing for {} s", SILENCE.as_secs()));
            let hint = "let the step write something now and then".to_owned();
            return ImageFailure::BuildFailed { what, hint };
        }
        AnswerError::Engine(Error::DockerStreamError { error }) => error.clone(),
        AnswerError::Engine(Error::DockerResponseServerError { message, .. }) => message.clone(),
        AnswerError::Engine(other) => {
            let what = log.failed(&format!("the engine ended its answer: {}", error_text(other)));
            let hint =
                "look whether dockerd was restarted, and at its log; then try again".to_owned();
            return ImageFailure::BuildFailed { what, hint };
        }
    };
    let (what, said) = (log.failed(&said), said.to_ascii_lowercase());
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["no space left on device"]) {
        let hint = "`docker system df` tells what uses the disk, `docker image prune` frees some";
        return ImageFailure::EngineUnusable { what, hint: hint.to_owned() };
    }
    if has(&[
        "unauthorized",
        "no basic auth credentials",
        "access denied",
        "access to the resource is denied",
    ]) {
        let hint = "pull the base on the engine first, or log in there".to_owned();
        return ImageFailure::RegistryDenied { what, hint };
    }
    let hint = match exit_code(&said) {
        Some(code) => {
            format!("the command of this step ended with {code}; its last lines stand above")
        }
        None if has(&["requires buildkit"]) => {
            "the engine's first builder has no `--mount` and no heredocs".to_owned()
        }
        None if has(&["copy failed", "add failed", "file not found"]) => {
            "look at the paths, and at `.dockerignore`".to_owned()
        }
        None => "correct the Dockerfile".to_owned(),
    };
    ImageFailure::BuildFailed { what, hint }
}

/// The exit code that the words of an engine tell: of the first builder, or of BuildKit.
fn exit_code(said: &str) -> Option<u32> {
    ["returned a non-zero code: ", "exit code: "].into_iter().find_map(|words| {
        let (_, after) = said.split_once(words)?;
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        after[..end].parse().ok()
    })
}

#[cfg(test)]
#[path = "classic_build_tests.rs"]
mod tests;
