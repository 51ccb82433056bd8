//! The network between driver and cloud: answers that are lost, late or come in single bytes start
//! no second task.

use std::net::SocketAddr;
use std::rc::Rc;

use fargate_tests::{
    CheckedHost, ConnectionCut, FaultyRelay, PATIENCE, RelayFault, RelayFaultKind, RelaySide,
    TestJob,
};

use crate::site;

/// A job whose stages reach the cloud through a relay.
async fn relayed_to_cloud(site: &CheckedHost) -> (Rc<TestJob>, FaultyRelay) {
    let endpoint = site.cloud().endpoint();
    let target = endpoint.trim_start_matches("http://").trim_end_matches('/');
    let target: SocketAddr = target.parse().expect("an address with a port");
    let relay = FaultyRelay::to(target).await;
    let ours = format!("http://{}", relay.address);
    (site.job_with(|job| job.set("AWS_ENDPOINT_URL_ECS", ours)), relay)
}

#[tokio::test]
async fn an_answer_of_the_cloud_that_is_cut_at_any_byte_starts_one_task() {
    for (n, after) in [0, 1, 9, 17, 60, 120, 200, 400, 800].into_iter().enumerate() {
        let site = site().await;
        let (job, relay) = relayed_to_cloud(&site).await;
        let how = if n % 2 == 0 { ConnectionCut::Rst } else { ConnectionCut::Fin };
        relay.plan(RelayFault { from: RelaySide::Task, after, what: RelayFaultKind::Cut(how) });
        job.prepare().await.passed();
        assert_eq!(site.tasks_of(&job).len(), 1, "{after}");
        assert_eq!(job.run("echo on").await.with_code(0).out(), "on\n");
        job.cleanup().await.passed();
        site.close().await;
    }
}

#[tokio::test]
async fn an_answer_of_the_cloud_that_stalls_is_asked_for_again() {
    for after in [0, 30, 300] {
        let site = site().await;
        site.set("defaults.timeouts.aws_connect", "500ms");
        site.set("defaults.timeouts.aws_attempt", "500ms");
        let (job, relay) = relayed_to_cloud(&site).await;
        relay.plan(RelayFault { from: RelaySide::Task, after, what: RelayFaultKind::Stall });
        let ended = job.prepare().await.with_code(0);
        assert!(ended.took < PATIENCE, "{after}: {:?}", ended.took);
        assert_eq!((relay.stalls(), site.tasks_of(&job).len()), (1, 1), "{after}");
        site.close().await;
    }
}

#[tokio::test]
async fn answers_of_the_cloud_that_come_byte_by_byte_are_read() {
    let site = site().await;
    let (job, relay) = relayed_to_cloud(&site).await;
    relay.in_pieces_of(1);
    job.prepare().await.passed();
    assert_eq!(job.run("echo on").await.with_code(0).out(), "on\n");
    job.cleanup().await.passed();
    assert_eq!(site.tasks_of(&job).len(), 1);
    site.close().await;
}
