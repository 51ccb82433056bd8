//! The control endpoint of a running cloud, `/_local`: faults, the clock, and what happened. It shares
//! the listener with the services. Requests here are not signed, so only programs of this machine are
//! answered, and no web page is.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::connection::ConnectionControl;
use super::page_guard::{BrowserRequestError, keep_pages_out};
use crate::clock::epoch_seconds;
use crate::cloud::CloudInstance;
use crate::fault::{FaultCount, FaultRecord, FaultRules, FaultRulesError};
use crate::record::{ContainerRecord, RequestRecord, TaskRecord};
use crate::wire::member::without_nulls;

/// The path of the control endpoint.
const ROOT: &str = "/_local";
/// The header that every change needs. A form of a web page cannot send it, and a script of another
/// site needs a permission for it that this endpoint never gives.
const HEADER: &str = "x-local-cloud";
/// Farthest that one request can move the clock: a leap year.
const FARTHEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// The list of what can be asked here.
const HELP: &str = "\
The control endpoint of this local cloud. A request that changes something needs the header
X-Local-Cloud, with any value.

  GET    /_local/faults    the rules, and how often each was used
  PUT    /_local/faults    replaces all rules by these
  POST   /_local/faults    adds these rules after the others
  DELETE /_local/faults    removes all rules; hanging calls continue
  GET    /_local/struck    what was injected: rule, call or task, time
  GET    /_local/tasks     every task, oldest first
  GET    /_local/requests  the last requests, oldest first
  GET    /_local/clock     the time in this cloud, and how far it was moved
  POST   /_local/clock     moves the clock forward by a duration, as in 1h30m
";

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
enum ControlEndpointError {
    #[error("the control endpoint answers only this machine; this request came from {0}")]
    Stranger(IpAddr),
    #[error(transparent)]
    Page(#[from] BrowserRequestError),
    #[error("{method} {path} changes the cloud, so the request needs the header X-Local-Cloud: 1")]
    NoHeader { method: Method, path: String },
    #[error("{path} does not exist\n\n{HELP}")]
    NotThere { path: String },
    #[error("{path} does not take {method}; allowed: {allowed}")]
    Method { method: Method, path: String, allowed: &'static str },
    #[error(transparent)]
    Rules(#[from] FaultRulesError),
    #[error(
        "the clock cannot be moved by `{given}`; give a duration of at most 366 days, as in 90s or \
         1h30m"
    )]
    Duration { given: String },
}

impl ControlEndpointError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Stranger(_) | Self::Page(_) | Self::NoHeader { .. } => StatusCode::FORBIDDEN,
            Self::NotThere { .. } => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Rules(_) | Self::Duration { .. } => StatusCode::BAD_REQUEST,
        }
    }
}

/// The answer to a request.
enum ControlEndpointAnswer {
    Text(String),
    Json(Value),
}

/// Whether a request is for this endpoint and for no service.
pub fn is_for(path: &str) -> bool {
    path.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request that came over `link`.
pub fn answer(
    cloud: &Arc<CloudInstance>,
    link: &ConnectionControl,
    parts: &Parts,
    body: &[u8],
) -> Response {
    let told = admit(link, parts).and_then(|()| act(cloud, &parts.method, &parts.uri, body));
    let (status, kind, body) = match told {
        Ok(ControlEndpointAnswer::Text(text)) => {
            (StatusCode::OK, "text/plain; charset=utf-8", text)
        }
        Ok(ControlEndpointAnswer::Json(value)) => {
            (StatusCode::OK, "application/json", format!("{value:#}\n"))
        }
        Err(refused) => (refused.status(), "text/plain; charset=utf-8", format!("{refused}\n")),
    };
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, kind)
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(Body::from(body))
        .expect("a status and plain headers make a response")
}

/// Refuses other machines and web pages.
fn admit(link: &ConnectionControl, parts: &Parts) -> Result<(), ControlEndpointError> {
    // A connection from this machine to one of its own addresses comes from that same address.
    let peer = link.peer().ip().to_canonical();
    if !peer.is_loopback() && peer != link.listens_on().to_canonical() {
        return Err(ControlEndpointError::Stranger(peer));
    }
    keep_pages_out(parts, link.listens_on())?;
    if parts.method != Method::GET && !parts.headers.contains_key(HEADER) {
        let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
        return Err(ControlEndpointError::NoHeader { method, path });
    }
    Ok(())
}

