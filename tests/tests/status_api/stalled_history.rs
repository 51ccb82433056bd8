//! What jobs do does not reach the history: the page and the health say so, and nothing is lost.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use fargate_tests::{CheckedHost, until_found};

use crate::server::StatusServer;

/// Another process that holds the database until it is told to end.
fn hold(database: &std::path::Path) -> Child {
    let script = "import sqlite3, sys\n\
                  base = sqlite3.connect(sys.argv[1]); base.execute('BEGIN IMMEDIATE')\n\
                  print('held', flush=True); sys.stdin.read()";
    let mut command = Command::new("python3");
    command.args(["-c", script]).arg(database).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = command.spawn().expect("python3");
    let mut line = String::new();
    let stdout = holder.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("it holds it");
    holder
}

#[tokio::test]
async fn a_history_that_cannot_be_written_is_said_on_the_page_and_by_the_health() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let server = StatusServer::of(&site).await;
    let mut holder = hold(&site.state_dir().join("history.db"));
    job.run("true").await.passed();
    until_found("the health says so", async || {
        let health = server.get("/health/ready").await;
        if health.status == 503 { Ok(()) } else { Err(health.text()) }
    })
    .await;
    let health = server.get("/health/ready").await;
    assert_eq!((health.status, health.text().as_str()), (503, r#"{"status":"stalled"}"#));
    assert_eq!(server.get("/health/live").await.status, 200);
    let page = server.get_as("/", &[("accept", "text/html")]).await.text();
    assert!(page.contains("The history has not been written since"), "{page}");
    assert!(page.contains("another process holds the database"), "{page}");
    drop(holder.stdin.take());
    assert!(holder.wait().expect("it ends").success());
    server.ready().await;
    let page = until_found("the page is as ever", async || {
        let page = server.get_as("/", &[("accept", "text/html")]).await.text();
        if page.contains("has not been written") { Err(page) } else { Ok(page) }
    })
    .await;
    assert!(page.contains("<main"), "{page}");
    job.cleanup().await.passed();
    server.close().await;
    site.close().await;
}
