//! Answers about many jobs: now, history, starts, costs, images, checks, tasks, hosts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use fargate_job_journal::{JobState, JobStory};
use fargate_model::id::TaskArn;
use fargate_status_answers::{
    AttentionRow, ChecksAnswer, CostAnswer, HistoryAnswer, ImagesAnswer, JobStateWord, NowAnswer,
    StartTimeAnswer,
};
use futures_util::StreamExt;
use futures_util::stream::try_unfold;
use serde::Serialize;

use super::AnyRefusal;
use super::list_page::{AnswerPage, ListParameters};
use crate::access::RequestCaller;
use crate::answer_cache::CachedAnswer;
use crate::csv_rows::{csv_head, csv_of, csv_of_costs};
use crate::questions::AskedQuestion;
use crate::request_parts::{NamedInPath, RawQueryText, path_segment};
use crate::status_service::unread;
use crate::{ApiProblem, StatusService, assemble};

/// How long a download may take. Ours: 100,000 jobs take some 20 s.
const DOWNLOAD_TIME: Duration = Duration::from_mins(10);

type Service = State<Arc<StatusService>>;

/// Parameters by which lists of jobs are filtered. Lists are separated by commas; what is not known is named
/// in `notices` and filters nothing.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used; the query is read by `JobQuery`")]
pub(crate) struct FilterParameters {
    /// Free text: job, project, branch, id, task; `key:value` as the other parameters
    q: Option<String>,
    /// `passed`, `failed`, `system`, `timed_out`, `cancelled`
    verdict: Option<String>,
    /// Slugs of causes
    cause: Option<String>,
    /// What a cause is about, as `object` of the page of now has it; `-`: nothing that is known
    object: Option<String>,
    /// Classes of causes
    class: Option<String>,
    /// Projects
    project: Option<String>,
    /// Images as configured
    image: Option<String>,
    /// A size
    size: Option<String>,
    /// Hosts
    host: Option<String>,
    /// Branches and tags
    r#ref: Option<String>,
    /// `yes` or `no`
    spot: Option<String>,
    /// Length of the start: `>60s`, `40s..80s`
    start: Option<String>,
    /// Length of the job
    lived: Option<String>,
    /// Estimated cost in dollars: `>0.05`
    cost: Option<String>,
    /// The window: `1h`, `24h`, `7d`, `today`, `month`
    last: Option<String>,
    /// Start of the window, RFC 3339 in UTC
    from: Option<String>,
    /// End of the window, RFC 3339 in UTC
    to: Option<String>,
    /// `received`, or `ended`: the window is about the end of a job, and jobs that are not over are left out
    window: Option<String>,
}

/// Parameters of pages.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used; the query is read by `JobQuery`")]
pub(crate) struct PageParameters {
    /// `started`, `start`, `lived`, `cost`; `-` before it: greatest first
    sort: Option<String>,
    /// The `next` of the page before
    after: Option<String>,
    /// The `previous` of the page after
    before: Option<String>,
    /// Jobs of a page: 1 to 200
    per: Option<u64>,
}

/// Answers a question, from the kept answers if one is fresh.
async fn answered<T, F>(
    service: &Arc<StatusService>,
    name: &'static str,
    (caller, query): (&RequestCaller, String),
    headers: &HeaderMap,
    ask: impl FnOnce(Arc<StatusService>, AskedQuestion) -> F + Send + 'static,
) -> Result<Response, ApiProblem>
where
    T: Serialize,
    F: Future<Output = Result<T, ApiProblem>> + Send + 'static,
{
    let with_names = caller.is_signed_in();
    let key = format!("{name} {with_names} {query}");
    let asked = AskedQuestion { query, with_names };
    let make = |service| {
        let answer = ask(service, asked);
        async move { CachedAnswer::json(&answer.await?) }
    };
    let answer = service.answer(key, make).await.map_err(|problem| caller.shown(problem))?;
    Ok(answer.respond(headers))
}

