//! The pages: the same answers as HTML, forms that change something, and the files that pages need.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use fargate_dashboard::{PageBanner, PageFrame};
use fargate_job_journal::JobStory;
use fargate_status_answers::NowAnswer;

use crate::access::{RequestCaller, SESSION_COOKIE, SESSION_TIME};
use crate::answer_cache::CachedAnswer;
use crate::clock::now_ms;
use crate::questions::{AskedQuestion, JobReader, short};
use crate::request_body;
use crate::request_parts::{NamedInPath, path_segment, wants_page};
use crate::routes::{IntakeChange, allowed, attempt, change_intake, see_other, stop_task};
use crate::{ApiProblem, StatusService};

type Service = State<Arc<StatusService>>;

/// What a request for a page says.
#[derive(Clone, Debug)]
struct AskedPage {
    path: String,
    query: String,
    caller: RequestCaller,
    is_fragment: bool,
}

impl AskedPage {
    fn new(uri: &Uri, caller: RequestCaller, headers: &HeaderMap) -> Self {
        let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        Self {
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            caller,
            is_fragment: accept.is_some_and(|accept| accept.contains("fragment=live")),
        }
    }

    fn question(&self) -> AskedQuestion {
        AskedQuestion { query: self.query.clone(), with_names: self.caller.is_signed_in() }
    }

    fn frame(&self, service: &StatusService, banner: Option<PageBanner>) -> PageFrame {
        let settings = &service.settings;
        let is_guest = !self.caller.is_signed_in();
        let hidden = is_guest.then_some(PageBanner::NamesHidden);
        // Paths of this host are not for guests.
        let missing = settings.missing.as_ref().map(|missing| PageBanner::NotConfigured {
            missing: missing.keys.clone(),
            path: if is_guest { "its configuration file".to_owned() } else { missing.path.clone() },
        });
        let rebuilt = || rebuilt(service).filter(|_| !is_guest);
        PageFrame {
            path: self.path.clone(),
            query: self.query.clone(),
            is_signed_in: self.caller.is_signed_in(),
            is_operator: self.caller.is_operator(),
            csrf: Some(service.policy.page_proof(&self.caller)),
            banner: banner
                .or_else(|| stalled(service, self.caller.is_signed_in()))
                .or_else(rebuilt)
                .or(hidden)
                .or(missing),
            version: settings.version.clone(),
            at_ms: now_ms(),
            is_demo: settings.is_demo,
            runbook_url: settings.runbook_url.clone(),
            is_fragment: self.is_fragment,
        }
    }
}

/// Says that what jobs do does not reach the history. The words may name hosts and files.
fn stalled(service: &StatusService, with_words: bool) -> Option<PageBanner> {
    let condition = service.ingest()?;
    let words = condition.words()?;
    let error = if with_words { words } else { "sign in to read why".to_owned() };
    let since_ms = condition.trouble_since_ms;
    Some(PageBanner::HistoryStalled { since_ms, error, waiting: condition.waiting_journals })
}

/// Says that the history was damaged and filled again, if this process met that.
fn rebuilt(service: &StatusService) -> Option<PageBanner> {
    let moved = service.history().ok()?.moved_aside().borrow().clone()?;
    let made = std::fs::metadata(&moved).and_then(|file| file.modified()).ok();
    let since = made.and_then(|made| made.duration_since(std::time::UNIX_EPOCH).ok());
    let at_ms = since.and_then(|since| u64::try_from(since.as_millis()).ok()).unwrap_or_default();
    Some(PageBanner::HistoryRebuilt { at_ms, path: moved.display().to_string() })
}

/// All pages, forms and files.
pub(crate) fn routes() -> Router<Arc<StatusService>> {
    Router::new()
        .route("/", get(now))
        .route("/jobs/{id}", get(job))
        .route("/history", get(history))
        .route("/start-time", get(start_time))
        .route("/cost", get(cost))
        .route("/images", get(images))
        .route("/images/{name}", get(image))
        .route("/checks", get(checks))
        .route("/causes/{slug}", get(cause))
        .route("/sign-in", get(sign_in).post(sign_in_by_form))
        .route("/sign-out", post(sign_out))
        .route("/intake/pause", post(pause))
        .route("/intake/drain", post(drain))
        .route("/intake/resume", post(resume))
        .route("/tasks/{id}/stop", post(stop))
        .route("/static/{name}", get(static_file))
        .route("/favicon.ico", get(favicon))
}

