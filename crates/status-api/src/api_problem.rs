//! What a request can be refused for, as `application/problem+json` (RFC 9457) with a stable code.
//!
//! One place says how HTTP puts a refusal. Words name what was given, what is allowed and the next step,
//! and never a secret.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fargate_model::text::escape_within;
use serde::Serialize;

/// Most characters of what a client gave that an answer repeats.
const SHOWN: usize = 80;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiProblem {
    /// No such path.
    #[error("there is nothing at this path; /openapi.json lists all paths")]
    UnknownPath,
    /// The path exists, not with this method.
    #[error("this path does not take this method; /openapi.json lists the methods of each path")]
    UnknownMethod,
    /// No such job.
    #[error("no job {0} here; the history keeps jobs for a limited time, so look in the forge")]
    UnknownJob(String),
    /// No such image.
    #[error("this configuration manages no image {0}; /api/v1/images lists them")]
    UnknownImage(String),
    /// No such task.
    #[error(
        "no task {0} of this host; /api/v1/tasks lists its tasks, and only these can be stopped"
    )]
    UnknownTask(String),
    /// The task is not live.
    #[error("task {0} has stopped already")]
    TaskOver(String),
    /// Several jobs have this name.
    #[error("{given} names {count} jobs: {names}; give the whole key")]
    AmbiguousJob {
        /// What was given.
        given: String,
        /// How many jobs it names.
        count: usize,
        /// Some of them.
        names: String,
    },
    /// A parameter whose value cannot be used.
    #[error("the parameter {name} is {given:?}; allowed: {allowed}")]
    BadParameter {
        /// Its name.
        name: &'static str,
        /// What was given.
        given: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The body is not what the path takes.
    #[error("the body cannot be read: {0}")]
    BadBody(String),
    /// The body is too large.
    #[error("the body is larger than {0} bytes")]
    LargeBody(usize),
    /// Nobody signed in.
    #[error(
        "sign in first: send `Authorization: Bearer TOKEN`, or open /sign-in in a browser; \
             `fargate-runner serve token --name NAME` makes a token"
    )]
    NotSignedIn,
    /// The token is not one of the configuration.
    #[error("this token is not in the configuration (`serve.tokens`)")]
    WrongToken,
    /// The role does not allow it.
    #[error("this needs the role operator; {0} has the role viewer")]
    NotAllowed(String),
    /// A browser must prove that its page sent the request.
    #[error("a change needs the header `X-CSRF-Token` with the value that /api/v1/session gives")]
    NoProofOfPage,
    /// The request names another host.
    #[error("the host {0:?} is not one of this server; add it to `serve.allowed_hosts`")]
    WrongHost(String),
    /// A page of another site sent the request.
    #[error(
        "requests of pages of other sites are refused; add the site to `serve.allowed_origins`"
    )]
    OtherSite,
    /// The history cannot be read.
    #[error("the history cannot be read: {0}. Jobs run on without it")]
    NoHistory(String),
    /// Too many open event streams.
    #[error("{0} event streams are open, which is the limit; try again in a few seconds")]
    ManyStreams(usize),
    /// Too many questions are being answered.
    #[error("{0} questions are being answered, which is the limit; try again in a few seconds")]
    ManyQuestions(usize),
    /// Too many failed sign-ins.
    #[error("too many wrong tokens in a short time; try again in a few seconds")]
    ManyAttempts,
    /// The answer was not ready in time.
    #[error("the answer was not ready within {0} s; try again")]
    Late(u64),
    /// What was asked for could not be done.
    #[error("{0}")]
    NotDone(String),
    /// No daemon looks after the tasks of this host.
    #[error(
        "this service looks after no tasks, so it stops none; what it wrote when it started says why. \
             `fargate-runner tasks stop` works without it"
    )]
    NoDaemon,
    /// Too many tasks are to be stopped.
    #[error("{0}; try again in a few seconds")]
    ManyStops(String),
    /// ECS refused, or did not answer.
    #[error("{0}")]
    EcsRefused(String),
    /// Nothing is configured that the request needs.
    #[error("{0}")]
    NotConfigured(String),
}

/// The body of a refusal.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ProblemBody {
    /// `urn:fargate-runner:problem:CODE`.
    r#type: String,
    /// The HTTP status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// A stable code, never renamed.
    code: String,
    /// What happened, and what to do.
    detail: String,
}