/// What waits and why, what starts, what runs, what failed in the last hour
#[utoipa::path(get, path = "/api/v1/now", tag = "answers",
    params(("sort" = Option<String>, Query, description = "`impact`, or `newest`: the newest cause first"),
           ("host" = Option<String>, Query, description = "Jobs of this host only"),
           ("project" = Option<String>, Query, description = "Jobs of this project only")),
    responses((status = 200, body = NowAnswer), (status = 304, description = "As the ETag says"), AnyRefusal))]
pub(crate) async fn now(
    State(service): Service,
    caller: RequestCaller,
    RawQueryText(query): RawQueryText,
    headers: HeaderMap,
) -> Result<Response, ApiProblem> {
    let ask = |service: Arc<StatusService>, asked| async move { service.now(&asked).await };
    answered(&service, "now", (&caller, query), &headers, ask).await
}

fn wants_csv(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(name, value)| name == "format" && value == "csv")
}

fn csv_response(name: &'static str, csv: impl Into<Body>) -> Response {
    let attachment = format!("attachment; filename=\"{name}\"");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, attachment),
    ];
    (headers, csv.into()).into_response()
}

/// All jobs of a query, page after page, as fast as the client takes them. A page that cannot be read ends the
/// answer early, which HTTP shows as an error.
struct JobDownload {
    service: Arc<StatusService>,
    query: String,
    with_names: bool,
    begun: Instant,
}

impl JobDownload {
    /// The rows after the page that ended at `after`, and where they end. `None`: there are no more.
    async fn page(&self, after: &str) -> Result<(String, Option<String>), ApiProblem> {
        if self.begun.elapsed() > DOWNLOAD_TIME {
            return Err(ApiProblem::Late(DOWNLOAD_TIME.as_secs()));
        }
        let paged = format!("{}&per=200{after}", self.query);
        let asked = AskedQuestion { query: paged, with_names: self.with_names };
        let worker = Arc::clone(&self.service);
        let read = async move { worker.job_rows(&asked).await };
        let (rows, next) = self.service.work(read).await?;
        Ok((csv_of(&rows), next.map(|next| format!("&after={}", path_segment(&next)))))
    }
}

async fn jobs_csv(
    service: &Arc<StatusService>,
    query: String,
    with_names: bool,
) -> Result<Response, ApiProblem> {
    let begun = Instant::now();
    let download = JobDownload { service: Arc::clone(service), query, with_names, begun };
    // What can be refused is refused before the answer begins.
    let (first, next) = download.page("").await?;
    let rest = try_unfold((download, next), |(download, next)| async move {
        let Some(after) = next else { return Ok(None) };
        let (rows, next) = download.page(&after).await.map_err(std::io::Error::other)?;
        Ok::<_, std::io::Error>(Some((rows, (download, next))))
    });
    let begin = futures_util::stream::once(async move { Ok(csv_head() + &first) });
    Ok(csv_response("jobs.csv", Body::from_stream(begin.chain(rest))))
}

/// Jobs, newest first unless sorted otherwise
#[utoipa::path(get, path = "/api/v1/jobs", tag = "answers",
    params(FilterParameters, PageParameters,
           ("group" = Option<String>, Query, description = "`cause`: causes with their numbers instead of jobs"),
           ("format" = Option<String>, Query, description = "`csv`: all rows as CSV")),
    responses((status = 200, content((HistoryAnswer = "application/json"), (String = "text/csv"))), (status = 304, description = "As the ETag says"), AnyRefusal))]
pub(crate) async fn jobs(
    State(service): Service,
    caller: RequestCaller,
    RawQueryText(query): RawQueryText,
    headers: HeaderMap,
) -> Result<Response, ApiProblem> {
    if wants_csv(&query) {
        let csv = jobs_csv(&service, query, caller.is_signed_in()).await;
        return csv.map_err(|problem| caller.shown(problem));
    }
    let ask = |service: Arc<StatusService>, asked| async move { service.jobs(&asked).await };
    answered(&service, "jobs", (&caller, query), &headers, ask).await
}

