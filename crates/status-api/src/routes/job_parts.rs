//! Answers about one job: all of it, or one part.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use fargate_status_answers::{JobAnswer, JobEventLine, StageRow, TimelineRow, WhyAnswer};
use serde::Serialize;

use super::AnyRefusal;
use super::list_page::{AnswerPage, ListParameters};
use crate::access::RequestCaller;
use crate::answer_cache::CachedAnswer;
use crate::questions::JobReader;
use crate::request_parts::{NamedInPath, RawQueryText};
use crate::{ApiProblem, StatusService};

type Service = State<Arc<StatusService>>;

/// What a question about one job names.
struct AskedJob {
    caller: RequestCaller,
    id: String,
    query: String,
}

/// Answers a question about one job with the part that `part` takes.
async fn answered<T: Serialize>(
    service: &Arc<StatusService>,
    name: &str,
    asked: AskedJob,
    headers: &HeaderMap,
    part: impl FnOnce(JobAnswer) -> T + Send + 'static,
) -> Result<Response, ApiProblem> {
    let AskedJob { caller, id, query } = asked;
    let reader = JobReader::of(&caller);
    let attempt = attempt(&query)?;
    let key = format!("{name} {reader:?} {attempt:?} {id}");
    let make = move |service: Arc<StatusService>| async move {
        CachedAnswer::json(&part(service.job(&id, attempt, reader).await?))
    };
    let answer = service.answer(key, make).await.map_err(|problem| caller.shown(problem))?;
    Ok(answer.respond(headers))
}

/// The try that the query names.
///
/// # Errors
///
/// Returns [`ApiProblem::BadParameter`] if it is no number.
pub(crate) fn attempt(query: &str) -> Result<Option<u32>, ApiProblem> {
    let given = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "try");
    let Some((_, given)) = given.filter(|(_, given)| !given.is_empty()) else { return Ok(None) };
    let number = given.parse().ok().filter(|number| (1..=1000).contains(number));
    number.map(Some).ok_or_else(|| ApiProblem::bad_parameter("try", &given, "a number from 1"))
}

/// One job: what happened to it, why, and where the time went
#[utoipa::path(get, path = "/api/v1/jobs/{id}", tag = "jobs",
    params(("id" = String, Path, description = "`gl-4411`, a number of the forge, or the beginning of a key"),
           ("try" = Option<u32>, Query, description = "The try that is shown, from 1", minimum = 1, maximum = 1000)),
    responses((status = 200, body = JobAnswer), (status = 304, description = "As the ETag says"), AnyRefusal))]
pub(crate) async fn job(
    State(service): Service,
    caller: RequestCaller,
    NamedInPath(id): NamedInPath,
    RawQueryText(query): RawQueryText,
    headers: HeaderMap,
) -> Result<Response, ApiProblem> {
    let asked = AskedJob { id, query, caller };
    answered(&service, "job", asked, &headers, |job| job).await
}

/// The phases of one job, in order
#[utoipa::path(get, path = "/api/v1/jobs/{id}/timeline", tag = "jobs",
    params(("id" = String, Path, description = "The job"),
           ("try" = Option<u32>, Query, description = "The try that is shown, from 1", minimum = 1, maximum = 1000)),
    responses((status = 200, body = Vec<TimelineRow>), (status = 304, description = "As the ETag says"), AnyRefusal))]
pub(crate) async fn timeline(
    State(service): Service,
    caller: RequestCaller,
    NamedInPath(id): NamedInPath,
    RawQueryText(query): RawQueryText,
    headers: HeaderMap,
) -> Result<Response, ApiProblem> {
    let asked = AskedJob { id, query, caller };
    answered(&service, "timeline", asked, &headers, |job| job.timeline).await
}

/// The stages of one job, in order
#[utoipa::path(get, path = "/api/v1/jobs/{id}/stages", tag = "jobs",
    params(("id" = String, Path, description = "The job"),
           ("try" = Option<u32>, Query, description = "The try that is shown, from 1", minimum = 1, maximum = 1000)),
    responses((status = 200, body = Vec<StageRow>), (status = 304, description = "As the ETag says"), AnyRefusal))]
