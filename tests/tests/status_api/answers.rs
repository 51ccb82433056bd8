//! What each path answers about jobs that ran.

use fargate_tests::{CheckedHost, until_found};

use crate::http_client::request;
use crate::server::StatusServer;

/// Pages of the dashboard.
pub const PAGES: [&str; 7] =
    ["/", "/history", "/start-time", "/cost", "/images", "/checks", "/sign-in"];

#[tokio::test]
async fn every_path_tells_of_a_job_that_ran_and_of_one_that_failed() {
    let site = CheckedHost::open().await;
    let passed = site.prepared().await;
    passed.run("echo hello").await.passed();
    passed.cleanup().await.passed();
    let failed = site.job();
    failed.change_response(|response| {
        response["job_info"]["queue_size"] = 1234.into();
        response["job_info"]["time_in_queue_seconds"] = 42.5.into();
    });
    failed.prepare().await.passed();
    failed.run("exit 3").await.with_code(1);
    failed.cleanup().await.passed();
    let server = StatusServer::of(&site).await;
    let finished = |json: &serde_json::Value| {
        let rows = json["rows"].as_array().expect("rows");
        rows.len() == 2 && rows.iter().all(|row| row["state"] == "finished")
    };
    let list = server.json_once("/api/v1/jobs", finished).await;
    let verdicts: Vec<_> =
        list["rows"].as_array().unwrap().iter().map(|row| &row["verdict"]).collect();
    assert_eq!(verdicts, ["failed", "passed"], "newest first");
    let only = server.json("/api/v1/jobs?verdict=failed").await;
    assert_eq!((only["total"].as_u64(), only["all"].as_u64()), (Some(1), Some(2)));
    let page = server.json("/api/v1/jobs?per=1").await;
    let next = page["next"].as_str().expect("a next page");
    let second = server.json(&format!("/api/v1/jobs?per=1&after={next}")).await;
    assert_eq!(second["rows"][0]["verdict"], "passed");

    let key = passed.key();
    for name in ["gl-4000", "4000", key.as_str(), &key.as_str()[..12]] {
        let job = server.json(&format!("/api/v1/jobs/{name}")).await;
        assert_eq!((&job["id"], &job["verdict"]), (&"gl-4000".into(), &"passed".into()), "{name}");
    }
    let stages = server.json("/api/v1/jobs/gl-4001/stages").await;
    assert_eq!(stages[0]["exit"], 3, "{stages}");
    let timeline = server.json("/api/v1/jobs/gl-4000/timeline").await;
    assert!(timeline.as_array().unwrap().len() > 5, "{timeline}");
    let queued = server.json("/api/v1/jobs/gl-4001").await;
    let row = &queued["timeline"][0];
    let times = [&row["from_ms"], &row["to_ms"]].map(|time| time.as_u64().expect("a time"));
    assert_eq!((&queued["queue_size"], times[1] - times[0]), (&1234.into(), 42_500), "{queued}");
    let page = server.get_as("/jobs/gl-4001?view=start", &[("accept", "text/html")]).await.text();
    for words in ["1,234 jobs waited with it at the forge", "Queued at GitLab", "42.5 s"] {
        assert!(page.contains(words), "no {words}: {page}");
    }
    let events = server.json("/api/v1/jobs/gl-4000/events?per=200").await;
    let total = events["total"].as_u64().expect("a number");
    assert!(total > 5 && events["events"].as_array().unwrap().len() as u64 == total, "{events}");
    let page = server.json("/api/v1/jobs/gl-4000/events?per=2&after=2").await;
    assert_eq!((&page["events"][0], &page["next"]), (&events["events"][2], &"4".into()), "{page}");
    assert_eq!(server.json("/api/v1/tasks?per=1").await["total"], 0);
    assert!(server.json("/api/v1/jobs/gl-4001/why").await["answer"].is_string());

    for path in server.paths().await {
        let answer = server.get(&path).await;
        let is_operators = path == "/api/v1/audit";
        assert_eq!(
            answer.status,
            if is_operators { 403 } else { 200 },
            "{path}: {}",
            answer.text()
        );
    }
    for page in PAGES.iter().copied().chain(["/jobs/gl-4001", "/causes/no-capacity"]) {
        let answer = server.get_as(page, &[("accept", "text/html")]).await;
        assert_eq!(answer.status, 200, "{page}: {}", answer.text());
        assert!(answer.header("content-type").starts_with("text/html"), "{page}");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{page}");
    }
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains("fargate_runner_build_info"), "{metrics}");
    server.close().await;
    site.close().await;
}

