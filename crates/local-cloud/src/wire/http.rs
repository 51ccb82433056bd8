//! From an HTTP request to an answer: route, verify, read, act, write. Faults on the wire are
//! played here; what an operation does is none of its business.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::connection::Link;
use super::query;
use super::refusal::Refusal;
use super::service::{Answer, Call, Done, Service, TARGET};
use super::signature::{self, Signed, Signer};
use crate::actions::{Action, Scene};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::record;
use crate::state::random;

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
    let body = match receive(body).await {
        Ok(body) => body,
        Err(refusal) => return respond(Service::Ecs.refusal(&refusal)),
    };
    let call = Call::of(&parts.headers, &body);
    let signed =
        Signed { method: &parts.method, uri: &parts.uri, headers: &parts.headers, body: &body };
    let signer = signature::verify(&signed, call.service, &cloud.keys, cloud.clock.now());
    let known = signer.as_ref().ok();
    let request = record::Request {
        operation: call.operation.clone(),
        service: call.service.name(),
        access_key_id: known.map(|signer| signer.access_key_id.clone()).unwrap_or_default(),
        region: known.map(|signer| signer.region.clone()).unwrap_or_default(),
        body: call.service.recorded(&body),
        time: cloud.clock.now(),
        status: None,
    };
    let number = cloud.requests.came(request, body.len());
    let answered = match route(&parts.method, parts.uri.path()).and(signer) {
        Ok(signer) => perform(&cloud, &call, &signer, &body).await,
        Err(refusal) => Some(call.service.refusal(&refusal)),
    };
    if let Some(answer) = answered {
        cloud.requests.answered(number, answer.status);
        return respond(answer);
    }
    link.cut();
    respond(call.service.shaped(500, String::new()))
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

/// All of each service is one address.
fn route(method: &Method, path: &str) -> Result<(), Refusal> {
    if *method == Method::POST && path == "/" {
        return Ok(());
    }
    let message = format!("{method} {path} is no ECS request; all of them are POST /.");
    Err(Refusal { status: 404, ..Refusal::new("UnknownOperationException", message) })
}

/// Plays the fault of this call, if it has one, around what the operation does. `None` when the
/// connection is to be closed without an answer.
async fn perform(cloud: &Arc<Cloud>, call: &Call, signer: &Signer, body: &[u8]) -> Option<Answer> {
    let service = call.service;
    let mut clearing = cloud.faults.clearing();
    let fault = cloud.faults.take(&call.operation);
    match fault {
        Some(Fault::Exception { status, code, message }) => {
            let refusal = Refusal { status, ..Refusal::new(&code, message) };
            return Some(service.refusal(&refusal));
        }
        Some(Fault::Answer { status, body }) => return Some(service.shaped(status, body)),
        // An error means that the cloud itself is going, and the connection with it.
        Some(Fault::Hang) => clearing.changed().await.ok()?,
        _ => {}
    }
    let scene = Scene {
        cloud,
        region: &signer.region,
        now: cloud.clock.now(),
        fault: fault.as_ref(),
        principal: &signer.principal,
    };
    let outcome = act(call, body, &scene);
    match fault {
        Some(Fault::Slow(delay)) => sleep(delay).await,
        Some(Fault::LostAnswer) => return None,
        _ => {}
    }
    Some(match outcome {
        Ok(done) => service.answer(&call.operation, done),
        Err(refusal) => service.refusal(&refusal),
    })
}

fn act(call: &Call, body: &[u8], scene: &Scene<'_>) -> Result<Done, Refusal> {
    if call.service != Service::Ecs {
        scene.allowed(&call.right(), None)?;
        let members = query::members(body);
        return crate::actions::query::perform(call, &members, scene).map(Done::Xml);
    }
    if call.operation.is_empty() {
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
    let action = Action::decode(&call.operation, body)?;
    scene.allowed(&call.right(), Some("*"))?;
    action.perform(scene).map(Done::Json)
}

fn respond(answer: Answer) -> Response {
    Response::builder()
        .status(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header(header::CONTENT_TYPE, answer.content_type)
        .header("x-amzn-RequestId", random::uuid())
        .body(Body::from(answer.body))
        .expect("a status and plain headers make a response")
}
