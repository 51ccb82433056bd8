//! What operators change: whether new jobs are taken. And the audit log, where each change stands before it
//! is made; and what browsers report.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use fargate_history::{AuditEntry, AuditRecord};
use fargate_model::text::error_chain;
use fargate_state::{JobAdmission, JobHoldKind};
use serde::Serialize;

use super::AnyRefusal;
use crate::access::{PAGE_PROOF_HEADER, RequestCaller};
use crate::answer_cache::CachedAnswer;
use crate::clock::now_ms;
use crate::request_body::{self, ChangeBody};
use crate::request_parts::RawQueryText;
use crate::status_service::unread;
use crate::{ApiProblem, StatusService};

type Service = State<Arc<StatusService>>;

/// Entries of one page of the audit log.
const AUDIT_PAGE: usize = 500;

/// Whether new jobs are taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct IntakeAnswer {
    /// `open`, `paused` or `draining`.
    state: &'static str,
    /// Who stopped it.
    who: Option<String>,
    /// Why.
    note: Option<String>,
    /// Since when, in milliseconds since 1970.
    since_ms: Option<u64>,
}

impl IntakeAnswer {
    fn of(admission: JobAdmission) -> Self {
        match admission {
            JobAdmission::Open => Self { state: "open", who: None, note: None, since_ms: None },
            JobAdmission::Held(hold) => Self {
                state: match hold.hold {
                    JobHoldKind::Pause => "paused",
                    JobHoldKind::Drain => "draining",
                },
                who: Some(hold.who),
                note: Some(hold.note),
                since_ms: Some(hold.since_unix_s.saturating_mul(1000)),
            },
            JobAdmission::Unreadable { what, .. } => {
                Self { state: "paused", who: None, note: Some(what), since_ms: None }
            }
        }
    }
}

/// A change of whether new jobs are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IntakeChange {
    /// No new jobs for some time.
    Pause,
    /// No new jobs, so that the host becomes idle.
    Drain,
    /// New jobs again.
    Resume,
}

impl IntakeChange {
    fn action(self) -> &'static str {
        match self {
            Self::Pause => "host.pause",
            Self::Drain => "host.drain",
            Self::Resume => "host.resume",
        }
    }
}

/// Reads the fields of a change, if the caller may make one.
pub(crate) async fn allowed(
    service: &StatusService,
    caller: &RequestCaller,
    headers: &HeaderMap,
    body: Body,
) -> Result<ChangeBody, ApiProblem> {
    let fields = request_body::fields(headers, body).await?;
    let header = headers.get(PAGE_PROOF_HEADER).and_then(|proof| proof.to_str().ok());
    let proof = header.or_else(|| Some(fields.csrf.as_str()).filter(|proof| !proof.is_empty()));
    service.policy.may_change(caller, proof)?;
    Ok(fields)
}

/// Makes the change, once it stands in the audit log.
pub(crate) async fn change_intake(
    service: &Arc<StatusService>,
    caller: &RequestCaller,
    change: IntakeChange,
    note: String,
) -> Result<IntakeAnswer, ApiProblem> {
    let who = format!("{} by the status page", caller.name());
    let entry = AuditEntry {
        at_ms: now_ms(),
        host: service.settings.host.clone(),
        who: caller.name().to_owned(),
        action: change.action().to_owned(),
        object: service.settings.host.clone(),
        details: serde_json::json!({ "note": fargate_model::text::escape_within(&note, 200) }),
    };
    let service = Arc::clone(service);
    let worker = Arc::clone(&service);
    let work = async move {
        let host = worker.host.as_ref().ok_or_else(no_host)?;
        worker.history()?.add_audit(&entry).await.map_err(unread)?;
        let done = match change {
            IntakeChange::Pause => host.hold(JobHoldKind::Pause, &who, &note).await,
            IntakeChange::Drain => host.hold(JobHoldKind::Drain, &who, &note).await,
            IntakeChange::Resume => host.resume(&who).await.map(|_| host.admission()),
        };
        done.map_err(|error| ApiProblem::NotDone(error_chain(&error)))
    };
    let admission = service.work(work).await?;
    service.forget_answers();
    Ok(IntakeAnswer::of(admission))
}

fn no_host() -> ApiProblem {
    ApiProblem::NotConfigured(
        "this host has no state folder that can be used, so it takes no jobs; see \
         `fargate-runner config show`"
            .to_owned(),
    )
}

/// Let new jobs wait; running jobs go on
#[utoipa::path(post, path = "/api/v1/intake/pause", tag = "changes", request_body = ChangeBody,
    responses((status = 200, body = IntakeAnswer), AnyRefusal))]
