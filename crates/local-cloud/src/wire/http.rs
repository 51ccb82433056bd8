//! From an HTTP request to an answer: route, verify, read, act, write. Faults on the wire are
//! played here; what an operation does is none of its business.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use serde_json::json;
use tokio::time::timeout;

use super::calendar;
use super::connection::ConnectionControl;
use super::control;
use super::exception::ServiceException;
use super::page_guard::keep_pages_out;
use super::query;
use super::service::{CloudService, OperationOutput, ServiceAnswer, ServiceOperation, TARGET};
use super::signature::{self, SignatureTimes, UnverifiedRequest, VerifiedSigner};
use crate::actions::{EcsAction, RequestContext, concerned, perform_of_logs};
use crate::cloud::CloudInstance;
use crate::fault::{CallEffect, CloudFault, ObservedCall};
use crate::record;
use crate::state::random;

/// Longest request body; the longest that makes sense is a task definition of 64 KiB.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Longest time a body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// What becomes of a request.
enum EndpointReply {
    Answer(ServiceAnswer),
    /// As above, byte by byte with this pause between.
    Trickle(ServiceAnswer, Duration),
    /// Its connection is reset.
    Reset,
}

/// Answers one request.
pub async fn handle(
    State(cloud): State<Arc<CloudInstance>>,
    ConnectInfo(link): ConnectInfo<ConnectionControl>,
    request: Request,
) -> Response {
    // The answer before may have trickled.
    link.flow();
    let (parts, body) = request.into_parts();
    let body = match receive(body).await {
        Ok(body) => body,
        Err(refusal) => return respond(&cloud, CloudService::Ecs.refusal(&refusal)),
    };
    if control::is_for(parts.uri.path()) {
        return control::answer(&cloud, &link, &parts, &body);
    }
    let call = ServiceOperation::of(&parts.headers, &body);
    if let Err(refused) = keep_pages_out(&parts, link.listens_on()) {
        let refusal = ServiceException::new("AccessDeniedException", refused.to_string());
        return respond(&cloud, call.service.refusal(&ServiceException { status: 403, ..refusal }));
    }
    let signed = UnverifiedRequest {
        method: &parts.method,
        uri: &parts.uri,
        headers: &parts.headers,
        body: &body,
    };
    // Whoever signs lives by the clock of this machine, however far the cloud's was moved, unless it
    // took the time from the `Date` of an answer, as some SDKs do.
    let verify = |signing| {
        let times = SignatureTimes { signing, expiry: cloud.clock.now() };
        signature::verify(&signed, call.service, &cloud.keys, times)
    };
    let signer = verify(cloud.clock.machine())
        .or_else(|refusal| verify(cloud.clock.now()).map_err(|_| refusal));
    let known = signer.as_ref().ok();
    let request = record::RequestRecord {
        number: 0,
        operation: call.operation.clone(),
        service: call.service.name(),
        access_key_id: known.map(|signer| signer.access_key_id.clone()).unwrap_or_default(),
        region: known.map(|signer| signer.region.clone()).unwrap_or_default(),
        body: call.service.recorded(&body),
        time: cloud.clock.now(),
        status: None,
    };
    let number = cloud.requests.came(request, body.len());
    let reply = match route(&parts.method, parts.uri.path()).and(signer) {
        Ok(signer) => perform(&cloud, &call, &signer, &body, number).await,
        Err(refusal) => EndpointReply::Answer(call.service.refusal(&refusal)),
    };
    match reply {
        EndpointReply::Answer(answer) => {
            cloud.requests.answered(number, answer.status);
            respond(&cloud, answer)
        }
        EndpointReply::Trickle(answer, pause) => {
            cloud.requests.answered(number, answer.status);
            link.trickle(&cloud.clock, pause);
            respond(&cloud, answer)
        }
        EndpointReply::Reset => {
            link.cut();
            respond(&cloud, call.service.shaped(500, String::new()))
        }
    }
}

