//! Clients that mean harm, or are broken: they get no names, take no memory, and delay nobody.

use std::time::{Duration, Instant};

use fargate_tests::{CheckedHost, PATIENCE};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::http_client::{exchange, request};
use crate::server::StatusServer;

/// Sockets that are opened and say nothing. Source: the fault list, H4.
const HALF_OPEN: usize = 2_000;

#[tokio::test]
async fn pages_of_other_sites_reach_nothing_and_odd_requests_are_refused() {
    let site = CheckedHost::open().await;
    site.prepared().await.cleanup().await.passed();
    site.set("serve.allowed_hosts", vec!["ci.example.org".to_owned()]);
    site.set("serve.local_access", "operator");
    let server = StatusServer::of(&site).await;
    let own = server.address.to_string();
    for host in
        ["evil.example", "127.0.0.1.evil.example", "ci.example.org.evil.example", "10.0.0.1", ""]
    {
        let answer = server.get_as("/api/v1/now", &[("host", host)]).await;
        assert_eq!((answer.status, answer.code().as_str()), (421, "wrong-host"), "{host}");
    }
    for host in ["ci.example.org", "CI.example.org:443", "localhost:1", own.as_str()] {
        assert_eq!(server.get_as("/api/v1/now", &[("host", host)]).await.status, 200, "{host}");
    }
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        let headers = [("origin", origin), ("content-type", "application/json")];
        let answer = server.post("/api/v1/intake/pause", &headers, r#"{"note":"x"}"#).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "other-site"), "{origin}");
        assert_eq!(server.get_as("/api/v1/now", &[("origin", origin)]).await.status, 403);
    }
    // A form that a page of another site sends by a click has no proof of our page.
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = server.post("/api/v1/intake/pause", &form, "note=x").await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "no-csrf-token"));
    assert!(server.json("/api/v1/now").await["paused_by"].is_null(), "nothing was paused");

    let large = "x".repeat(17 * 1024);
    let answer = server.post("/api/v1/csp-report", &[], &large).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "large-body"));
    let head = format!("GET / HTTP/1.1\r\nHost: {own}\r\nX: {}\r\n\r\n", "x".repeat(40 * 1024));
    let answer =
        String::from_utf8_lossy(&exchange(server.address, head.as_bytes()).await).into_owned();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    let two = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let answer =
        String::from_utf8_lossy(&exchange(server.address, two.as_bytes()).await).into_owned();
    assert!(!answer.contains("HTTP/1.1 200"), "{answer}");
    let preface = exchange(server.address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(!preface.starts_with(b"HTTP/2"), "HTTP/2 is not spoken");
    server.close().await;
    site.close().await;
}

#[tokio::test]
async fn two_thousand_silent_sockets_leave_health_fast_and_are_closed() {
    let site = CheckedHost::open().await;
    site.prepared().await.cleanup().await.passed();
    let server = StatusServer::of(&site).await;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("as many sockets");
    let mut silent = Vec::with_capacity(HALF_OPEN);
    for n in 0..HALF_OPEN {
        let mut stream = TcpStream::connect(server.address).await.expect("a connection");
        if n % 2 == 0 {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: ").await.expect("half a head");
        }
        silent.push(stream);
    }
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let begun = Instant::now();
        assert_eq!(request(server.address, ("GET", "/health/live"), &[], "").await.status, 200);
        slowest = slowest.max(begun.elapsed());
    }
    // The figure is 100 ms; half of a busy machine is not ours.
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
    // Those that sent nothing go after 5 s, those with half a head after 10 s.
    let mut last = silent.pop().expect("a silent socket");
    let mut rest = Vec::new();
    let closed = timeout(PATIENCE, last.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "a socket without a first byte stays open");
    server.close().await;
    site.close().await;
}
