//! Callers who did not sign in see no name of a private project, anywhere.

use fargate_tests::CheckedHost;

use crate::answers::PAGES;
use crate::server::StatusServer;

/// What the response of a test's job names.
const NAMES: [&str; 2] = ["group/project", "group%2Fproject"];

#[tokio::test]
async fn no_path_and_no_page_shows_a_name_to_who_did_not_sign_in() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    job.run("exit 1").await.with_code(1);
    job.cleanup().await.passed();
    let running = site.prepared().await;
    running.run("true").await.passed();
    site.set("serve.public_view", true);
    let seen_by_viewers = {
        let server = StatusServer::of(&site).await;
        let list = server.json_once("/api/v1/jobs", |json| json["total"] == 2).await;
        server.close().await;
        list.to_string()
    };
    assert!(seen_by_viewers.contains(NAMES[0]), "a viewer sees it, so the test can fail");

    site.set("serve.local_access", "nobody");
    let server = StatusServer::of(&site).await;
    let list = server.json_once("/api/v1/jobs", |json| json["total"] == 2).await;
    assert_eq!(list["rows"][0]["project"], "private project 1");
    let api = server.paths().await.into_iter();
    let of_jobs = ["", "/why", "/timeline", "/stages", "/events"].into_iter();
    let of_jobs = of_jobs.map(|part| format!("/api/v1/jobs/gl-4000{part}"));
    let searches =
        ["/api/v1/jobs?format=csv", "/api/v1/cost?by=project", "/api/v1/cost?format=csv"];
    let pages = PAGES.iter().copied().chain(["/jobs/gl-4000", "/jobs/gl-4001", "/cost?by=project"]);
    let pages = pages.chain(searches).map(str::to_owned);
    for path in api.chain(of_jobs).chain(pages) {
        let answer = server.get_as(&path, &[("accept", "text/html, application/json")]).await;
        for name in NAMES {
            assert!(!answer.text().contains(name), "{path} shows {name}");
        }
    }
    let job = server.json("/api/v1/jobs/gl-4000").await;
    for hidden in ["image", "image_digest", "console_url", "sha", "forge_url"] {
        assert!(job[hidden].is_null(), "{hidden}: {job}");
    }
    assert!(
        list["rows"][0]["image"].is_null() && list["images"] == serde_json::json!([]),
        "{list}"
    );
    let asked = server.json("/api/v1/jobs?project=group/project").await;
    assert_eq!(asked["total"], 2, "a filter on names would tell them");
    running.cleanup().await.passed();
    server.close().await;
    site.close().await;
}