fn act(
    cloud: &CloudInstance,
    method: &Method,
    uri: &Uri,
    body: &[u8],
) -> Result<ControlEndpointAnswer, ControlEndpointError> {
    let path = uri.path();
    let now = cloud.clock.now();
    let other = |allowed| {
        Err(ControlEndpointError::Method { method: method.clone(), path: path.to_owned(), allowed })
    };
    match (path.strip_prefix(ROOT).unwrap_or(path).trim_end_matches('/'), method.as_str()) {
        ("", "GET") => Ok(ControlEndpointAnswer::Text(HELP.to_owned())),
        ("/faults", "PUT") => {
            cloud.faults.replace(FaultRules::from_bytes(body)?, now);
            Ok(faults(cloud))
        }
        ("/faults", "POST") => {
            cloud.faults.add(FaultRules::from_bytes(body)?, now)?;
            Ok(faults(cloud))
        }
        ("/faults", "DELETE") => {
            cloud.faults.clear();
            Ok(faults(cloud))
        }
        ("/faults", "GET") => Ok(faults(cloud)),
        ("/struck", "GET") => {
            Ok(ControlEndpointAnswer::Json(cloud.faults.struck().iter().map(struck).collect()))
        }
        ("/tasks", "GET") => {
            let tasks: Vec<_> = cloud.ecs().tasks().iter().map(|task| task.record()).collect();
            Ok(ControlEndpointAnswer::Json(tasks.iter().map(task).collect()))
        }
        ("/requests", "GET") => {
            Ok(ControlEndpointAnswer::Json(cloud.requests.all().iter().map(request).collect()))
        }
        ("/clock", "GET") => Ok(clock(cloud)),
        ("/clock", "POST") => {
            cloud.clock.advance(duration(body)?);
            Ok(clock(cloud))
        }
        // Known paths with another method; then everything else.
        ("/faults", _) => other("GET, PUT, POST, DELETE"),
        ("/clock", _) => other("GET, POST"),
        ("" | "/struck" | "/tasks" | "/requests", _) => other("GET"),
        _ => Err(ControlEndpointError::NotThere { path: path.to_owned() }),
    }
}

/// The rules, as text that can be given again.
fn faults(cloud: &CloudInstance) -> ControlEndpointAnswer {
    let line = |FaultCount { rule, struck }: FaultCount| {
        let times = if struck == 1 { "time" } else { "times" };
        format!("{rule}  # struck {struck} {times}\n")
    };
    ControlEndpointAnswer::Text(cloud.faults.counts().into_iter().map(line).collect())
}

fn clock(cloud: &CloudInstance) -> ControlEndpointAnswer {
    let (now, moved) = (epoch_seconds(cloud.clock.now()), cloud.clock.moved().as_secs_f64());
    ControlEndpointAnswer::Json(json!({ "now": now, "movedSeconds": moved }))
}

fn duration(body: &[u8]) -> Result<Duration, ControlEndpointError> {
    let given = String::from_utf8_lossy(body);
    let given = given.trim();
    humantime::parse_duration(given.strip_prefix('+').unwrap_or(given))
        .ok()
        .filter(|duration| *duration <= FARTHEST)
        .ok_or_else(|| ControlEndpointError::Duration {
            given: given.escape_debug().take(60).collect(),
        })
}

fn struck(struck: &FaultRecord) -> Value {
    without_nulls(json!({
        "rule": struck.rule,
        "operation": struck.operation,
        "request": struck.request,
        "task": struck.task,
        "time": epoch_seconds(struck.time),
    }))
}

/// Without overrides, which hold secrets of the task and its driver.
fn task(task: &TaskRecord) -> Value {
    let container = |container: &ContainerRecord| {
        without_nulls(json!({
            "name": container.name,
            "lastStatus": container.last_status,
            "exitCode": container.exit_code,
            "reason": container.reason,
        }))
    };
    without_nulls(json!({
        "number": task.number,
        "taskArn": task.arn,
        "job": task.environment.get(crate::services::ecs::state::task::JOB_VARIABLE),
        "startedBy": task.started_by,
        "lastStatus": task.last_status,
        "desiredStatus": task.desired_status,
        "stopCode": task.stop_code,
        "stoppedReason": task.stopped_reason,
        "address": task.address.map(|address| address.to_string()),
        "containers": task.containers.iter().map(container).collect::<Value>(),
        "createdAt": epoch_seconds(task.created_at),
        "startedAt": task.started_at.map(epoch_seconds),
        "stoppedAt": task.stopped_at.map(epoch_seconds),
    }))
}

/// Without its body, which may hold the same secrets.
fn request(request: &RequestRecord) -> Value {
    without_nulls(json!({
        "number": request.number,
        "operation": request.operation,
        "service": request.service,
        "region": request.region,
        "status": request.status,
        "time": epoch_seconds(request.time),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_keep_their_paths() {
        assert!(is_for("/_local") && is_for("/_local/") && is_for("/_local/faults"));
        assert!(!is_for("/") && !is_for("/_locals") && !is_for("/x/_local"));
    }
}