async fn receive(body: Body) -> Result<Bytes, ServiceException> {
    let refuse = |status, code: &str, message: String| ServiceException {
        status,
        ..ServiceException::new(code, message)
    };
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
fn route(method: &Method, path: &str) -> Result<(), ServiceException> {
    if *method == Method::POST && path == "/" {
        return Ok(());
    }
    let message = format!("{method} {path} is no ECS request; all of them are POST /.");
    Err(ServiceException {
        status: 404,
        ..ServiceException::new("UnknownOperationException", message)
    })
}

/// Plays the fault of this call, if it has one, around what the operation does.
async fn perform(
    cloud: &Arc<CloudInstance>,
    call: &ServiceOperation,
    signer: &VerifiedSigner,
    body: &[u8],
    number: u64,
) -> EndpointReply {
    let service = call.service;
    let refuse = |refusal: &ServiceException| EndpointReply::Answer(service.refusal(refusal));
    let mut clearing = cloud.faults.clearing();
    let CallEffect { fault, view, until } = meet(cloud, call, &signer.region, body, number);
    match &fault {
        Some(CloudFault::Exception { status, code, message }) => {
            return refuse(&ServiceException {
                status: *status,
                ..ServiceException::new(code, message)
            });
        }
        Some(CloudFault::KeyExpires) => {
            cloud.keys.expire(&signer.access_key_id, cloud.clock.now());
            return refuse(&ServiceException::expired());
        }
        Some(CloudFault::Answer { status, body }) => {
            return EndpointReply::Answer(service.shaped(*status, body.clone()));
        }
        Some(CloudFault::LostRequest) => return EndpointReply::Reset,
        Some(CloudFault::Hang) => tokio::select! {
            // An error means that the cloud itself is going, and the connection with it.
            changed = clearing.changed() => if changed.is_err() { return EndpointReply::Reset },
            () = over(cloud, until) => {}
        },
        _ => {}
    }
    if !cloud.buckets.call(&signer.region, &call.operation, cloud.clock.now()) {
        return refuse(&ServiceException::throttled());
    }
    let scene = RequestContext {
        cloud,
        region: &signer.region,
        now: cloud.clock.now(),
        fault: fault.as_ref(),
        view,
        principal: &signer.principal,
    };
    let outcome = act(call, body, &scene).map(|done| match (&fault, done) {
        (Some(CloudFault::Altered(edit)), OperationOutput::Json(mut body)) => {
            edit.apply(&mut body);
            OperationOutput::Json(body)
        }
        (_, done) => done,
    });
    let answer = match outcome {
        Ok(done) => service.answer(&call.operation, done),
        Err(refusal) => service.refusal(&refusal),
    };
    match fault {
        Some(CloudFault::Slow(delay)) => cloud.clock.sleep(delay).await,
        Some(CloudFault::Trickle(pause)) => return EndpointReply::Trickle(answer, pause),
        Some(CloudFault::LostAnswer) => return EndpointReply::Reset,
        _ => {}
    }
    EndpointReply::Answer(answer)
}

/// Asks the rules about this call.
fn meet(
    cloud: &CloudInstance,
    call: &ServiceOperation,
    region: &str,
    body: &[u8],
    number: u64,
) -> CallEffect {
    let operation = call.operation.as_str();
    let tasks = match cloud.faults.ask_for_tasks(operation) {
        true => concerned(&mut cloud.state(), region, operation, &call.service.recorded(body)),
        false => Vec::new(),
    };
    cloud
        .faults
        .meet(&ObservedCall { operation, request: number, tasks: &tasks }, cloud.clock.now())
}

/// Waits until a rule's time is over, if it has an end.
async fn over(cloud: &CloudInstance, until: Option<SystemTime>) {
    match until {
        Some(until) => cloud.clock.sleep_until(until).await,
        None => pending().await,
    }
}

fn act(
    call: &ServiceOperation,
    body: &[u8],
    scene: &RequestContext<'_>,
) -> Result<OperationOutput, ServiceException> {
    if matches!(call.service, CloudService::Ec2 | CloudService::Sts) {
        scene.allowed(&call.right(), None)?;
        let members = query::members(body);
        return crate::actions::query::perform(call, &members, scene).map(OperationOutput::Xml);
    }
    if call.operation.is_empty() {
        return Err(ServiceException::new(
            "UnknownOperationException",
            format!("The header X-Amz-Target names no operation of {TARGET}*"),
        ));
    }
    let body = match body {
        [] => json!({}),
        bytes => serde_json::from_slice(bytes)
            .map_err(|error| ServiceException::new("SerializationException", error.to_string()))?,
    };
    if call.service == CloudService::Logs {
        return perform_of_logs(&call.operation, body, scene).map(OperationOutput::Json);
    }
    let action = EcsAction::decode(&call.operation, body)?;
    scene.allowed(&call.right(), Some("*"))?;
    action.perform(scene).map(OperationOutput::Json)
}

fn respond(cloud: &CloudInstance, answer: ServiceAnswer) -> Response {
    Response::builder()
        .header(header::DATE, calendar::http_date(cloud.clock.now()))
        .status(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header(header::CONTENT_TYPE, answer.content_type)
        .header("x-amzn-RequestId", random::uuid())
        .body(Body::from(answer.body))
        .expect("a status and plain headers make a response")
}