/// Failures of the last hour and waits, by cause.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub(crate) struct FailuresAnswer {
    /// The first sentence of the page "now".
    answer: String,
    /// Groups, gravest first. At most 7.
    groups: Vec<AttentionRow>,
    /// Groups that are left out.
    more: u64,
}

/// Failures of the last hour and waits, by cause
#[utoipa::path(get, path = "/api/v1/failures", tag = "answers",
    responses((status = 200, body = FailuresAnswer), (status = 304, description = "As the ETag says"), AnyRefusal))]
pub(crate) async fn failures(
    State(service): Service,
    caller: RequestCaller,
    RawQueryText(query): RawQueryText,
    headers: HeaderMap,
) -> Result<Response, ApiProblem> {
    let ask = |service: Arc<StatusService>, asked| async move {
        let now = service.now(&asked).await?;
        Ok(FailuresAnswer { answer: now.answer, groups: now.attention, more: now.more_causes })
    };
    answered(&service, "failures", (&caller, query), &headers, ask).await
}

/// Tasks of jobs that are not over.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub(crate) struct TasksAnswer {
    /// How many there are, in one sentence.
    answer: String,
    /// How many there are on all pages.
    total: u64,
    /// Those of this page, oldest first.
    tasks: Vec<TaskRow>,
    /// The `after` of the next page, if there is one.
    next: Option<String>,
}

/// One task.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub(crate) struct TaskRow {
    /// Its ARN.
    task: String,
    /// What ECS said of it last: `PENDING`, `RUNNING`.
    status: String,
    /// The job's id.
    job: String,
    /// Where the job stands.
    state: JobStateWord,
    /// The host that runs the job.
    host: String,
    /// Its size, for people.
    size: Option<String>,
    /// Its zone.
    zone: Option<String>,
    /// The capacity provider that ECS chose.
    capacity: Option<String>,
    /// When ECS accepted it, in milliseconds since 1970.
    accepted_ms: Option<u64>,
}

fn task_row(story: &JobStory) -> Option<TaskRow> {
    let last = story.tries.last()?;
    Some(TaskRow {
        // The whole ARN names the account.
        task: TaskArn(last.task.clone()?).task_id().to_owned(),
        status: last.times.status.clone(),
        job: story.description.id.clone(),
        state: story.state.into(),
        host: story.description.host.clone(),
        size: assemble::size_of(story),
        zone: last.times.zone.clone(),
        capacity: last.times.capacity.clone().or_else(|| last.asked_capacity.clone()),
        accepted_ms: last.accepted_ms,
    })
}

/// The tasks of one page of these jobs: those after the place of `page`, oldest first. Jobs come and go between two
/// pages, so a place is the moment and the key of a job and no number.
fn tasks_page(live: &[JobStory], page: &AnswerPage) -> Result<TasksAnswer, ApiProblem> {
    let place = |story: &JobStory| (story.received_ms, story.key.clone());
    let mut tasks: Vec<_> = live
        .iter()
        .filter(|story| story.state != JobState::Waiting)
        .filter_map(|story| Some((place(story), task_row(story)?)))
        .collect();
    tasks.sort_by(|(one, _), (other, _)| one.cmp(other));
    let total = tasks.len() as u64;
    let after = page.after.as_deref().map(|after| {
        let place =
            after.split_once('.').and_then(|(at, key)| Some((at.parse::<u64>().ok()?, key)));
        place.ok_or_else(|| ApiProblem::bad_parameter("after", after, "the `next` of a page"))
    });
    if let Some((at_ms, key)) = after.transpose()? {
        let first: (u64, String) = (at_ms, key.to_owned());
        tasks.retain(|(place, _)| *place > first);
    }
    let is_more = tasks.len() > page.per;
    tasks.truncate(page.per);
    let next = tasks.last().filter(|_| is_more).map(|((at_ms, key), _)| format!("{at_ms}.{key}"));
    let answer = match total {
        0 => "No task is alive.".to_owned(),
        1 => "1 task is alive.".to_owned(),
        n => format!("{n} tasks are alive."),
    };
    Ok(TasksAnswer { answer, total, tasks: tasks.into_iter().map(|(_, row)| row).collect(), next })
}

