//! Health, metrics, the caller's own session, and events as they happen.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::AnyRefusal;
use crate::access::RequestCaller;
use crate::access::access_token::AccessRole;
use crate::answer_cache::CachedAnswer;
use crate::metrics::METRICS_TYPE;
use crate::request_parts::RawQueryText;
use crate::status_service::unread;
use crate::{ApiProblem, StatusService, assemble, image_answers};

type Service = State<Arc<StatusService>>;

/// Whether this process answers.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct HealthAnswer {
    /// `ok`; `starting` while there is no history; `stalled` while what jobs do does not reach it.
    status: &'static str,
}

/// Whether this process answers; nothing else is looked at
#[utoipa::path(get, path = "/health/live", tag = "service",
    responses((status = 200, body = HealthAnswer)))]
pub(crate) async fn live() -> Json<HealthAnswer> {
    Json(HealthAnswer { status: "ok" })
}

/// Whether there is a history, and what jobs do reaches it
#[utoipa::path(get, path = "/health/ready", tag = "service",
    responses((status = 200, body = HealthAnswer), (status = 503, body = HealthAnswer)))]
pub(crate) async fn ready(State(service): Service) -> Response {
    let is_stalled = service.ingest().is_some_and(|ingest| ingest.trouble.is_some());
    let not_ready = match service.history() {
        Ok(_) if is_stalled => "stalled",
        Ok(_) => return Json(HealthAnswer { status: "ok" }).into_response(),
        Err(_) => "starting",
    };
    let answer = Json(HealthAnswer { status: not_ready });
    (StatusCode::SERVICE_UNAVAILABLE, answer).into_response()
}

/// What is counted, for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "service",
    responses((status = 200, body = String,
               content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8"),
              (status = 304, description = "As the ETag says"), AnyRefusal))]
pub(crate) async fn metrics(
    State(service): Service,
    headers: HeaderMap,
) -> Result<Response, ApiProblem> {
    let make = |service: Arc<StatusService>| async move {
        for (image, channel, age) in image_answers::ages(&service.settings, SystemTime::now()) {
            let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
            service.metrics.image_age(&image, &channel, age_ms);
        }
        if let Ok(store) = service.history() {
            let mut live = store.live().await.map_err(unread)?;
            // Each host that shares the history counts its own.
            live.retain(|story| story.description.host == service.settings.host);
            let mut states = [("waiting", 0), ("starting", 0), ("running", 0), ("stopping", 0)];
            for (state, count) in &mut states {
                let is = |story: &&_| assemble::state_of(story) == *state;
                *count = live.iter().filter(is).count() as u64;
            }
            service.metrics.tasks(&states);
        }
        let text = service.metrics.text(service.feed.open_streams(), service.csp_reports.all().0);
        Ok(CachedAnswer::new(text, METRICS_TYPE))
    };
    let answer = service.answer("metrics".to_owned(), make).await;
    // Without a history, what is counted is still true.
    let answer = answer.or_else(|problem| match problem {
        ApiProblem::NoHistory(_) => {
            let text =
                service.metrics.text(service.feed.open_streams(), service.csp_reports.all().0);
            Ok(CachedAnswer::new(text, METRICS_TYPE))
        }
        other => Err(other),
    });
    Ok(answer?.respond(&headers))
}

/// Who the caller is.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct SessionAnswer {
    /// The caller's name.
    name: String,
    /// The caller's role, if the caller signed in.
    role: Option<AccessRole>,
    /// What a change needs in the header `X-CSRF-Token`, unless it is sent with a token.
    csrf: String,
    /// The version of this program.
    version: String,
}

/// Who the caller is, and what a change needs
#[utoipa::path(get, path = "/api/v1/session", tag = "service",
    responses((status = 200, body = SessionAnswer), AnyRefusal))]
pub(crate) async fn session(State(service): Service, caller: RequestCaller) -> Json<SessionAnswer> {
    Json(SessionAnswer {
        name: caller.name().to_owned(),
        role: caller.role(),
        csrf: service.policy.page_proof(&caller),
        version: service.settings.version.clone(),
    })
}

/// Events of jobs as they happen, as server-sent events
///
/// `job`: something happened to a job. `heartbeat`: nothing was sent for 5 s. `resync`: events were missed, read the page
/// anew. A stream goes on after the event that the header `Last-Event-ID` or the parameter `after` names.
#[utoipa::path(get, path = "/api/v1/events", tag = "events",
    params(("after" = Option<u64>, Query, description = "Go on after this event"),
           ("job" = Option<String>, Query, description = "Events of this job only: id or key"),
           ("Last-Event-ID" = Option<u64>, Header, description = "Go on after this event")),
    responses((status = 200, description = "Events without end", body = String, content_type = "text/event-stream"),
              AnyRefusal))]
pub(crate) async fn events(
    State(service): Service,
    RawQueryText(query): RawQueryText,
    headers: HeaderMap,
) -> Result<Response, ApiProblem> {
    let given = |wanted: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let found = pairs.find(|(name, value)| name == wanted && !value.is_empty());
        found.map(|(_, value)| value.into_owned())
    };
    let header = headers
        .get("last-event-id")
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let after = header.filter(|value| !value.is_empty()).or_else(|| given("after"));
    let after = after.map(|text| {
        let refused = || ApiProblem::bad_parameter("after", &text, "the id of an event");
        text.parse::<u64>().map_err(|_| refused())
    });
    let job = given("job").map(|job| job.chars().take(100).collect());
    let mut response = service.feed.stream(after.transpose()?, job, service.until.clone())?;
    response.headers_mut().remove(header::ETAG);
    Ok(response)
}
