//! What happens to each request before and after its handler: hosts and sites are checked, the caller is
//! judged, and each answer gets the headers that keep a browser from doing more than our pages ask.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::access::ConnectionEnds;
use crate::request_parts::wants_page;
use crate::{ApiProblem, StatusService};

/// How long a handler may take before its answer begins.
const HANDLER_TIME: Duration = Duration::from_secs(20);

/// Nothing from elsewhere, nothing inline.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'; report-uri /api/v1/csp-report";

/// Headers of every answer.
const HEADERS: [(&str, &str); 8] = [
    ("content-security-policy", CONTENT_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    // With `no-referrer`, browsers post forms with `Origin: null`, which is refused. Other sites get no referrer either way.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
    ("x-robots-tag", "noindex"),
];

/// Judges a request, answers it, and adds the headers.
pub(crate) async fn guard(
    State(service): State<Arc<StatusService>>,
    request: Request,
    next: Next,
) -> Response {
    let is_page = wants_page(request.method(), request.uri().path(), request.headers());
    let judged = judge(&service, request);
    let mut response = match judged {
        Err(problem) => refusal(&service, problem, is_page),
        Ok(request) => match tokio::time::timeout(HANDLER_TIME, next.run(request)).await {
            Ok(response) => response,
            Err(_) => ApiProblem::Late(HANDLER_TIME.as_secs()).into_response(),
        },
    };
    add_headers(response.headers_mut());
    response
}

fn add_headers(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

fn judge(service: &StatusService, request: Request) -> Result<Request, ApiProblem> {
    let (mut parts, body) = request.into_parts();
    if is_health(parts.uri.path()) {
        return Ok(Request::from_parts(parts, body));
    }
    let ends = parts.extensions.get::<ConnectionEnds>().copied();
    let ends = ends.ok_or_else(|| ApiProblem::NotDone("who connected is not known".to_owned()))?;
    service.policy.check_site(&parts, ends)?;
    let caller = service.policy.caller(&parts.headers, ends)?;
    if !is_open(parts.uri.path()) {
        service.policy.may_look(&caller)?;
    }
    parts.extensions.insert(caller);
    Ok(Request::from_parts(parts, body))
}

/// Balancers and watchers ask without a token, by any name. The answer tells nothing.
fn is_health(path: &str) -> bool {
    matches!(path, "/health/live" | "/health/ready")
}

/// What somebody must reach who wants to sign in.
fn is_open(path: &str) -> bool {
    path.starts_with("/static/")
        || matches!(path, "/sign-in" | "/sign-out" | "/favicon.ico" | "/api/v1/session")
        || matches!(path, "/api/v1/csp-report" | "/openapi.json")
}

/// A page of its own for people, a problem for programs.
fn refusal(service: &StatusService, problem: ApiProblem, is_page: bool) -> Response {
    match (is_page, &problem) {
        (true, ApiProblem::NotSignedIn) => crate::pages::to_sign_in(),
        (true, problem) => crate::pages::problem_page(service, problem),
        (false, _) => problem.into_response(),
    }
}