/// A page, from the kept ones if a fresh one is there.
async fn page<F>(
    service: &Arc<StatusService>,
    asked: AskedPage,
    headers: &HeaderMap,
    render: impl FnOnce(Arc<StatusService>, AskedPage) -> F + Send + 'static,
) -> Response
where
    F: Future<Output = Result<String, ApiProblem>> + Send + 'static,
{
    let proof = service.policy.page_proof(&asked.caller);
    let key = format!(
        "page {proof} {} {} {} {}",
        asked.is_fragment,
        asked.caller.is_operator(),
        asked.path,
        asked.query
    );
    let frame_of = asked.clone();
    let make = |service| {
        let html = render(service, asked);
        async move { Ok(CachedAnswer::new(html.await?, "text/html; charset=utf-8")) }
    };
    match service.answer(key, make).await {
        Ok(answer) => answer.respond(headers),
        Err(problem) => failed(service, &frame_of, &problem),
    }
}

/// The page of a problem, with its status.
fn failed(service: &StatusService, asked: &AskedPage, problem: &ApiProblem) -> Response {
    let problem = &asked.caller.shown(problem.clone());
    let frame = frame_of_problem(service, asked, problem);
    let (status, _) = problem.status();
    let title = status.canonical_reason().unwrap_or("Not answered");
    let html = match problem {
        ApiProblem::UnknownPath => fargate_dashboard::not_found_page(&frame),
        problem if status == StatusCode::SERVICE_UNAVAILABLE => {
            fargate_dashboard::later_page(&frame, title, &sentence(problem))
        }
        problem => fargate_dashboard::message_page(&frame, title, &sentence(problem)),
    };
    html_response(status, html)
}

/// The page of a problem with what a form asked for. There is nothing to read again.
fn not_done(service: &StatusService, asked: &AskedPage, problem: &ApiProblem) -> Response {
    let problem = &asked.caller.shown(problem.clone());
    let frame = frame_of_problem(service, asked, problem);
    let (status, _) = problem.status();
    let title = status.canonical_reason().unwrap_or("Not done");
    html_response(status, fargate_dashboard::message_page(&frame, title, &sentence(problem)))
}

/// The page that says why a task was not stopped.
fn not_stopped(service: &StatusService, asked: &AskedPage, problem: &ApiProblem) -> Response {
    let problem = &asked.caller.shown(problem.clone());
    let frame = frame_of_problem(service, asked, problem);
    let words = format!("The task was not stopped. {}", sentence(problem));
    let html = fargate_dashboard::not_stopped_page(&frame, "Not stopped", &words);
    html_response(problem.status().0, html)
}

fn frame_of_problem(service: &StatusService, asked: &AskedPage, problem: &ApiProblem) -> PageFrame {
    let banner = match problem {
        ApiProblem::NoHistory(error) => Some(PageBanner::HistoryUnreadable {
            error: error.clone(),
            tasks: service.facts().borrow().live_tasks,
        }),
        _ => None,
    };
    asked.frame(service, banner)
}

/// The page of a problem for a caller who is not known.
pub(crate) fn problem_page(service: &StatusService, problem: &ApiProblem) -> Response {
    let frame = PageFrame {
        version: service.settings.version.clone(),
        at_ms: now_ms(),
        path: "/".to_owned(),
        ..PageFrame::default()
    };
    let (status, _) = problem.status();
    let title = status.canonical_reason().unwrap_or("Refused");
    html_response(status, fargate_dashboard::message_page(&frame, title, &sentence(problem)))
}

fn sentence(problem: &ApiProblem) -> String {
    let words = problem.to_string();
    let mut letters = words.chars();
    let capital: String = letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default();
    format!("{capital}.")
}

fn html_response(status: StatusCode, html: String) -> Response {
    let media = [(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))];
    (status, media, html).into_response()
}

