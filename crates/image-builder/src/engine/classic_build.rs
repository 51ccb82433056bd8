//! A build by the engine's first builder, which every engine has. It knows no build secrets.

use std::pin::pin;

use bollard::errors::Error;
use bollard::query_parameters::BuildImageOptions;
use bollard::{Docker, body_try_stream, models::BuildInfo};
use futures_util::StreamExt;
use tokio::time::timeout;

use super::build_failure::{AnswerError, SILENCE};
use super::build_log::BuildLog;
use super::build_output::BuildOutput;
use super::build_request::BuildRequest;
use super::context_stream::context_stream;
use super::image_engine::error_text;
use crate::context::ContextError;

/// Builds; gives the id of the image, if the engine told one, and what kept the context from being read.
pub(super) async fn build(
    docker: &Docker,
    platform: Option<String>,
    request: &BuildRequest,
    log: &mut BuildLog,
) -> (Result<Option<String>, AnswerError>, Option<ContextError>) {
    let (context, outcome) = context_stream(request.context.clone(), request.time_s);
    let options = BuildImageOptions {
        dockerfile: request.dockerfile.clone(),
        t: Some(request.tag.clone()),
        buildargs: Some(request.arguments.clone()).filter(|arguments| !arguments.is_empty()),
        networkmode: Some(request.network_mode().to_owned()),
        nocache: request.without_cache,
        // Containers of steps go, whatever comes of the steps.
        rm: true,
        forcerm: true,
        platform: platform.unwrap_or_default(),
        ..BuildImageOptions::default()
    };
    let answer = docker.build_image(options, None, Some(body_try_stream(context)));
    let built = read_answer(answer, log).await;
    (built, outcome.take())
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
            Ok(Some(Err(error))) => break Err(answer_error(&error)),
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

fn answer_error(error: &Error) -> AnswerError {
    match error {
        Error::DockerStreamError { error } => AnswerError::Said(error.clone()),
        Error::DockerResponseServerError { message, .. } => AnswerError::Said(message.clone()),
        other => AnswerError::Lost(error_text(other)),
    }
}
