//! Serves pages that the real renderer makes from sample answers, and a stream of events that a test
//! sends. It stands in for `fargate-runner serve` where a test needs answers that it can choose.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use fargate_dashboard::samples::{self, NOW_MS, SampleNames};
use fargate_dashboard::{self as dashboard, PageFrame, static_file};
use fargate_status_answers::{JobAnswer, NowAnswer};
use fargate_tests::free_place;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

/// The policy of the pages: nothing inline, nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; report-uri /csp-report";

/// What the server shows.
#[derive(Default)]
pub struct ShownAnswers {
    pub names: SampleNames,
    pub now: NowAnswer,
    pub job: Option<JobAnswer>,
    /// The server's clock.
    pub at_ms: u64,
    /// What browsers reported against the policy.
    pub reports: Vec<String>,
}

/// A server on a port of its own. It ends with the value.
pub struct SampleServer {
    pub address: SocketAddr,
    pub shown: Arc<Mutex<ShownAnswers>>,
    events: broadcast::Sender<String>,
    task: JoinHandle<()>,
}

impl SampleServer {
    pub async fn start(names: SampleNames) -> Self {
        let listener = TcpListener::bind(free_place()).await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let now = samples::now(&names);
        let shown = ShownAnswers { names, now, at_ms: NOW_MS, ..ShownAnswers::default() };
        let shown = Arc::new(Mutex::new(shown));
        let (events, _) = broadcast::channel(4096);
        let task = tokio::spawn(accept(listener, shown.clone(), events.clone()));
        Self { address, shown, events, task }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Changes what is shown, and says so on the stream.
    pub fn change(&self, change: impl FnOnce(&mut ShownAnswers)) {
        change(&mut self.shown.lock().expect("no panic"));
        self.send("job", "{}");
    }

    /// One event on the stream. Nobody may listen yet.
    pub fn send(&self, name: &str, data: &str) {
        let _ = self.events.send(format!("event: {name}\ndata: {data}\n\n"));
    }

    pub fn streams(&self) -> usize {
        self.events.receiver_count()
    }

    pub fn reports(&self) -> Vec<String> {
        self.shown.lock().expect("no panic").reports.clone()
    }
}

impl Drop for SampleServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    shown: Arc<Mutex<ShownAnswers>>,
    events: broadcast::Sender<String>,
) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, shown.clone(), events.clone()));
    }
}

struct SampleRequest {
    path: String,
    query: String,
    is_fragment: bool,
    body: String,
}

/// Reads one request; the connection is not used again.
async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<SampleRequest> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let target = line.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        match line.trim().split_once(": ") {
            Some((name, value)) => headers.insert(name.to_lowercase(), value.to_owned()),
            None => break,
        };
    }
    let length = headers.get("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Some(SampleRequest {
        path: path.to_owned(),
        query: query.to_owned(),
        is_fragment: headers.get("accept").is_some_and(|it| it.contains("fragment=live")),
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

async fn serve(
    stream: TcpStream,
    shown: Arc<Mutex<ShownAnswers>>,
    events: broadcast::Sender<String>,
) {
    let mut stream = BufReader::new(stream);
    let Some(request) = read_request(&mut stream).await else { return };
    if request.path == "/api/v1/events" {
        return stream_events(stream, events.subscribe()).await;
    }
    let (status, kind, bytes) = answer(&request, &mut shown.lock().expect("no panic"));
    let head = format!(
        "HTTP/1.1 {status} OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\
         content-security-policy: {POLICY}\r\nconnection: close\r\n\r\n",
        bytes.len()
    );
    // A browser that has left needs no answer.
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(&bytes).await;
}

async fn stream_events(mut stream: BufReader<TcpStream>, mut events: broadcast::Receiver<String>) {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\n\r\n";
    if stream.write_all(head.as_bytes()).await.is_err() {
        return;
    }
    while let Ok(event) = events.recv().await {
        if stream.write_all(event.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn answer(request: &SampleRequest, shown: &mut ShownAnswers) -> (u16, &'static str, Vec<u8>) {
    if request.path == "/csp-report" {
        shown.reports.push(request.body.clone());
        return (204, "text/plain", Vec::new());
    }
    if let Some(file) = static_file(&request.path) {
        return (200, file.content_type, file.bytes.to_vec());
    }
    if request.path.starts_with("/api/") {
        return (200, "application/json", b"{\"verdict\":\"passed\"}".to_vec());
    }
    (200, "text/html; charset=utf-8", page(request, shown).into_bytes())
}

fn page(request: &SampleRequest, shown: &ShownAnswers) -> String {
    let frame = PageFrame {
        path: request.path.clone(),
        query: request.query.clone(),
        is_signed_in: true,
        is_operator: true,
        csrf: Some("c5rf".to_owned()),
        version: "0.1.0".to_owned(),
        at_ms: shown.at_ms,
        is_fragment: request.is_fragment,
        ..PageFrame::default()
    };
    let names = &shown.names;
    match request.path.as_str() {
        "/" => dashboard::now_page(&shown.now, &frame),
        "/jobs/gl-4425" => dashboard::job_page(&samples::failed_job(names), &frame),
        "/jobs/gl-4300" => dashboard::job_page(&samples::running_job(names), &frame),
        path if path.starts_with("/jobs/") => {
            let job = shown.job.clone().unwrap_or_else(|| samples::denied_job(names));
            dashboard::job_page(&job, &frame)
        }
        "/history" => dashboard::history_page(&samples::history(names), &frame),
        "/start-time" => dashboard::start_time_page(&samples::start_time(names, 1204), &frame),
        "/cost" => dashboard::cost_page(&samples::cost(names), &frame),
        "/images" => dashboard::images_page(&samples::images(names), &frame),
        "/checks" => dashboard::checks_page(&samples::checks(names), &frame),
        "/sign-in" => dashboard::sign_in_page(&frame, None),
        _ => dashboard::not_found_page(&frame),
    }
}