/// Leads a browser to the place where a token is entered.
pub(crate) fn to_sign_in() -> Response {
    see_other("/sign-in")
}

/// There is nothing at this path.
pub(crate) async fn nothing_here(
    State(service): Service,
    method: Method,
    uri: Uri,
    caller: RequestCaller,
    headers: HeaderMap,
) -> Response {
    if wants_page(&method, uri.path(), &headers) {
        let asked = AskedPage::new(&uri, caller, &headers);
        return failed(&service, &asked, &ApiProblem::UnknownPath);
    }
    ApiProblem::UnknownPath.into_response()
}

async fn now(
    State(service): Service,
    caller: RequestCaller,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let asked = AskedPage::new(&uri, caller, &headers);
    let render = |service: Arc<StatusService>, asked: AskedPage| async move {
        let answer = service.now(&asked.question()).await?;
        let frame = asked.frame(&service, banner_of(&answer));
        Ok(fargate_dashboard::now_page(&answer, &frame))
    };
    page(&service, asked, &headers, render).await
}

fn banner_of(answer: &NowAnswer) -> Option<PageBanner> {
    if let Some(for_ms) = answer.ecs_silent_ms {
        let error = answer.ecs_error.clone().unwrap_or_default();
        return Some(PageBanner::EcsSilent { for_ms, error });
    }
    answer.paused_by.as_ref().map(|by| PageBanner::IntakePaused {
        by: by.clone(),
        since_ms: answer.paused_since_ms.unwrap_or(answer.at_ms),
        note: answer.paused_note.clone().unwrap_or_default(),
        waiting: answer.counts.waiting,
        is_draining: answer.is_draining,
    })
}

async fn job(
    State(service): Service,
    caller: RequestCaller,
    NamedInPath(id): NamedInPath,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let asked = AskedPage::new(&uri, caller, &headers);
    let find = {
        let (service, id) = (Arc::clone(&service), id.clone());
        async move { service.stories(&id).await }
    };
    match service.work(find).await {
        Err(problem) => failed(&service, &asked, &problem),
        Ok(found) => match found.as_slice() {
            [] => {
                let frame = asked.frame(&service, None);
                let days = service.settings.keep_days;
                let near = {
                    let (service, id) = (Arc::clone(&service), id.clone());
                    async move { service.near_ids(&id).await }
                };
                // The page is true without them, too.
                let near = service.work(near).await.unwrap_or_default();
                let html = fargate_dashboard::job_not_found_page(&frame, &id, days, &near);
                html_response(StatusCode::NOT_FOUND, html)
            }
            [one] if one.description.id != id && one.key != id => {
                // A job that was never described has no id.
                let name = Some(&one.description.id).filter(|name| !name.is_empty());
                see_other(&format!("/jobs/{}", path_segment(name.unwrap_or(&one.key))))
            }
            [one] => one_job(&service, asked, one.key.clone(), &headers).await,
            several => {
                let frame = asked.frame(&service, None);
                let choices: Vec<_> = several.iter().map(choice).collect();
                let html = fargate_dashboard::job_choice_page(&frame, &id, &choices);
                html_response(StatusCode::MULTIPLE_CHOICES, html)
            }
        },
    }
}

/// What tells jobs with one name apart, without any name.
fn choice(story: &JobStory) -> (String, String) {
    let at = crate::clock::moment(story.received_ms);
    let about = &story.description;
    let words = format!(
        "{} on {}, {}, received {at}",
        if about.id.is_empty() { short(&story.key) } else { &about.id },
        about.host,
        crate::assemble::state_of(story)
    );
    (story.key.clone(), words)
}

async fn one_job(
    service: &Arc<StatusService>,
    asked: AskedPage,
    key: String,
    headers: &HeaderMap,
) -> Response {
    let render = |service: Arc<StatusService>, asked: AskedPage| async move {
        // A try that does not exist is no reason to show nothing.
        let attempt = attempt(&asked.query).unwrap_or_default();
        let answer = service.job(&key, attempt, JobReader::of(&asked.caller)).await?;
        Ok(fargate_dashboard::job_page(&answer, &asked.frame(&service, None)))
    };
    page(service, asked, headers, render).await
}

