//! A connection that breaks while a script runs, and bytes that change on the way.

use std::net::SocketAddr;
use std::rc::Rc;

use fargate_tests::{Job, SYSTEM_FAILURE, Site, mark, process, until};

use crate::proxy::{Proxy, Way};

/// A prepared job whose `run` goes through a proxy, and where its task really is.
async fn through_a_proxy(site: &Site, way: Way) -> (Rc<Job>, Proxy, SocketAddr) {
    // A task that still runs after a cut is not watched for long.
    site.set("defaults.timeouts.verdict", "2s");
    site.set("defaults.timeouts.client_gone", "1s");
    let job = site.prepared().await;
    let state = job.state().expect("a state file");
    let target = state["address"].as_str().and_then(|a| a.parse().ok()).expect("an address");
    let proxy = Proxy::to(target, way).await;
    go_to(&job, proxy.address);
    (job, proxy, target)
}

fn go_to(job: &Job, address: SocketAddr) {
    job.change_state(|state| state["address"] = address.to_string().into());
}

/// A script that runs until the way is set to `broken` ends as a system failure, is ended by the
/// agent, and was started once.
async fn cut_by(broken: Way) {
    let site = Site::open().await;
    site.set("defaults.timeouts.keepalive", "500ms");
    site.set("defaults.timeouts.keepalive_tries", 3);
    let (job, proxy, target) = through_a_proxy(&site, Way::Open).await;
    let mark = mark(&format!("cut-{broken:?}"));
    let script = format!("echo start >> /builds/starts; echo up; exec -a '{mark}' sleep 1000");
    let mut running = job.start_run(script);
    running.wrote("up").await;
    until("the script is there", || process(&mark).is_some()).await;
    proxy.set(broken);
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert_eq!((ended.out().as_str(), job.exit_code()), ("up\n", None));
    let line = ended.error_line();
    let expected = "fargate-runner: error: the connection to the task was lost";
    assert!(line.starts_with(expected), "{line}");
    assert_eq!(ended.err().lines().count(), 1, "{}", ended.err());
    if broken != Way::Silent {
        // Only the proxy knows that the driver is gone; TCP's own judgement takes a minute.
        until("the agent ended the script", || process(&mark).is_none()).await;
    }
    go_to(&job, target);
    let ended = job.run("cat /builds/starts").await.with_code(0);
    assert_eq!(ended.out(), "start\n");
    assert_eq!(process(&mark), None, "the next run ends what the former one left");
    site.close().await;
}

#[tokio::test]
async fn a_closed_connection_is_a_system_failure_and_the_script_is_not_run_again() {
    cut_by(Way::Closed).await;
}

#[tokio::test]
async fn a_reset_connection_is_a_system_failure_and_the_script_is_not_run_again() {
    cut_by(Way::Reset).await;
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_noticed_by_keepalives() {
    cut_by(Way::Silent).await;
}

#[tokio::test]
async fn cut_after_any_byte_a_run_never_passes_by_mistake() {
    let site = Site::open().await;
    site.set("defaults.timeouts.handshake", "3s");
    let (job, proxy, target) = through_a_proxy(&site, Way::Open).await;
    let expected = "line\n".repeat(400);
    let script = "echo start >> /builds/starts; for i in {1..400}; do echo line; done";
    let mut passed = 0;
    for limit in [0, 1, 20, 200, 1000, 1500, 2000, 2500, 3000, 4000, 6000, 1 << 20] {
        proxy.set(Way::CutAfter(limit));
        let ended = job.run(script).await;
        assert!(expected.starts_with(&ended.out()), "{limit}: {}", ended.out());
        if ended.code == 0 {
            assert_eq!(ended.out(), expected, "{limit}");
            passed += 1;
        } else {
            assert_eq!(ended.code, SYSTEM_FAILURE, "{limit}: {}", ended.err());
            let line = ended.error_line();
            assert!(line.contains("fargate-runner: error: "), "{limit}: {line}");
        }
    }
    assert!((1..12).contains(&passed), "{passed} of 12 passed");
    go_to(&job, target);
    let ended = job.run("wc -l < /builds/starts").await.with_code(0);
    let starts: usize = ended.out().trim().parse().expect("a count");
    assert!((passed..=12).contains(&starts), "{starts} starts in 12 runs");
    site.close().await;
}

#[tokio::test]
async fn a_byte_that_changes_on_the_way_is_a_system_failure() {
    let site = Site::open().await;
    site.set("defaults.timeouts.handshake", "3s");
    let (job, proxy, _) = through_a_proxy(&site, Way::Open).await;
    for at in [30, 1200, 2400] {
        proxy.set(Way::FlipAt(at));
        let ended = job.run("for i in {1..400}; do echo line; done").await;
        assert_eq!(ended.code, SYSTEM_FAILURE, "{at}: {}", ended.all());
        assert!("line\n".repeat(400).starts_with(&ended.out()), "{at}: {}", ended.out());
        let line = ended.error_line();
        assert!(line.contains("fargate-runner: error: "), "{at}: {line}");
    }
    site.close().await;
}
