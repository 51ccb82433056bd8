//! What gitlab-runner says of itself is shown as it says it, with its age; what nobody told is never a number.

use fargate_tests::CheckedHost;

use crate::answering_server::{AnsweringServer, ServerAnswer};
use crate::server::StatusServer;

const METRICS: &str = "# TYPE gitlab_runner_concurrent gauge\ngitlab_runner_concurrent 7\n\
    gitlab_runner_errors_total{level=\"error\"} 2\n\
    gitlab_runner_jobs{runner=\"a\",state=\"running\",stage=\"step_script\"} 3\n\
    gitlab_runner_request_concurrency{runner=\"a\"} 1\n\
    gitlab_runner_version_info{version=\"18.4.1\"} 1\n";

const PAGE: [(&str, &str); 1] = [("accept", "text/html")];

#[tokio::test]
async fn the_page_shows_what_gitlab_runner_says_of_itself() {
    let runner = AnsweringServer::start(vec![ServerAnswer::Status(200, METRICS.to_owned())]).await;
    let site = CheckedHost::open().await;
    site.set("serve.gitlab_runner_metrics", runner.url("/metrics"));
    let job = site.prepared().await;
    let server = StatusServer::of(&site).await;
    let heard = |json: &serde_json::Value| json["gitlab_runner"]["heard_ms"].is_u64();
    let now = server.json_once("/api/v1/now", heard).await;
    let told = &now["gitlab_runner"];
    assert_eq!(
        (&told["jobs"], &told["concurrent"], &told["errors"]),
        (&3.into(), &7.into(), &2.into())
    );
    assert_eq!(told["requests_exceeded"], serde_json::Value::Null, "it did not tell");
    let slots =
        now["limits"].as_array().and_then(|rows| rows.iter().find(|row| row["name"] == "Slots"));
    assert_eq!(slots.map(|row| &row["allowed"]), Some(&7.0.into()), "{now}");
    server.json_once("/api/v1/jobs", |json| json["total"] == 1).await;
    let page = server.get_as("/", &PAGE).await.text();
    assert!(page.contains("GitLab Runner says") && page.contains("18.4.1"), "{page}");
    job.cleanup().await.passed();
    server.close().await;
    site.close().await;
}

#[tokio::test]
async fn a_gitlab_runner_that_does_not_answer_has_a_reason_and_no_numbers() {
    let site = CheckedHost::open().await;
    let refused = ServerAnswer::Status(404, "no such page".to_owned());
    let runner = AnsweringServer::start(vec![refused]).await;
    site.set("serve.gitlab_runner_metrics", runner.url("/metrics"));
    let server = StatusServer::of(&site).await;
    let failed = |json: &serde_json::Value| json["gitlab_runner"]["error"].is_string();
    let now = server.json_once("/api/v1/now", failed).await;
    assert_eq!(now["gitlab_runner"]["error"], "it answered 404");
    for number in ["heard_ms", "jobs", "concurrent", "errors"] {
        assert!(now["gitlab_runner"][number].is_null(), "{number}: {now}");
    }
    server.close().await;
    site.close().await;
}
