//! A daemon that is gone, hangs or lies, and what else may stand in the place of its socket.

use std::os::unix::net::UnixListener;
use std::time::Duration;

use fargate_local_cloud::TaskTiming;
use fargate_tests::{CheckedHost, until};
use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{RunningDaemon, own_looks, socket, used_site};

/// H3: the daemon hangs, or dies, while a job waits for its task.
#[tokio::test]
async fn a_daemon_that_hangs_or_dies_while_a_task_starts_delays_nothing() {
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        let site = CheckedHost::open_with(|cloud| {
            // A start of about 1.5 s.
            cloud.pace = TaskTiming::Measured { factor: 0.05 };
        })
        .await;
        let first = site.prepared().await;
        first.cleanup().await.passed();
        let daemon = RunningDaemon::of(&site).await;
        let looked = own_looks(&site);
        let job = site.job();
        let running = job.start(&["prepare"]);
        until("a task", || site.tasks_of(&job).len() == 1).await;
        daemon.0.signal(signal);
        job.heard(running).await.with_code(0);
        assert!(own_looks(&site) > looked + 1, "{signal}: the driver asked ECS itself");
        job.run("true").await.passed();
        job.cleanup().await.passed();
        match signal {
            Signal::SIGSTOP => {
                daemon.0.signal(Signal::SIGCONT);
                daemon.close().await;
            }
            _ => {
                drop(daemon.0.ended().await);
                // The next daemon takes the place of the socket that is left.
                RunningDaemon::of(&site).await.close().await;
            }
        }
        site.close().await;
    }
}

/// What a liar answers to each request.
#[derive(Clone, Copy, Debug)]
enum LiarAnswer {
    Nothing,
    Garbage,
    TooLong,
    End,
    StoppedTask,
    OtherTask,
}

impl LiarAnswer {
    fn bytes(self, request: &str) -> Vec<u8> {
        let framed = |text: String| {
            let length = u32::try_from(text.len()).expect("short");
            [&length.to_be_bytes()[..], text.as_bytes()].concat()
        };
        let seen = |arn: &str, status: &str| {
            serde_json::json!({ "seen": { "is_looked": true, "age_ms": 1, "seen": {
                "task": arn, "status": status, "stopping": status == "STOPPED",
                "address": "127.0.0.1", "containers": [], "tags": {},
                "stop_code": null, "stopped_reason": "AccessDenied: a lie", "timeline": {
                    "created": null, "connected": null, "pull_started": null, "pull_stopped": null,
                    "started": null, "stopping": null, "stopped": null },
            }}})
            .to_string()
        };
        let arn = request.split('"').find(|word| word.starts_with("arn:")).unwrap_or("arn:odd");
        match self {
            Self::Nothing | Self::End => Vec::new(),
            Self::Garbage => b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
            Self::TooLong => vec![0x7f, 0xff, 0xff, 0xff, b'{'],
            Self::StoppedTask => framed(seen(arn, "STOPPED")),
            Self::OtherTask => framed(seen("arn:aws:ecs:eu-west-1:1:task/ci/other", "RUNNING")),
        }
    }
}

async fn lie(listener: tokio::net::UnixListener, answer: LiarAnswer) {
    loop {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        tokio::spawn(async move {
            let mut buffer = vec![0; 4096];
            while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                let request = String::from_utf8_lossy(&buffer[..n]).into_owned();
                if matches!(answer, LiarAnswer::End)
                    || stream.write_all(&answer.bytes(&request)).await.is_err()
                {
                    return;
                }
            }
        });
    }
}

#[tokio::test]
async fn whoever_lies_at_the_socket_changes_no_verdict() {
    let site = used_site().await;
    for answer in [
        LiarAnswer::Nothing,
        LiarAnswer::Garbage,
        LiarAnswer::TooLong,
        LiarAnswer::End,
        LiarAnswer::StoppedTask,
        LiarAnswer::OtherTask,
    ] {
        let listener = UnixListener::bind(socket(&site)).expect("a socket");
        listener.set_nonblocking(true).expect("a socket");
        let listener = tokio::net::UnixListener::from_std(listener).expect("a socket");
        let liar = tokio::spawn(lie(listener, answer));
        let job = site.job();
        let prepared = job.prepare().await;
        assert!(prepared.took < Duration::from_secs(10), "{answer:?}: {:?}", prepared.took);
        prepared.passed();
        job.run("true").await.passed();
        job.cleanup().await.passed();
        liar.abort();
        std::fs::remove_file(socket(&site)).expect("the liar's socket");
    }
    site.close().await;
}

#[tokio::test]
async fn a_link_in_the_place_of_the_socket_is_not_followed_by_the_daemon() {
    let site = used_site().await;
    let elsewhere = site.folder().join("elsewhere");
    std::fs::write(&elsewhere, "not ours").expect("a file");
    std::os::unix::fs::symlink(&elsewhere, socket(&site)).expect("a link");
    let mut daemon = site.start(&["serve", "--listen", "127.0.0.1:0"]);
    daemon.wrote("http://").await;
    until("the log says so", || site.log().contains("daemon.socket_failed")).await;
    assert_eq!(std::fs::read_to_string(&elsewhere).expect("the file"), "not ours");
    let job = site.prepared().await;
    job.cleanup().await.passed();
    // Mended by the operator, without a restart.
    std::fs::remove_file(socket(&site)).expect("the link");
    let daemon = RunningDaemon::listening(&site, daemon).await;
    daemon.close().await;
    site.close().await;
}

#[tokio::test]
async fn only_one_daemon_looks_after_a_host() {
    let site = used_site().await;
    let daemon = RunningDaemon::of(&site).await;
    let second = site.start(&["serve", "--listen", "127.0.0.1:0"]).ended().await.with_code(1);
    assert!(second.err().contains("another `fargate-runner serve`"), "{}", second.all());
    daemon.close().await;
    site.close().await;
}
