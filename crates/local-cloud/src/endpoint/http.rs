//! From an HTTP request to an answer: receive, verify, find the service, perform, write. It plays the
//! faults of calls. It does not know what an operation does.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use tokio::time::timeout;

use super::connection::ConnectionControl;
use super::control;
use super::page_guard::keep_pages_out;
use crate::cloud::CloudInstance;
use crate::fault::{CallEffect, CloudFault, ObservedCall};
use crate::random_id;
use crate::record;
use crate::services::ServiceCall;
use crate::services::context::RequestContext;
use crate::services::protocol::{OperationOutput, ServiceAnswer, ServiceProtocol};
use crate::wire::exception::ServiceException;
use crate::wire::signature::{self, SignatureTimes, UnverifiedRequest, VerifiedSigner};
use crate::wire::timestamp;

/// Longest request body; the longest that makes sense is a task definition of 64 KiB.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Longest time a body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// How a request is answered.
enum EndpointReply {
    Answer(ServiceAnswer),
    /// As above, byte by byte, with this pause between two bytes.
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
    // The answer before this one on the same connection may have come byte by byte.
    link.flow();
    let (parts, body) = request.into_parts();
    let body = match receive(body).await {
        Ok(body) => body,
        Err(refusal) => return respond(&cloud, ServiceCall::unnamed().service.refusal(&refusal)),
    };
    if control::is_for(parts.uri.path()) {
        return control::answer(&cloud, &link, &parts, &body);
    }
    // The service is found before anything is checked, because each service writes errors in its own way.
    let call = ServiceCall::of(&parts, &body);
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
    // A client signs by the clock of this machine, however far the cloud's clock was moved. Some SDKs
    // correct their clock by the `Date` of an answer, so the cloud's time is accepted as well.
    let verify = |signing| {
        let times = SignatureTimes { signing, expiry: cloud.clock.now() };
        signature::verify(&signed, call.service.name, &cloud.keys, times)
    };
    let signer = verify(cloud.clock.machine())
        .or_else(|refusal| verify(cloud.clock.now()).map_err(|_| refusal));
    let known = signer.as_ref().ok();
    let request = record::RequestRecord {
        number: 0,
        operation: call.operation.clone(),
        service: call.service.name,
        access_key_id: known.map(|signer| signer.access_key_id.clone()).unwrap_or_default(),
        region: known.map(|signer| signer.region.clone()).unwrap_or_default(),
        body: call.recorded(&body),
        time: cloud.clock.now(),
        status: None,
    };
    // Noted before it is answered, refused requests as well, so that a test sees every request.
    let number = cloud.requests.came(request, body.len());
    let reply = match route(&call, &parts.method, parts.uri.path()).and(signer) {
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
            respond(&cloud, call.service.protocol.shaped(500, String::new()))
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

/// Every operation of a service is at one path, unless the service speaks REST.
fn route(call: &ServiceCall, method: &Method, path: &str) -> Result<(), ServiceException> {
    let is_rest = matches!(call.service.protocol, ServiceProtocol::RestJson { .. });
    if is_rest || *method == Method::POST && path == "/" {
        return Ok(());
    }
    let message =
        format!("{method} {path} is not a request of a service; every such request is POST /.");
    Err(ServiceException {
        status: 404,
        ..ServiceException::new("UnknownOperationException", message)
    })
}

/// Performs the operation, and plays the fault of this call before or after it.
async fn perform(
    cloud: &Arc<CloudInstance>,
    call: &ServiceCall,
    signer: &VerifiedSigner,
    body: &[u8],
    number: u64,
) -> EndpointReply {
    let service = call.service;
    let refuse = |refusal: &ServiceException| EndpointReply::Answer(service.refusal(refusal));
    // Subscribed before the rules are asked, so that a call cannot hang after they were cleared.
    let mut clearing = cloud.faults.clearing();
    let CallEffect { fault, view, until } = meet(cloud, call, &signer.region, body, number);
    // First the faults of a call that has no effect.
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
            return EndpointReply::Answer(service.protocol.shaped(*status, body.clone()));
        }
        Some(CloudFault::LostRequest) => return EndpointReply::Reset,
        Some(CloudFault::Hang) => tokio::select! {
            // An error means that the cloud is being dropped.
            changed = clearing.changed() => if changed.is_err() { return EndpointReply::Reset },
            () = over(cloud, until) => {}
        },
        _ => {}
    }
    // After a hang, so that a token is taken when the call really takes place.
    let rule_name = service.rule_name(&call.operation);
    if !cloud.buckets.call(&signer.region, rule_name, cloud.clock.now()) {
        return refuse(&ServiceException::throttled());
    }
    let context = RequestContext {
        cloud,
        region: &signer.region,
        now: cloud.clock.now(),
        fault: fault.as_ref(),
        view,
        principal: &signer.principal,
        denial_opening: service.denial_opening,
    };
    let done = service.perform(&call.operation, &call.located, body, &context);
    let outcome = done.map(|done| match (&fault, done) {
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
    // The operation has taken effect. These faults are about its answer alone.
    match fault {
        Some(CloudFault::Slow(delay)) => cloud.clock.sleep(delay).await,
        Some(CloudFault::Trickle(pause)) => return EndpointReply::Trickle(answer, pause),
        Some(CloudFault::LostAnswer) => return EndpointReply::Reset,
        _ => {}
    }
    EndpointReply::Answer(answer)
}

/// Asks the fault rules about this call.
fn meet(
    cloud: &CloudInstance,
    call: &ServiceCall,
    region: &str,
    body: &[u8],
    number: u64,
) -> CallEffect {
    let operation = call.service.rule_name(&call.operation);
    let tasks = match cloud.faults.ask_for_tasks(operation) {
        true => {
            let members = call.recorded(body);
            (call.service.tasks_named)(cloud, region, &call.operation, &members)
        }
        false => Vec::new(),
    };
    cloud
        .faults
        .meet(&ObservedCall { operation, request: number, tasks: &tasks }, cloud.clock.now())
}

/// Waits until the rule ends, if it has an end.
async fn over(cloud: &CloudInstance, until: Option<SystemTime>) {
    match until {
        Some(until) => cloud.clock.sleep_until(until).await,
        None => pending().await,
    }
}

fn respond(cloud: &CloudInstance, answer: ServiceAnswer) -> Response {
    let mut response = Response::builder();
    if let Some(error_type) = answer.error_type {
        response = response.header("x-amzn-ErrorType", error_type);
    }
    response
        .header(header::DATE, timestamp::http_date(cloud.clock.now()))
        .status(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header(header::CONTENT_TYPE, answer.content_type)
        .header("x-amzn-RequestId", random_id::uuid())
        .body(Body::from(answer.body))
        .expect("a status and plain headers make a response")
}