async fn history(
    State(service): Service,
    caller: RequestCaller,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let asked = AskedPage::new(&uri, caller, &headers);
    let render = |service: Arc<StatusService>, asked: AskedPage| async move {
        let answer = service.jobs(&asked.question()).await?;
        Ok(fargate_dashboard::history_page(&answer, &asked.frame(&service, None)))
    };
    page(&service, asked, &headers, render).await
}

async fn start_time(
    State(service): Service,
    caller: RequestCaller,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let asked = AskedPage::new(&uri, caller, &headers);
    let render = |service: Arc<StatusService>, asked: AskedPage| async move {
        let answer = service.start_time(&asked.question()).await?;
        Ok(fargate_dashboard::start_time_page(&answer, &asked.frame(&service, None)))
    };
    page(&service, asked, &headers, render).await
}

async fn cost(
    State(service): Service,
    caller: RequestCaller,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let asked = AskedPage::new(&uri, caller, &headers);
    let render = |service: Arc<StatusService>, asked: AskedPage| async move {
        let answer = service.cost(&asked.question()).await?;
        Ok(fargate_dashboard::cost_page(&answer, &asked.frame(&service, None)))
    };
    page(&service, asked, &headers, render).await
}

async fn images(
    State(service): Service,
    caller: RequestCaller,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let asked = AskedPage::new(&uri, caller, &headers);
    let render = |service: Arc<StatusService>, asked: AskedPage| async move {
        let answer = service.images(None, asked.caller.is_signed_in()).await?;
        Ok(fargate_dashboard::images_page(&answer, &asked.frame(&service, None)))
    };
    page(&service, asked, &headers, render).await
}

async fn image(
    State(service): Service,
    caller: RequestCaller,
    NamedInPath(name): NamedInPath,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let asked = AskedPage::new(&uri, caller, &headers);
    let render = |service: Arc<StatusService>, asked: AskedPage| async move {
        let answer = service.images(Some(&name), asked.caller.is_signed_in()).await?;
        Ok(fargate_dashboard::images_page(&answer, &asked.frame(&service, None)))
    };
    page(&service, asked, &headers, render).await
}

async fn checks(
    State(service): Service,
    caller: RequestCaller,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let asked = AskedPage::new(&uri, caller, &headers);
    let render = |service: Arc<StatusService>, asked: AskedPage| async move {
        let answer = service.checks(asked.caller.is_signed_in());
        Ok(fargate_dashboard::checks_page(&answer, &asked.frame(&service, None)))
    };
    page(&service, asked, &headers, render).await
}

async fn cause(
    State(service): Service,
    caller: RequestCaller,
    NamedInPath(slug): NamedInPath,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let asked = AskedPage::new(&uri, caller, &headers);
    match fargate_dashboard::cause_page(&slug, &asked.frame(&service, None)) {
        Some(html) => html_response(StatusCode::OK, html),
        None => failed(&service, &asked, &ApiProblem::UnknownPath),
    }
}

async fn sign_in(
    State(service): Service,
    caller: RequestCaller,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let asked = AskedPage::new(&uri, caller, &headers);
    let refused = (!service.policy.has_tokens())
        .then_some("No token is configured. `fargate-runner serve token --name NAME` makes one.");
    let html = fargate_dashboard::sign_in_page(&asked.frame(&service, None), refused);
    html_response(StatusCode::OK, html)
}