#[tokio::test]
async fn who_has_an_answer_gets_no_second_one_and_unknown_words_are_named() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    job.cleanup().await.passed();
    let server = StatusServer::of(&site).await;
    server.json_once("/api/v1/jobs?last=7d", |json| json["total"] == 1).await;
    let window = "/api/v1/jobs?from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z";
    let first = server.get(window).await;
    let again = server.get_as(window, &[("if-none-match", first.header("etag"))]).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let notices = server.json("/api/v1/jobs?verdct=failed").await["notices"].clone();
    assert_eq!(notices[0], "Unknown filter `verdct`. Did you mean `verdict`?");
    let csv = server.get("/api/v1/jobs?format=csv").await;
    assert!(csv.header("content-type").starts_with("text/csv") && csv.text().contains("gl-4000"));

    for (path, status, code) in [
        ("/api/v1/jobs/gl-1", 404, "unknown-job"),
        ("/api/v1/jobs/%ff", 400, "bad-parameter"),
        ("/api/v1/jobs?after=guess", 400, "bad-parameter"),
        ("/api/v1/jobs/gl-4000?try=x", 400, "bad-parameter"),
        ("/api/v1/jobs/gl-4000/events?after=x", 400, "bad-parameter"),
        ("/api/v1/tasks?per=0", 400, "bad-parameter"),
        ("/api/v1/tasks?after=guess", 400, "bad-parameter"),
        ("/api/v1/nothing", 404, "unknown-path"),
        ("/api/v1/events?after=x", 400, "bad-parameter"),
    ] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path}");
    }
    let wrong = request(server.address, ("DELETE", "/api/v1/jobs"), &[], "").await;
    assert_eq!((wrong.status, wrong.code().as_str()), (405, "unknown-method"));
    let page = server.get_as("/nothing", &[("accept", "text/html")]).await;
    assert_eq!(page.status, 404);
    assert!(page.text().contains("<html"), "{}", page.text());
    let led = server.get_as("/jobs/4000", &[("accept", "text/html")]).await;
    assert_eq!((led.status, led.header("location")), (303, "/jobs/gl-4000"));
    // Only one daemon keeps the history of a host.
    let other = site.start(&["serve", "--listen", "127.0.0.1:0"]).ended().await;
    assert!(
        other.code == 1 && other.err().contains("another `fargate-runner serve`"),
        "{}",
        other.all()
    );
    server.close().await;
    site.close().await;
}

/// A job whose journal lost what it was, or never had it.
#[tokio::test]
async fn a_job_that_was_never_described_is_shown_by_its_key() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    job.cleanup().await.passed();
    let key = job.key();
    let journal = fargate_job_journal::JournalFolder::of(&site.state_dir()).journal(&key);
    let text = std::fs::read_to_string(&journal).expect("a journal");
    let rest: String = text
        .lines()
        .filter(|line| !line.contains("\"described\""))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(rest.len() < text.len(), "the test can fail");
    std::fs::write(&journal, rest).expect("a journal");
    let server = StatusServer::of(&site).await;
    server.json_once("/api/v1/jobs", |json| json["total"] == 1).await;
    let html = [("accept", "text/html")];
    let shown = &key.as_str()[..8];
    let led = server.get_as(&format!("/jobs/{shown}"), &html).await;
    assert_eq!((led.status, led.header("location")), (303, &*format!("/jobs/{key}")));
    let page = server.get_as(led.header("location"), &html).await;
    assert_eq!(page.status, 200, "{}", page.text());
    server.close().await;
    site.close().await;
}

#[tokio::test]
async fn causes_are_groups_if_a_query_asks_for_them_and_an_image_is_one_that_is_managed() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    job.run("exit 3").await.with_code(1);
    job.cleanup().await.passed();
    let server = StatusServer::of(&site).await;
    server.json_once("/api/v1/jobs", |json| json["rows"][0]["state"] == "finished").await;
    let groups = server.json("/api/v1/jobs?group=cause").await;
    assert_eq!(groups["rows"], serde_json::json!([]));
    let [group] = &groups["groups"].as_array().expect("groups")[..] else { panic!("{groups}") };
    assert_eq!((&group["slug"], &group["jobs"]), (&"script-failed".into(), &1.into()), "{group}");
    let page = server.get_as("/history?group=cause", &[("accept", "text/html")]).await.text();
    assert!(page.contains("href=\"/causes/script-failed\""), "{page}");
    let newest = server.json("/api/v1/now?sort=newest").await;
    assert_eq!(newest["attention"][0]["why"]["slug"], "script-failed", "{newest}");
    let unknown = server.get("/api/v1/images/nobodys").await;
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "unknown-image"));
    until_found("the first sweep is counted", async || {
        let metrics = server.get("/metrics").await.text();
        let is_counted =
            metrics.contains("ecs_requests_total{operation=\"ListTasks\",code=\"ok\"}");
        if is_counted { Ok(()) } else { Err(metrics) }
    })
    .await;
    server.close().await;
    site.close().await;
}