/// Tasks of jobs that are not over
#[utoipa::path(get, path = "/api/v1/tasks", tag = "answers", params(ListParameters),
    responses((status = 200, body = TasksAnswer), (status = 304, description = "As the ETag says"), AnyRefusal))]
pub(crate) async fn tasks(
    State(service): Service,
    caller: RequestCaller,
    RawQueryText(query): RawQueryText,
    headers: HeaderMap,
) -> Result<Response, ApiProblem> {
    let ask = |service: Arc<StatusService>, asked: AskedQuestion| async move {
        let page = AnswerPage::of(&asked.query)?;
        let live = service.history()?.live().await.map_err(unread)?;
        tasks_page(&live, &page)
    };
    answered(&service, "tasks", (&caller, query), &headers, ask).await
}

/// Hosts that the history knows.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub(crate) struct HostsAnswer {
    /// How many there are, in one sentence.
    answer: String,
    /// By name.
    hosts: Vec<HostLine>,
}

/// One host.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub(crate) struct HostLine {
    /// Its name.
    host: String,
    /// The version of its daemon.
    version: String,
    /// When its daemon was heard last, in milliseconds since 1970.
    heard_ms: u64,
    /// Its jobs that are not over.
    live_jobs: u64,
}

/// Hosts that the history knows
#[utoipa::path(get, path = "/api/v1/hosts", tag = "answers",
    responses((status = 200, body = HostsAnswer), (status = 304, description = "As the ETag says"), AnyRefusal))]
pub(crate) async fn hosts(
    State(service): Service,
    caller: RequestCaller,
    headers: HeaderMap,
) -> Result<Response, ApiProblem> {
    let ask = |service: Arc<StatusService>, _| async move {
        let rows = service.history()?.hosts().await.map_err(unread)?;
        let hosts: Vec<HostLine> = rows
            .into_iter()
            .map(|row| HostLine {
                host: row.host,
                version: row.version,
                heard_ms: row.heard_ms,
                live_jobs: row.live_jobs,
            })
            .collect();
        let answer = match hosts.len() {
            1 => "1 host.".to_owned(),
            n => format!("{n} hosts."),
        };
        Ok(HostsAnswer { answer, hosts })
    };
    answered(&service, "hosts", (&caller, String::new()), &headers, ask).await
}

/// How long starts take, by phase, by image and over the day
#[utoipa::path(get, path = "/api/v1/start-time", tag = "answers", params(FilterParameters),
    responses((status = 200, body = StartTimeAnswer), (status = 304, description = "As the ETag says"), AnyRefusal))]
pub(crate) async fn start_time(
    State(service): Service,
    caller: RequestCaller,
    RawQueryText(query): RawQueryText,
    headers: HeaderMap,
) -> Result<Response, ApiProblem> {
    let ask = |service: Arc<StatusService>, asked| async move { service.start_time(&asked).await };
    answered(&service, "start-time", (&caller, query), &headers, ask).await
}

/// What jobs cost, as an estimate
#[utoipa::path(get, path = "/api/v1/cost", tag = "answers",
    params(FilterParameters, ("by" = Option<String>, Query, description = "`project`, `size` or `image`"),
           ("format" = Option<String>, Query, description = "`csv`: the groups as CSV")),
    responses((status = 200, content((CostAnswer = "application/json"), (String = "text/csv"))), (status = 304, description = "As the ETag says"), AnyRefusal))]
pub(crate) async fn cost(
    State(service): Service,
    caller: RequestCaller,
    RawQueryText(query): RawQueryText,
    headers: HeaderMap,
) -> Result<Response, ApiProblem> {
    if wants_csv(&query) {
        let asked = AskedQuestion { query, with_names: caller.is_signed_in() };
        let worker = Arc::clone(&service);
        let answer = service.work(async move { worker.cost(&asked).await }).await;
        let answer = answer.map_err(|problem| caller.shown(problem))?;
        return Ok(csv_response("cost.csv", csv_of_costs(&answer)));
    }
    let ask = |service: Arc<StatusService>, asked| async move { service.cost(&asked).await };
    answered(&service, "cost", (&caller, query), &headers, ask).await
}

