//! A host on which nothing is configured, and no job has run.

use std::process::Stdio;

use fargate_tests::{CheckedHost, runner, until_found};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::answers::PAGES;
use crate::http_client::request;
use crate::server::StatusServer;

#[tokio::test]
async fn without_jobs_each_page_says_that_nothing_is_there_and_makes_nothing() {
    let site = CheckedHost::open().await;
    let state = site.folder().join("no-state");
    site.set("state_dir", state.display().to_string());
    site.set("serve.local_access", "operator");
    let server = StatusServer::of(&site).await;
    for page in PAGES {
        let answer = server.get_as(page, &[("accept", "text/html")]).await;
        assert_eq!(answer.status, 200, "{page}: {}", answer.text());
    }
    let now = server.json("/api/v1/now").await;
    assert_eq!(now["answer"], "No job has come yet.");
    // There is no daemon either, so nobody stops a task.
    let csrf = server.json("/api/v1/session").await["csrf"].as_str().expect("a proof").to_owned();
    let stop = "/api/v1/tasks/0123456789abcdef0123456789abcdef/stop";
    let refused = server.post(stop, &[("x-csrf-token", &csrf)], "").await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "no-daemon"));
    server.close().await;
    assert!(!state.exists(), "the state folder belongs to the user of the jobs");
    site.close().await;
}

#[tokio::test]
async fn the_first_job_is_shown_by_a_server_that_began_before_it() {
    let site = CheckedHost::open().await;
    site.set("serve.local_access", "operator");
    assert!(!site.state_dir().exists(), "no job has made the folder yet");
    let server = StatusServer::of(&site).await;
    assert_eq!(server.json("/api/v1/jobs").await["total"], 0);
    assert!(!site.state_dir().exists(), "the state folder belongs to the user of the jobs");
    let job = site.prepared().await;
    // The whole service is there, and not only its history.
    let socket = site.state_dir().join("daemon.sock");
    until_found(
        "the daemon",
        async || {
            if socket.exists() { Ok(()) } else { Err("no socket".to_owned()) }
        },
    )
    .await;
    let is_shown = async || {
        let answer = server.get_as("/api/v1/jobs/gl-4000", &[("accept", "application/json")]).await;
        if answer.status == 200 { Ok(answer.json()) } else { Err(answer.text()) }
    };
    let shown = until_found("the job, without a restart", is_shown).await;
    assert_eq!(shown["key"], job.key().as_str());
    job.run("exit 3").await.with_code(1);
    job.cleanup().await.passed();
    let is_over = |json: &serde_json::Value| json["rows"][0]["verdict"] == "failed";
    server.json_once("/api/v1/jobs", is_over).await;
    server.close().await;
    site.close().await;
}

#[tokio::test]
async fn without_any_configuration_the_page_says_what_is_missing() {
    if std::path::Path::new("/etc/fargate-runner/config.toml").exists() {
        fargate_tests::skip("a configuration file is installed on this machine");
        return;
    }
    let mut command = Command::new(runner());
    command.args(["serve", "--listen", "127.0.0.1:0"]).env_clear().kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn().expect("a process");
    let mut line = String::new();
    let mut stdout = BufReader::new(process.stdout.take().expect("piped"));
    stdout.read_line(&mut line).await.expect("its address");
    let address = line.trim().trim_start_matches("http://").trim_end_matches('/');
    let address = address.parse().expect(address);
    until_found("a page", || async move {
        let answer = request(address, ("GET", "/"), &[("accept", "text/html")], "").await;
        let is_right = answer.text().contains("Nothing is configured");
        if is_right { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    let pid = i32::try_from(process.id().expect("it runs")).expect("a process id");
    kill(Pid::from_raw(pid), Signal::SIGTERM).expect("a signal");
    assert!(process.wait().await.expect("an end").success());
}
