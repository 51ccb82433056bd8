//! A build by BuildKit, which the engine itself contains from 18.09 on. It knows build secrets.
//!
//! The engine's client library knows it only with a second stack for HTTP and TLS, so the request is made
//! here.

use std::io;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::TryStreamExt;
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::build_failure::{AnswerError, SILENCE};
use super::build_log::BuildLog;
use super::build_request::BuildRequest;
use super::build_secrets::BuildSecrets;
use super::buildkit_session;
use super::buildkit_trace::BuildkitTrace;
use super::context_stream::context_stream;
use super::raw_connection::connect;
use crate::context::ContextError;

/// Longest line of the answer, in bytes.
const MAX_LINE: usize = 16 * 1024 * 1024;

/// One line of the engine's answer.
#[derive(Deserialize)]
struct AnswerLine {
    id: Option<String>,
    aux: Option<Value>,
    #[serde(rename = "errorDetail")]
    error: Option<AnswerDetail>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct AnswerDetail {
    message: String,
}

/// Builds; gives the id of the image, if the engine told one, and what kept the context from being read.
pub(super) async fn build(
    address: &str,
    platform: Option<String>,
    request: &BuildRequest,
    secrets: Arc<BuildSecrets>,
    log: &mut BuildLog,
) -> (Result<Option<String>, AnswerError>, Option<ContextError>) {
    let session_id = match fargate_model::random::bytes::<16>() {
        Ok(random) => hex::encode(random),
        Err(error) => return (Err(AnswerError::Lost(error.to_string())), None),
    };
    let session = buildkit_session::serve(address, &session_id, secrets);
    let (context, outcome) = context_stream(request.context.clone(), request.time_s);
    let body = StreamBody::new(context.map_ok(Frame::data));
    let work = async {
        let stream = connect(address).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        let request = Request::post(path(request, platform, &session_id))
            .header("host", "docker")
            .header("content-type", "application/x-tar")
            .body(body)
            .map_err(io::Error::other)?;
        let answered = async {
            let answer = sender.send_request(request).await.map_err(io::Error::other)?;
            Ok(read_answer(answer, log).await)
        };
        tokio::pin!(answered);
        tokio::select! {
            done = &mut answered => done,
            // The connection ended; what it received is still to be read.
            _ = connection => answered.await,
        }
    };
    tokio::pin!(work);
    let built: io::Result<_> = tokio::select! {
        biased;
        built = &mut work => built,
        ended = session => match ended {
            // The engine ends the session when it has built.
            Ok(()) => work.await,
            Err(error) => Err(error),
        },
    };
    let built = built.unwrap_or_else(|error| Err(AnswerError::Lost(error.to_string())));
    (built, outcome.take())
}

/// Path and parameters. The API has no version here: what is asked is the same in all of them.
fn path(request: &BuildRequest, platform: Option<String>, session: &str) -> String {
    let mut query = form_urlencoded::Serializer::new("/build?".to_owned());
    let query = query
        .append_pair("version", "2")
        .append_pair("session", session)
        .append_pair("dockerfile", &request.dockerfile)
        .append_pair("t", &request.tag)
        .append_pair("networkmode", request.network_mode())
        .append_pair("buildargs", &json!(request.arguments).to_string());
    if request.without_cache {
        query.append_pair("nocache", "1");
    }
    if let Some(platform) = platform {
        query.append_pair("platform", &platform);
    }
    query.finish()
}

async fn read_answer(
    answer: Response<Incoming>,
    log: &mut BuildLog,
) -> Result<Option<String>, AnswerError> {
    let is_stream = answer.status().is_success();
    let mut body = answer.into_body();
    let (mut open, mut trace, mut id) = (Vec::new(), BuildkitTrace::default(), None);
    let read = loop {
        let frame = match timeout(SILENCE, body.frame()).await {
            Err(_) => break Err(AnswerError::Silent),
            Ok(None) => break Ok(()),
            Ok(Some(Err(error))) => break Err(AnswerError::Lost(error.to_string())),
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        };
        if let Err(error) = take(&frame, &mut open, &mut trace, &mut id, log) {
            break Err(error);
        }
    };
    // A refusal is one object, and may have no line end.
    let last = take(&Bytes::from_static(b"\n"), &mut open, &mut trace, &mut id, log);
    trace.end(log);
    match read.and(last) {
        Ok(()) if is_stream => Ok(id),
        Ok(()) => Err(AnswerError::Said("the engine refused the build".to_owned())),
        Err(error) => Err(error),
    }
}

/// Takes in the whole lines of what has arrived.
fn take(
    piece: &Bytes,
    open: &mut Vec<u8>,
    trace: &mut BuildkitTrace,
    id: &mut Option<String>,
    log: &mut BuildLog,
) -> Result<(), AnswerError> {
    open.extend_from_slice(piece);
    if open.len() > MAX_LINE {
        return Err(AnswerError::Lost("a line of its answer is too long".to_owned()));
    }
    while let Some(end) = open.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = open.drain(..=end).collect();
        if line.trim_ascii().is_empty() {
            continue;
        }
        let line: AnswerLine = serde_json::from_slice(&line)
            .map_err(|error| AnswerError::Lost(format!("a line that is no JSON: {error}")))?;
        if let Some(said) = line.error.map(|detail| detail.message).or(line.message) {
            return Err(AnswerError::Said(said));
        }
        match (line.id.as_deref(), line.aux) {
            (Some("moby.buildkit.trace"), Some(Value::String(text))) => {
                // A message that cannot be read tells nothing; the result comes by itself.
                trace.take(&STANDARD.decode(text).unwrap_or_default(), log);
            }
            (_, Some(aux)) => *id = aux["ID"].as_str().map(str::to_owned).or(id.take()),
            _ => {}
        }
    }
    Ok(())
}
