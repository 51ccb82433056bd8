//! Names of jobs, branches and projects that try to become something else.

use fargate_tests::CheckedHost;
use serde_json::Value;

use crate::server::StatusServer;

/// Names that a page, a terminal or a spreadsheet might take for more than names.
const CORPUS: [&str; 12] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg onload=alert(1)>",
    "javascript:alert(1)",
    "</title><script>alert(1)</script>",
    "--><script>alert(1)</script><!--",
    "{{constructor.constructor('alert(1)')()}}",
    "\u{202e}gpj.exe",
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "=cmd|'/c calc'!A0",
    "a\u{0}b\r\nSet-Cookie: x=1",
    "&lt;script&gt;",
];

#[tokio::test]
async fn an_odd_name_is_text_in_json_in_pages_and_in_headers() {
    let site = CheckedHost::open().await;
    for name in CORPUS.iter().copied().chain(["x".repeat(5000).as_str()]) {
        let job = site.job();
        let path = job.response();
        let mut response: Value =
            serde_json::from_slice(&std::fs::read(&path).expect("a response")).expect("JSON");
        response["job_info"]["name"] = name.into();
        response["git_info"]["ref"] = name.into();
        std::fs::write(&path, response.to_string()).expect("a response");
        job.prepare().await.passed();
        job.cleanup().await.passed();
    }
    let server = StatusServer::of(&site).await;
    let all = CORPUS.len() as u64 + 1;
    let done = |json: &Value| json["total"].as_u64() == Some(all);
    server.json_once("/api/v1/jobs?per=200", done).await;
    for path in ["/api/v1/jobs?per=200", "/api/v1/now", "/api/v1/jobs/gl-4000"] {
        let answer = server.get(path).await;
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(answer.header("set-cookie").is_empty(), "{path}");
        assert!(!answer.text().contains('\u{1b}'), "{path}: JSON escapes what a terminal obeys");
    }
    let jobs = (0..all).map(|n| format!("/jobs/gl-{}", 4000 + n));
    for page in jobs.chain(["/history?per=200".to_owned(), "/".to_owned()]) {
        let answer = server.get_as(&page, &[("accept", "text/html")]).await;
        assert_eq!(answer.status, 200, "{page}: {}", answer.text());
        let html = answer.text();
        for wrong in [
            "<script>alert",
            "<img src=x",
            "<svg onload",
            "\u{1b}",
            "\u{202e}",
            "href=\"javascript",
        ] {
            assert!(!html.contains(wrong), "{page} has {wrong:?}");
        }
    }
    let csv = server.get("/api/v1/jobs?format=csv").await.text();
    assert!(!csv.contains(",=cmd") && csv.contains("'=cmd"), "{csv}");
    server.close().await;
    site.close().await;
}