async fn sign_in_by_form(
    State(service): Service,
    caller: RequestCaller,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let asked = AskedPage::new(&uri, caller, &headers);
    let fields = match request_body::fields(&headers, body).await {
        Ok(fields) => fields,
        Err(problem) => return failed(&service, &asked, &problem),
    };
    match service.policy.sign_in(&fields.token) {
        Ok(value) => {
            let mut response = see_other(own_path(&fields.back));
            let by_tls = headers
                .get(header::ORIGIN)
                .is_some_and(|origin| origin.as_bytes().starts_with(b"https://"));
            let secure = if by_tls { "; Secure" } else { "" };
            let seconds = SESSION_TIME.as_secs();
            let cookie = format!(
                "{SESSION_COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
            );
            if let Ok(cookie) = cookie.parse() {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(problem) => {
            let words = sentence(&problem);
            let frame = asked.frame(&service, None);
            let html = fargate_dashboard::sign_in_page(&frame, Some(&words));
            html_response(problem.status().0, html)
        }
    }
}

/// A path of this server, whatever a link may have brought.
fn own_path(back: &str) -> &str {
    let is_own = back.starts_with('/')
        && !back.starts_with("//")
        && !back.contains('\\')
        && back.chars().all(|c| c.is_ascii_graphic());
    if is_own { back } else { "/" }
}

async fn sign_out(
    State(service): Service,
    caller: RequestCaller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiProblem> {
    let fields = request_body::fields(&headers, body).await?;
    if fields.csrf != service.policy.page_proof(&caller) {
        return Err(ApiProblem::NoProofOfPage);
    }
    service.policy.sign_out(&headers);
    let mut response = see_other("/");
    let cookie = format!("{SESSION_COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    if let Ok(cookie) = cookie.parse() {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

async fn pause(
    State(service): Service,
    caller: RequestCaller,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    change_by_form(
        &service,
        IntakeChange::Pause,
        AskedPage::new(&uri, caller, &headers),
        &headers,
        body,
    )
    .await
}

async fn drain(
    State(service): Service,
    caller: RequestCaller,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    change_by_form(
        &service,
        IntakeChange::Drain,
        AskedPage::new(&uri, caller, &headers),
        &headers,
        body,
    )
    .await
}

async fn resume(
    State(service): Service,
    caller: RequestCaller,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    change_by_form(
        &service,
        IntakeChange::Resume,
        AskedPage::new(&uri, caller, &headers),
        &headers,
        body,
    )
    .await
}

async fn change_by_form(
    service: &Arc<StatusService>,
    change: IntakeChange,
    asked: AskedPage,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    let changed = async {
        let fields = allowed(service, &asked.caller, headers, body).await?;
        change_intake(service, &asked.caller, change, fields.note).await
    };
    match changed.await {
        Ok(_) => see_other("/"),
        Err(problem) => not_done(service, &asked, &problem),
    }
}

/// Stops a task, and leads back to the page of its job.
async fn stop(
    State(service): Service,
    caller: RequestCaller,
    NamedInPath(id): NamedInPath,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let asked = AskedPage::new(&uri, caller, &headers);
    let stopped = async {
        let fields = allowed(&service, &asked.caller, &headers, body).await?;
        stop_task(&service, &asked.caller, &id, &fields.note).await.map(|_| fields.job)
    };
    match stopped.await {
        Ok(job) if job.is_empty() => see_other("/"),
        Ok(job) => see_other(&format!("/jobs/{}", path_segment(&job))),
        Err(problem) => not_stopped(&service, &asked, &problem),
    }
}

async fn static_file(NamedInPath(name): NamedInPath, uri: Uri, headers: HeaderMap) -> Response {
    let Some(file) = fargate_dashboard::static_file(&name) else {
        return ApiProblem::UnknownPath.into_response();
    };
    let etag = format!("\"{}\"", file.etag);
    let is_known =
        headers.get(header::IF_NONE_MATCH).is_some_and(|tag| tag.as_bytes() == etag.as_bytes());
    let mut response = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Body::from(file.bytes).into_response(),
    };
    let answer = response.headers_mut();
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    if let Ok(etag) = etag.parse() {
        answer.insert(header::ETAG, etag);
    }
    // The address has the version in it.
    let is_versioned = uri.query().is_some_and(|query| query.contains(file.etag));
    let kept = if is_versioned { "public, max-age=31536000, immutable" } else { "no-cache" };
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    response
}

async fn favicon() -> Response {
    see_other("/static/favicon.svg")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_a_path_of_this_server_alone() {
        assert_eq!(own_path("/jobs/gl-1?try=2"), "/jobs/gl-1?try=2");
        for other in
            ["", "https://evil.example", "//evil.example", "/\\evil.example", "/a\r\nb: c", "jobs"]
        {
            assert_eq!(own_path(other), "/", "{other}");
        }
    }
}