pub(crate) async fn pause(
    State(service): Service,
    caller: RequestCaller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<IntakeAnswer>, ApiProblem> {
    let fields = allowed(&service, &caller, &headers, body).await?;
    change_intake(&service, &caller, IntakeChange::Pause, fields.note).await.map(Json)
}

/// Let new jobs wait, so that the host becomes idle
#[utoipa::path(post, path = "/api/v1/intake/drain", tag = "changes", request_body = ChangeBody,
    responses((status = 200, body = IntakeAnswer), AnyRefusal))]
pub(crate) async fn drain(
    State(service): Service,
    caller: RequestCaller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<IntakeAnswer>, ApiProblem> {
    let fields = allowed(&service, &caller, &headers, body).await?;
    change_intake(&service, &caller, IntakeChange::Drain, fields.note).await.map(Json)
}

/// Take new jobs again
#[utoipa::path(post, path = "/api/v1/intake/resume", tag = "changes", request_body = ChangeBody,
    responses((status = 200, body = IntakeAnswer), AnyRefusal))]
pub(crate) async fn resume(
    State(service): Service,
    caller: RequestCaller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<IntakeAnswer>, ApiProblem> {
    let fields = allowed(&service, &caller, &headers, body).await?;
    change_intake(&service, &caller, IntakeChange::Resume, fields.note).await.map(Json)
}

/// Entries of the audit log.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct AuditAnswer {
    /// Oldest first; each holds the hash of the one before it.
    #[schema(value_type = Vec<Object>)]
    entries: Vec<AuditRecord>,
    /// The `after` of the next page, if there may be one.
    next: Option<u64>,
}

/// Who launched, stopped and changed what; for operators
#[utoipa::path(get, path = "/api/v1/audit", tag = "changes",
    params(("after" = Option<u64>, Query, description = "The `next` of the page before")),
    responses((status = 200, body = AuditAnswer), (status = 304, description = "As the ETag says"), AnyRefusal))]
pub(crate) async fn audit(
    State(service): Service,
    caller: RequestCaller,
    RawQueryText(query): RawQueryText,
    headers: HeaderMap,
) -> Result<Response, ApiProblem> {
    if !caller.is_operator() {
        let refused = || ApiProblem::NotAllowed(caller.name().to_owned());
        return Err(caller.role().map_or(ApiProblem::NotSignedIn, |_| refused()));
    }
    let given = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "after");
    let after = given.filter(|(_, value)| !value.is_empty()).map(|(_, value)| {
        let number = value.parse().ok().filter(|number| i64::try_from(*number).is_ok());
        number.ok_or_else(|| ApiProblem::bad_parameter("after", &value, "the `next` of a page"))
    });
    let after: u64 = after.transpose()?.unwrap_or_default();
    let worker = Arc::clone(&service);
    let read =
        async move { worker.history()?.audit_after(after, AUDIT_PAGE).await.map_err(unread) };
    let entries = service.work(read).await?;
    let is_full = entries.len() == AUDIT_PAGE;
    let next = entries.last().map(|entry| entry.sequence).filter(|_| is_full);
    // It is read each time: what was changed a moment ago must be in it.
    Ok(CachedAnswer::json(&AuditAnswer { entries, next })?.respond(&headers))
}

/// What browsers reported.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct CspReportsAnswer {
    /// How many reports there were since this process began.
    count: u64,
    /// The last ones, cut.
    reports: Vec<String>,
}

/// Report that a page broke the content security policy; browsers do it
#[utoipa::path(post, path = "/api/v1/csp-report", tag = "service",
    request_body(content = Value, content_type = "application/json"),
    responses((status = 204, description = "Taken"), AnyRefusal))]
pub(crate) async fn csp_report(
    State(service): Service,
    body: Body,
) -> Result<StatusCode, ApiProblem> {
    service.csp_reports.add(&request_body::read(body).await?);
    Ok(StatusCode::NO_CONTENT)
}

/// Reports of browsers about pages that broke the content security policy
#[utoipa::path(get, path = "/api/v1/csp-report", tag = "service",
    responses((status = 200, body = CspReportsAnswer), AnyRefusal))]
pub(crate) async fn csp_reports(
    State(service): Service,
    caller: RequestCaller,
) -> Result<Json<CspReportsAnswer>, ApiProblem> {
    if !caller.is_signed_in() {
        return Err(ApiProblem::NotSignedIn);
    }
    let (count, reports) = service.csp_reports.all();
    Ok(Json(CspReportsAnswer { count, reports }))
}

/// A response without a body that leads to another page.
pub(crate) fn see_other(path: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(location) = path.parse() {
        response.headers_mut().insert(axum::http::header::LOCATION, location);
    }
    response
}
