//! Events as they happen.

use std::time::{Duration, Instant};

use fargate_tests::{CheckedHost, PATIENCE};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::server::StatusServer;

/// One open stream.
struct OpenStream {
    lines: BufReader<TcpStream>,
}

/// One event of a stream.
#[derive(Debug)]
struct ServerEvent {
    kind: String,
    id: Option<u64>,
    data: serde_json::Value,
}

impl OpenStream {
    async fn open(server: &StatusServer, headers: &str, query: &str) -> Self {
        let mut stream = TcpStream::connect(server.address).await.expect("a connection");
        let head = format!(
            "GET /api/v1/events{query} HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n{headers}\r\n",
            server.address
        );
        stream.write_all(head.as_bytes()).await.expect("a request");
        Self { lines: BufReader::new(stream) }
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read =
            timeout(PATIENCE, self.lines.read_line(&mut line)).await.expect("a line in time");
        assert!(read.expect("an open stream") > 0, "the stream ended");
        line.trim_end().to_owned()
    }

    /// The next event. Heads and sizes of chunks are passed over.
    async fn next(&mut self) -> ServerEvent {
        let (mut kind, mut id) = (String::new(), None);
        loop {
            let line = self.line().await;
            if let Some(given) = line.strip_prefix("event: ") {
                kind = given.to_owned();
            } else if let Some(given) = line.strip_prefix("id: ") {
                id = given.parse().ok();
            } else if let Some(data) = line.strip_prefix("data: ") {
                let data = serde_json::from_str(data).expect("JSON");
                return ServerEvent { kind, id, data };
            }
        }
    }

    /// Waits until the stream says that it lives. Events of the past may come before that.
    async fn alive(&mut self) {
        while self.next().await.kind != "heartbeat" {}
    }

    /// The next event of a job.
    async fn next_of_job(&mut self) -> ServerEvent {
        loop {
            let event = self.next().await;
            if event.kind == "job" {
                return event;
            }
        }
    }
}

#[tokio::test]
async fn a_stream_that_comes_back_misses_no_event() {
    let site = CheckedHost::open().await;
    let first = site.prepared().await;
    let server = StatusServer::of(&site).await;
    server.json_once("/api/v1/now", |json| json["counts"]["starting"] == 1).await;
    let mut stream = OpenStream::open(&server, "", "").await;
    stream.alive().await;
    first.run("true").await.passed();
    let seen = stream.next_of_job().await;
    assert_eq!((&seen.data["id"], &seen.data["host"].is_string()), (&"gl-4000".into(), &true));
    assert!(!seen.data.to_string().contains("group/project"), "names are not in events");
    drop(stream);
    first.cleanup().await.passed();
    let finished = |json: &serde_json::Value| json["state"] == "finished";
    server.json_once("/api/v1/jobs/gl-4000", finished).await;

    let last = seen.id.expect("an id");
    let mut again = OpenStream::open(&server, &format!("Last-Event-ID: {last}\r\n"), "").await;
    let mut before = last;
    loop {
        let event = again.next_of_job().await;
        let id = event.id.expect("an id");
        assert_eq!(id, before + 1, "no event is missing");
        before = id;
        if event.data["state"] == "finished" {
            break;
        }
    }
    let mut other = OpenStream::open(&server, "", "?after=999999999").await;
    assert_eq!(other.next().await.kind, "resync", "an event of another history");
    let begun = Instant::now();
    server.close().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "open streams do not delay the end");
    site.close().await;
}

#[tokio::test]
async fn more_streams_than_allowed_are_refused_and_health_answers_on() {
    let site = CheckedHost::open().await;
    site.prepared().await.cleanup().await.passed();
    site.set("serve.max_streams", 2);
    let server = StatusServer::of(&site).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = OpenStream::open(&server, "", "").await;
        stream.alive().await;
        open.push(stream);
    }
    let refused = server.get("/api/v1/events").await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "many-streams"));
    assert_eq!(refused.header("retry-after"), "5");
    assert_eq!(server.get("/health/live").await.status, 200);
    server.close().await;
    site.close().await;
}