/// Images that jobs use, and what differs from what was promoted
#[utoipa::path(get, path = "/api/v1/images", tag = "answers",
    responses((status = 200, body = ImagesAnswer), (status = 304, description = "As the ETag says"), AnyRefusal))]
pub(crate) async fn images(
    State(service): Service,
    caller: RequestCaller,
    headers: HeaderMap,
) -> Result<Response, ApiProblem> {
    let ask = |service: Arc<StatusService>, asked: AskedQuestion| async move {
        service.images(None, asked.with_names).await
    };
    answered(&service, "images", (&caller, String::new()), &headers, ask).await
}

/// One image that this configuration manages
#[utoipa::path(get, path = "/api/v1/images/{name}", tag = "answers",
    params(("name" = String, Path, description = "The image")),
    responses((status = 200, body = ImagesAnswer), (status = 304, description = "As the ETag says"), AnyRefusal))]
pub(crate) async fn image(
    State(service): Service,
    caller: RequestCaller,
    NamedInPath(name): NamedInPath,
    headers: HeaderMap,
) -> Result<Response, ApiProblem> {
    // The name is the question.
    let ask = |service: Arc<StatusService>, asked: AskedQuestion| async move {
        service.images(Some(&asked.query), asked.with_names).await
    };
    answered(&service, "image", (&caller, name), &headers, ask).await
}

/// Whether network, rights, storage and images are as a job needs them
#[utoipa::path(get, path = "/api/v1/checks", tag = "answers",
    responses((status = 200, body = ChecksAnswer), (status = 304, description = "As the ETag says"), AnyRefusal))]
pub(crate) async fn checks(
    State(service): Service,
    caller: RequestCaller,
    headers: HeaderMap,
) -> Result<Response, ApiProblem> {
    let ask = |service: Arc<StatusService>, asked: AskedQuestion| async move {
        Ok(service.checks(asked.with_names))
    };
    answered(&service, "checks", (&caller, String::new()), &headers, ask).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargate_job_journal::TryStory;

    fn runs(number: u64) -> JobStory {
        let task = Some(format!("arn:aws:ecs:eu-west-1:111122223333:task/ci/{number:032x}"));
        JobStory {
            key: format!("{number:064x}"),
            state: JobState::Running,
            // Two jobs come in each millisecond.
            received_ms: number / 2,
            tries: vec![TryStory { task, ..TryStory::default() }],
            ..JobStory::default()
        }
    }

    fn page(live: &[JobStory], query: &str) -> TasksAnswer {
        tasks_page(live, &AnswerPage::of(query).unwrap()).unwrap()
    }

    #[test]
    fn pages_show_each_task_once_also_when_jobs_end_between_them() {
        let mut live: Vec<_> = (0..7).map(runs).collect();
        live.push(JobStory { state: JobState::Waiting, ..runs(8) });
        let all: Vec<_> = page(&live, "").tasks.into_iter().map(|row| row.task).collect();
        assert_eq!(all.len(), 7);
        let first = page(&live, "per=3");
        assert_eq!((first.answer.as_str(), first.total), ("7 tasks are alive.", 7));
        let mut seen: Vec<_> = first.tasks.into_iter().map(|row| row.task).collect();
        live.remove(1);
        let mut next = first.next;
        while let Some(after) = next {
            let more = page(&live, &format!("per=3&after={after}"));
            seen.extend(more.tasks.into_iter().map(|row| row.task));
            next = more.next;
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn a_page_of_tasks_that_is_none_of_ours_is_refused() {
        for query in ["after=guess", "after=1", "after=x.y"] {
            let refused = tasks_page(&[], &AnswerPage::of(query).unwrap()).unwrap_err();
            assert!(matches!(refused, ApiProblem::BadParameter { name: "after", .. }), "{query}");
        }
    }
}