impl ApiProblem {
    /// No job has the name `given`.
    #[must_use]
    pub fn unknown_job(given: &str) -> Self {
        Self::UnknownJob(escape_within(given, SHOWN))
    }

    /// This configuration manages no image of the name `given`.
    #[must_use]
    pub fn unknown_image(given: &str) -> Self {
        Self::UnknownImage(escape_within(given, SHOWN))
    }

    /// No task of this host has the id `given`.
    #[must_use]
    pub fn unknown_task(given: &str) -> Self {
        Self::UnknownTask(escape_within(given, SHOWN))
    }

    /// The value `given` of the parameter `name` cannot be used.
    #[must_use]
    pub fn bad_parameter(name: &'static str, given: &str, allowed: &'static str) -> Self {
        Self::BadParameter { name, given: escape_within(given, SHOWN), allowed }
    }

    /// The status of HTTP, and the stable code.
    #[must_use]
    pub fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::UnknownPath => (StatusCode::NOT_FOUND, "unknown-path"),
            Self::UnknownMethod => (StatusCode::METHOD_NOT_ALLOWED, "unknown-method"),
            Self::UnknownJob(_) => (StatusCode::NOT_FOUND, "unknown-job"),
            Self::UnknownImage(_) => (StatusCode::NOT_FOUND, "unknown-image"),
            Self::UnknownTask(_) => (StatusCode::NOT_FOUND, "unknown-task"),
            Self::TaskOver(_) => (StatusCode::CONFLICT, "task-over"),
            Self::NoDaemon => (StatusCode::SERVICE_UNAVAILABLE, "no-daemon"),
            Self::ManyStops(_) => (StatusCode::SERVICE_UNAVAILABLE, "many-stops"),
            Self::EcsRefused(_) => (StatusCode::BAD_GATEWAY, "ecs-refused"),
            Self::AmbiguousJob { .. } => (StatusCode::CONFLICT, "ambiguous-job"),
            Self::BadParameter { .. } => (StatusCode::BAD_REQUEST, "bad-parameter"),
            Self::BadBody(_) => (StatusCode::BAD_REQUEST, "bad-body"),
            Self::LargeBody(_) => (StatusCode::PAYLOAD_TOO_LARGE, "large-body"),
            Self::NotSignedIn => (StatusCode::UNAUTHORIZED, "not-signed-in"),
            Self::WrongToken => (StatusCode::UNAUTHORIZED, "wrong-token"),
            Self::NotAllowed(_) => (StatusCode::FORBIDDEN, "not-allowed"),
            Self::NoProofOfPage => (StatusCode::FORBIDDEN, "no-csrf-token"),
            Self::WrongHost(_) => (StatusCode::MISDIRECTED_REQUEST, "wrong-host"),
            Self::OtherSite => (StatusCode::FORBIDDEN, "other-site"),
            Self::NoHistory(_) => (StatusCode::SERVICE_UNAVAILABLE, "no-history"),
            Self::ManyStreams(_) => (StatusCode::SERVICE_UNAVAILABLE, "many-streams"),
            Self::ManyQuestions(_) => (StatusCode::SERVICE_UNAVAILABLE, "many-questions"),
            Self::ManyAttempts => (StatusCode::TOO_MANY_REQUESTS, "many-attempts"),
            Self::Late(_) => (StatusCode::SERVICE_UNAVAILABLE, "late"),
            Self::NotDone(_) => (StatusCode::CONFLICT, "not-done"),
            Self::NotConfigured(_) => (StatusCode::CONFLICT, "not-configured"),
        }
    }

    /// The body of the answer.
    #[must_use]
    pub fn body(&self) -> ProblemBody {
        let (status, code) = self.status();
        ProblemBody {
            r#type: format!("urn:fargate-runner:problem:{code}"),
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: self.to_string(),
        }
    }
}

impl IntoResponse for ApiProblem {
    fn into_response(self) -> Response {
        let (status, _) = self.status();
        let mut response = (status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        let media = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, media);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match status {
            StatusCode::UNAUTHORIZED => {
                let scheme = HeaderValue::from_static("Bearer realm=\"fargate-runner\"");
                headers.insert(header::WWW_AUTHENTICATE, scheme);
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_gave_is_cut_and_made_harmless() {
        let problem = ApiProblem::unknown_job(&format!("\x1b[2J{}", "x".repeat(500)));
        let detail = problem.body().detail;
        assert!(!detail.contains('\x1b') && detail.len() < 300, "{detail}");
        assert_eq!(problem.body().code, "unknown-job");
    }
}
