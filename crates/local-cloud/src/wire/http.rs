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
use super::connection::Link;
use super::control;
use super::page_guard::keep_pages_out;
use super::query;
use super::refusal::Refusal;
use super::service::{Answer, Call, Done, Service, TARGET};
use super::signature::{self, Signed, Signer, Times};
use crate::actions::{Action, Scene, concerned, perform_of_logs};
use crate::cloud::Cloud;
use crate::fault::{Fault, Meeting, Met};
use crate::record;
use crate::state::random;

/// Longest request body; the longest that makes sense is a task definition of 64 KiB.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Longest time a body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// What becomes of a request.
enum Reply {
    Answer(Answer),
    /// As above, byte by byte with this pause between.
    Trickle(Answer, Duration),
    /// Its connection is reset.
    Reset,
}

/// Answers one request.
pub async fn handle(
    State(cloud): State<Arc<Cloud>>,
    ConnectInfo(link): ConnectInfo<Link>,
    request: Request,
) -> Response {
    // The answer before may have trickled.
    link.flow();
    let (parts, body) = request.into_parts();
    let body = match receive(body).await {
        Ok(body) => body,
        Err(refusal) => return respond(&cloud, Service::Ecs.refusal(&refusal)),
    };
    if control::is_for(parts.uri.path()) {
        return control::answer(&cloud, &link, &parts, &body);
    }
    let call = Call::of(&parts.headers, &body);
    if let Err(refused) = keep_pages_out(&parts, link.listens_on()) {
        let refusal = Refusal::new("AccessDeniedException", refused.to_string());
        return respond(&cloud, call.service.refusal(&Refusal { status: 403, ..refusal }));
    }
    let signed =
        Signed { method: &parts.method, uri: &parts.uri, headers: &parts.headers, body: &body };
    // Whoever signs lives by the clock of this machine, however far the cloud's was moved, unless it
    // took the time from the `Date` of an answer, as some SDKs do.
    let verify = |signing| {
        let times = Times { signing, expiry: cloud.clock.now() };
        signature::verify(&signed, call.service, &cloud.keys, times)
    };
    let signer = verify(cloud.clock.machine())
        .or_else(|refusal| verify(cloud.clock.now()).map_err(|_| refusal));
    let known = signer.as_ref().ok();
    let request = record::Request {
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
        Err(refusal) => Reply::Answer(call.service.refusal(&refusal)),
    };
    match reply {
        Reply::Answer(answer) => {
            cloud.requests.answered(number, answer.status);
            respond(&cloud, answer)
        }
        Reply::Trickle(answer, pause) => {
            cloud.requests.answered(number, answer.status);
            link.trickle(&cloud.clock, pause);
            respond(&cloud, answer)
        }
        Reply::Reset => {
            link.cut();
            respond(&cloud, call.service.shaped(500, String::new()))
        }
    }
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

/// Plays the fault of this call, if it has one, around what the operation does.
async fn perform(
    cloud: &Arc<Cloud>,
    call: &Call,
    signer: &Signer,
    body: &[u8],
    number: u64,
) -> Reply {
    let service = call.service;
    let refuse = |refusal: &Refusal| Reply::Answer(service.refusal(refusal));
    let mut clearing = cloud.faults.clearing();
    let Meeting { fault, view, until } = meet(cloud, call, &signer.region, body, number);
    match &fault {
        Some(Fault::Exception { status, code, message }) => {
            return refuse(&Refusal { status: *status, ..Refusal::new(code, message) });
        }
        Some(Fault::KeyExpires) => {
            cloud.keys.expire(&signer.access_key_id, cloud.clock.now());
            return refuse(&Refusal::expired());
        }
        Some(Fault::Answer { status, body }) => {
            return Reply::Answer(service.shaped(*status, body.clone()));
        }
        Some(Fault::LostRequest) => return Reply::Reset,
        Some(Fault::Hang) => tokio::select! {
            // An error means that the cloud itself is going, and the connection with it.
            changed = clearing.changed() => if changed.is_err() { return Reply::Reset },
            () = over(cloud, until) => {}
        },
        _ => {}
    }
    if !cloud.buckets.call(&signer.region, &call.operation, cloud.clock.now()) {
        return refuse(&Refusal::throttled());
    }
    let scene = Scene {
        cloud,
        region: &signer.region,
        now: cloud.clock.now(),
        fault: fault.as_ref(),
        view,
        principal: &signer.principal,
    };
    let outcome = act(call, body, &scene).map(|done| match (&fault, done) {
        (Some(Fault::Altered(edit)), Done::Json(mut body)) => {
            edit.apply(&mut body);
            Done::Json(body)
        }
        (_, done) => done,
    });
    let answer = match outcome {
        Ok(done) => service.answer(&call.operation, done),
        Err(refusal) => service.refusal(&refusal),
    };
    match fault {
        Some(Fault::Slow(delay)) => cloud.clock.sleep(delay).await,
        Some(Fault::Trickle(pause)) => return Reply::Trickle(answer, pause),
        Some(Fault::LostAnswer) => return Reply::Reset,
        _ => {}
    }
    Reply::Answer(answer)
}

/// Asks the rules about this call.
fn meet(cloud: &Cloud, call: &Call, region: &str, body: &[u8], number: u64) -> Meeting {
    let operation = call.operation.as_str();
    let tasks = match cloud.faults.ask_for_tasks(operation) {
        true => concerned(&mut cloud.state(), region, operation, &call.service.recorded(body)),
        false => Vec::new(),
    };
    cloud.faults.meet(&Met { operation, request: number, tasks: &tasks }, cloud.clock.now())
}

/// Waits until a rule's time is over, if it has an end.
async fn over(cloud: &Cloud, until: Option<SystemTime>) {
    match until {
        Some(until) => cloud.clock.sleep_until(until).await,
        None => pending().await,
    }
}

fn act(call: &Call, body: &[u8], scene: &Scene<'_>) -> Result<Done, Refusal> {
    if matches!(call.service, Service::Ec2 | Service::Sts) {
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
    if call.service == Service::Logs {
        return perform_of_logs(&call.operation, body, scene).map(Done::Json);
    }
    let action = Action::decode(&call.operation, body)?;
    scene.allowed(&call.right(), Some("*"))?;
    action.perform(scene).map(Done::Json)
}

fn respond(cloud: &Cloud, answer: Answer) -> Response {
    Response::builder()
        .header(header::DATE, calendar::http_date(cloud.clock.now()))
        .status(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header(header::CONTENT_TYPE, answer.content_type)
        .header("x-amzn-RequestId", random::uuid())
        .body(Body::from(answer.body))
        .expect("a status and plain headers make a response")
}
