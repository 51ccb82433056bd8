//! From an HTTP request to an answer: route, verify, read, act, write. Faults on the wire are
//! played here; what an operation does is none of its business.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::connection::Link;
use super::refusal::Refusal;
use super::signature::{self, Signed};
use crate::actions::{Action, Outcome};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::record;
use crate::state::random;

/// What stands before the operation in `X-Amz-Target`.
const TARGET: &str = "AmazonEC2ContainerServiceV20141113.";
/// Longest request body; the longest that makes sense is a task definition of 64 KiB.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Longest time a body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// Answers one request.
pub async fn handle(
    State(cloud): State<Arc<Cloud>>,
    ConnectInfo(link): ConnectInfo<Link>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let operation = operation(&parts.headers).to_owned();
    let body = match receive(body).await {
        Ok(body) => body,
        Err(refusal) => return answer(refusal.status, refusal.body()),
    };
    let signed =
        Signed { method: &parts.method, uri: &parts.uri, headers: &parts.headers, body: &body };
    let region = signature::verify(&signed, &cloud.keys, cloud.clock.now());
    let request = record::Request {
        operation: operation.clone(),
        region: region.clone().unwrap_or_default(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        time: cloud.clock.now(),
        status: None,
    };
    let number = cloud.requests.came(request, body.len());
    let answered = match route(&parts.method, parts.uri.path()).and(region) {
        Ok(region) => perform(&cloud, &operation, &region, &body).await,
        Err(refusal) => Some(answer(refusal.status, refusal.body())),
    };
    if let Some(response) = answered {
        cloud.requests.answered(number, response.status().as_u16());
        return response;
    }
    link.cut();
    answer(500, json!({}))
}

/// The part of `X-Amz-Target` after the dot; empty for another service or none.
fn operation(headers: &HeaderMap) -> &str {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    target.and_then(|target| target.strip_prefix(TARGET)).unwrap_or_default()
}

async fn receive(body: Body) -> Result<Bytes, Refusal> {
    let refuse =
        |status, code: &str, message: String| Refusal { status, ..Refusal::new(code, message) };
    match timeout(BODY_DEADLINE, to_bytes(body, MAX_BODY_BYTES)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(refuse(
            413,
            "RequestEntityTooLargeException",
            format!("The request body is longer than {MAX_BODY_BYTES} bytes or was cut off."),
        )),
        Err(_) => Err(refuse(
            408,
            "RequestTimeoutException",
            format!("The request body took longer than {} s.", BODY_DEADLINE.as_secs()),
        )),
    }
}

/// All of ECS is one address.
fn route(method: &Method, path: &str) -> Result<(), Refusal> {
    if *method == Method::POST && path == "/" {
        return Ok(());
    }
    let message = format!("{method} {path} is no ECS request; all of them are POST /.");
    Err(Refusal { status: 404, ..Refusal::new("UnknownOperationException", message) })
}

/// Plays the fault of this call, if it has one, around what the operation does. `None` when the
/// connection is to be closed without an answer.
async fn perform(
    cloud: &Arc<Cloud>,
    operation: &str,
    region: &str,
    body: &[u8],
) -> Option<Response> {
    let mut clearing = cloud.faults.clearing();
    let fault = cloud.faults.take(operation);
    match fault {
        Some(Fault::Exception { status, code, message }) => {
            let refusal = Refusal { status, ..Refusal::new(&code, message) };
            return Some(answer(status, refusal.body()));
        }
        Some(Fault::Answer { status, body }) => return Some(answer_text(status, body)),
        // An error means that the cloud itself is going, and the connection with it.
        Some(Fault::Hang) => clearing.changed().await.ok()?,
        _ => {}
    }
    let outcome = act(cloud, operation, region, body, fault.as_ref());
    match fault {
        Some(Fault::Slow(delay)) => sleep(delay).await,
        Some(Fault::LostAnswer) => return None,
        _ => {}
    }
    Some(match outcome {
        Ok(body) => answer(200, body),
        Err(refusal) => answer(refusal.status, refusal.body()),
    })
}

fn act(
    cloud: &Arc<Cloud>,
    operation: &str,
    region: &str,
    body: &[u8],
    fault: Option<&Fault>,
) -> Outcome {
    if operation.is_empty() {
        return Err(Refusal::new(
            "UnknownOperationException",
            format!("The header X-Amz-Target names no operation of {TARGET}*"),
        ));
    }
    let body = match body {
        [] => json!({}),
        bytes => serde_json::from_slice(bytes)
            .map_err(|error| Refusal::new("SerializationException", error.to_string()))?,
    };
    Action::decode(operation, body)?.perform(cloud, region, fault)
}

fn answer(status: u16, body: Value) -> Response {
    answer_text(status, body.to_string())
}

fn answer_text(status: u16, body: String) -> Response {
    Response::builder()
        .status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header(header::CONTENT_TYPE, "application/x-amz-json-1.1")
        .header("x-amzn-RequestId", random::uuid())
        .body(Body::from(body))
        .expect("a status and plain headers make a response")
}
