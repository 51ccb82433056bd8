//! Every path of the API, with its `OpenAPI` document, which is made from the handlers themselves.

mod answers;
mod changes;
mod job_parts;
mod list_page;
mod service_state;
mod task_stop;

pub(crate) use changes::{IntakeChange, allowed, change_intake, see_other};
pub(crate) use job_parts::attempt;
pub(crate) use task_stop::stop_task;

use std::sync::Arc;

use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{ProblemBody, StatusService};

/// Refusals of every path: `application/problem+json`, whose `code` is stable.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only its description is used")]
pub(crate) enum AnyRefusal {
    /// A parameter or the body cannot be used
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(ProblemBody),
    /// A token is needed, or is not known
    #[response(status = 401, content_type = "application/problem+json")]
    NotSignedIn(ProblemBody),
    /// The role does not allow it, or a page of another site asks
    #[response(status = 403, content_type = "application/problem+json")]
    NotAllowed(ProblemBody),
    /// There is no such thing
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemBody),
    /// The path does not take this method
    #[response(status = 405, content_type = "application/problem+json")]
    WrongMethod(ProblemBody),
    /// It cannot be done now, or the name means several things
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemBody),
    /// The body is too large
    #[response(status = 413, content_type = "application/problem+json")]
    LargeBody(ProblemBody),
    /// The host is not one of this server
    #[response(status = 421, content_type = "application/problem+json")]
    WrongHost(ProblemBody),
    /// Too many wrong tokens
    #[response(status = 429, content_type = "application/problem+json")]
    ManyAttempts(ProblemBody),
    /// ECS refused what it was asked for, or did not answer
    #[response(status = 502, content_type = "application/problem+json")]
    EcsRefused(ProblemBody),
    /// There is no history or no daemon now, or too many streams or questions are open; `Retry-After` says when to ask again
    #[response(status = 503, content_type = "application/problem+json")]
    NotNow(ProblemBody),
}

pub(crate) fn api() -> OpenApiRouter<Arc<StatusService>> {
    OpenApiRouter::with_openapi(document())
        .routes(routes!(answers::now))
        .routes(routes!(answers::jobs))
        .routes(routes!(answers::failures))
        .routes(routes!(answers::tasks))
        .routes(routes!(answers::hosts))
        .routes(routes!(answers::start_time))
        .routes(routes!(answers::cost))
        .routes(routes!(answers::images))
        .routes(routes!(answers::image))
        .routes(routes!(answers::checks))
        .routes(routes!(job_parts::job))
        .routes(routes!(job_parts::timeline))
        .routes(routes!(job_parts::stages))
        .routes(routes!(job_parts::job_events))
        .routes(routes!(job_parts::job_why))
        .routes(routes!(service_state::events))
        .routes(routes!(service_state::session))
        .routes(routes!(service_state::live))
        .routes(routes!(service_state::ready))
        .routes(routes!(service_state::metrics))
        .routes(routes!(changes::pause))
        .routes(routes!(changes::drain))
        .routes(routes!(changes::resume))
        .routes(routes!(task_stop::stop))
        .routes(routes!(changes::audit))
        .routes(routes!(changes::csp_report, changes::csp_reports))
}

fn document() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Fargate Runner")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "What happens to the jobs of Fargate Runner. Times are milliseconds since 1970, money is in \
             millionths of a US dollar and always an estimate. An answer has an ETag, and `If-None-Match` is \
             understood. These have none: refusals, health, the session, reports of browsers, streams of events, \
             downloads as CSV, and the answers to a POST.",
        ));
    let components = ComponentsBuilder::new().schema_from::<ProblemBody>().build();
    OpenApiBuilder::new().info(info.build()).components(Some(components)).build()
}

/// The `OpenAPI` document as JSON.
#[must_use]
pub fn openapi_json() -> String {
    api().into_openapi().to_json().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text said that each answer has one.
    #[test]
    fn an_answer_without_an_etag_is_one_that_the_text_names() {
        let document: serde_json::Value = serde_json::from_str(&openapi_json()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let mut without: Vec<&str> = paths
            .iter()
            .filter(|(_, methods)| methods["get"].is_object())
            .filter(|(_, methods)| !methods["get"]["responses"]["304"].is_object())
            .map(|(path, _)| path.as_str())
            .collect();
        without.sort_unstable();
        let named = [
            "/api/v1/csp-report",
            "/api/v1/events",
            "/api/v1/session",
            "/health/live",
            "/health/ready",
        ];
        assert_eq!(without, named);
    }

    #[test]
    fn the_document_names_every_path_and_how_each_is_refused() {
        let document: serde_json::Value = serde_json::from_str(&openapi_json()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        assert!(paths.len() >= 20, "{} paths", paths.len());
        for (path, methods) in paths {
            for (method, operation) in methods.as_object().unwrap() {
                let responses = operation["responses"].as_object().unwrap();
                let is_health = path.starts_with("/health");
                assert!(is_health || responses.contains_key("403"), "{method} {path}");
                assert!(operation["summary"].is_string(), "{method} {path} says not what it is");
            }
        }
    }
}