pub(crate) async fn stages(
    State(service): Service,
    caller: RequestCaller,
    NamedInPath(id): NamedInPath,
    RawQueryText(query): RawQueryText,
    headers: HeaderMap,
) -> Result<Response, ApiProblem> {
    let asked = AskedJob { id, query, caller };
    answered(&service, "stages", asked, &headers, |job| job.stages).await
}

/// Events of one job.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct JobEventsAnswer {
    /// How many there are on all pages.
    total: u64,
    /// Those of this page, oldest first.
    events: Vec<JobEventLine>,
    /// The `after` of the next page, if there is one.
    next: Option<String>,
}

impl JobEventsAnswer {
    /// The page after the first `after` events. A job's events only grow, so their number is a place.
    fn page(events: Vec<JobEventLine>, after: usize, per: usize) -> Self {
        let total = events.len();
        let events: Vec<_> = events.into_iter().skip(after).take(per).collect();
        let end = after.saturating_add(events.len());
        Self { total: total as u64, events, next: (end < total).then(|| end.to_string()) }
    }
}

/// The events of one job, oldest first
#[utoipa::path(get, path = "/api/v1/jobs/{id}/events", tag = "jobs",
    params(("id" = String, Path, description = "The job"), ListParameters),
    responses((status = 200, body = JobEventsAnswer), (status = 304, description = "As the ETag says"), AnyRefusal))]
pub(crate) async fn job_events(
    State(service): Service,
    caller: RequestCaller,
    NamedInPath(id): NamedInPath,
    RawQueryText(query): RawQueryText,
    headers: HeaderMap,
) -> Result<Response, ApiProblem> {
    let AnswerPage { after, per } = AnswerPage::of(&query)?;
    let after = after.map(|given| {
        let refused = || ApiProblem::bad_parameter("after", &given, "the `next` of a page");
        given.parse::<usize>().map_err(|_| refused())
    });
    let after = after.transpose()?.unwrap_or_default();
    let asked = AskedJob { id, query: String::new(), caller };
    // The name tells the kept answers of two pages apart.
    let name = format!("job-events {after} {per}");
    let part = move |job: JobAnswer| JobEventsAnswer::page(job.events, after, per);
    answered(&service, &name, asked, &headers, part).await
}

/// Why one job waits or failed.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct JobWhyAnswer {
    /// What became of the job, in one sentence.
    answer: String,
    /// The cause, if there is one.
    why: Option<WhyAnswer>,
    /// What followed from it.
    then: Vec<WhyAnswer>,
}

/// Why one job waits or failed
#[utoipa::path(get, path = "/api/v1/jobs/{id}/why", tag = "jobs",
    params(("id" = String, Path, description = "The job")),
    responses((status = 200, body = JobWhyAnswer), (status = 304, description = "As the ETag says"), AnyRefusal))]
pub(crate) async fn job_why(
    State(service): Service,
    caller: RequestCaller,
    NamedInPath(id): NamedInPath,
    headers: HeaderMap,
) -> Result<Response, ApiProblem> {
    let asked = AskedJob { id, query: String::new(), caller };
    let part = |job: JobAnswer| JobWhyAnswer { answer: job.answer, why: job.why, then: job.then };
    answered(&service, "why", asked, &headers, part).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_events_show_each_once() {
        let events: Vec<_> =
            (0..7).map(|at_ms| JobEventLine { at_ms, ..JobEventLine::default() }).collect();
        let page = |after| JobEventsAnswer::page(events.clone(), after, 3);
        let times = |page: &JobEventsAnswer| -> Vec<u64> {
            page.events.iter().map(|event| event.at_ms).collect()
        };
        assert_eq!((times(&page(0)), page(0).next.as_deref()), (vec![0, 1, 2], Some("3")));
        assert_eq!((times(&page(3)), page(3).next.as_deref()), (vec![3, 4, 5], Some("6")));
        assert_eq!((times(&page(6)), page(6).next), (vec![6], None));
        assert_eq!((page(usize::MAX).next, page(9).total), (None, 7));
    }
}
