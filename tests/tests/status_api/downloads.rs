//! All jobs as CSV, however many there are.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use fargate_events::{EventSink, JobDescription, JobEvent, JobFact};
use fargate_history::{HistoryLocation, HistoryStore, StoryUpdate};
use fargate_job_journal::{JobState, JobStory, JournalFolder, JournalSink};
use fargate_model::job::JobKey;
use fargate_model::moment::unix_ms;
use fargate_tests::{CheckedHost, PATIENCE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::http_client::parse;
use crate::server::StatusServer;

/// More than two pages of 200.
const JOBS: u32 = 450;

#[tokio::test]
async fn a_download_has_every_job_once_page_after_page() {
    let site = CheckedHost::open().await;
    site.prepared().await.cleanup().await.passed();
    for number in 0..JOBS {
        let mut bits = [0; 32];
        bits[..4].copy_from_slice(&number.to_be_bytes());
        let folder = JournalFolder::of(&site.state_dir());
        let key = JobKey::from_bits(bits);
        let sink = JournalSink::new(folder, key, "prepare".to_owned(), Default::default());
        sink.take(&JobEvent::JobReceived { project: 7, timeout_s: Some(60) });
        let id = format!("gl-{}", 900_000 + number);
        let described = JobDescription { id, ..JobDescription::default() };
        sink.take_fact(&JobFact::Described(Box::new(described)));
        sink.take(&JobEvent::CleanupDone { undone: 0 });
    }
    let server = StatusServer::of(&site).await;
    let all = u64::from(JOBS) + 1;
    server.json_once("/api/v1/jobs?last=24h", |json| json["all"] == all).await;
    let csv = server.get("/api/v1/jobs?last=24h&format=csv").await;
    assert_eq!(csv.header("transfer-encoding"), "chunked");
    let text = csv.text();
    let mut lines = text.lines();
    assert!(lines.next().is_some_and(|head| head.starts_with("id,state,")), "{text}");
    let ids: Vec<&str> = lines.filter_map(|line| line.split(',').next()).collect();
    let different: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!((ids.len() as u64, different.len() as u64), (all, all));
    // A page that the client asks for counts no rows of the download.
    let wrong = server.get("/api/v1/jobs?format=csv&after=guess").await;
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "bad-parameter"));
    server.close().await;
    site.close().await;
}

/// More jobs than any list shows.
const MANY: u32 = 10_050;
/// Rows of this size are more than the buffers of a connection hold, so that the server must wait for its reader.
const NAME_LENGTH: usize = 400;

/// Stores a long history: jobs of yesterday's last hours, each with long names.
async fn fill(database: PathBuf) {
    let opened = HistoryStore::open(&HistoryLocation::Sqlite(database)).await.expect("a database");
    let now_ms = unix_ms(SystemTime::now());
    let story = |number: u32| {
        let mut bits = [0xee; 32];
        bits[..4].copy_from_slice(&number.to_be_bytes());
        let mut story = JobStory::new(JobKey::from_bits(bits).as_str());
        let received_ms = now_ms - 10 * 3_600_000 + u64::from(number);
        (story.received_ms, story.changed_ms, story.ended_ms) =
            (received_ms, received_ms, Some(received_ms));
        story.state = JobState::Finished;
        let long = |word: &str| Some(format!("{word}-{number}-{}", "x".repeat(NAME_LENGTH)));
        story.description = JobDescription {
            id: format!("gl-{}", 100_000 + number),
            host: "ci-9".to_owned(),
            name: long("job"),
            project: long("group"),
            git_ref: long("branch"),
            image: long("image"),
            ..JobDescription::default()
        };
        StoryUpdate::without_journal("ci-9", story)
    };
    for begin in (0..MANY).step_by(500) {
        let some = (begin..MANY.min(begin + 500)).map(story).collect();
        opened.store.put(some).await.expect("a history that can be written");
    }
    opened.store.close().await;
}

/// A request whose answer is read as slowly as the test wants.
async fn slow_reader(address: SocketAddr, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(16 * 1024).expect("a small buffer");
    let mut stream = socket.connect(address).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("a server");
    stream
}

/// The reader stops after the first bytes. A job that comes only then is still in the answer, in its last line: so the
/// server had read the history no further than its reader went, and kept no more in memory.
#[tokio::test]
async fn a_download_of_more_than_10_000_jobs_is_whole_and_is_read_as_its_reader_goes() {
    let site = CheckedHost::open().await;
    site.prepared().await.cleanup().await.passed();
    fill(site.state_dir().join("history.db")).await;
    let server = StatusServer::of(&site).await;
    let all = u64::from(MANY) + 1;
    server.json_once("/api/v1/jobs?last=24h", |json| json["all"] == all).await;
    let path = "/api/v1/jobs?last=24h&sort=started&format=csv";
    let mut download = slow_reader(server.address, path).await;
    let mut answer = vec![0; 4096];
    download.read_exact(&mut answer).await.expect("the first rows");
    let late = site.prepared().await;
    late.cleanup().await.passed();
    server.json_once("/api/v1/jobs?last=24h", |json| json["all"] == all + 1).await;
    let whole = timeout(6 * PATIENCE, download.read_to_end(&mut answer)).await;
    whole.expect("the download ends").expect("the connection holds");
    let text = parse(&answer).text();
    let ids: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    let different: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!((ids.len() as u64, different.len() as u64), (all + 1, all + 1));
    assert_eq!(ids.last().copied(), Some("gl-4001"), "the one that came during the download");
    assert!(text.len() > 12_000_000, "{} bytes fit into the buffers", text.len());
    server.close().await;
    site.close().await;
}
