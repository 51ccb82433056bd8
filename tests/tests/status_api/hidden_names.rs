//! Callers who did not sign in see no name of a private project, anywhere.

use std::time::Duration;

use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_tests::{CheckedHost, PipeReading, SYSTEM_FAILURE, TestJob};

use crate::answers::PAGES;
use crate::server::StatusServer;

/// All private names of these jobs: of the project and its group, the job, the branch, the commit, a stage that the job
/// named itself, and an image of which ECS speaks. No text of the product has any of these words.
const NAMES: [&str; 7] = [
    "quartz-group",
    "quartz-project",
    "quartz-job",
    "quartz-branch",
    "5ec4e7c0ffee",
    "quartz-stage",
    "quartz-image",
];

const HTML: [(&str, &str); 1] = [("accept", "text/html, application/json")];

/// Gives a job the private names, where GitLab would say them.
fn name_privately(job: &TestJob) {
    let token = job.token.clone();
    job.change_response(|response| {
        response["job_info"]["name"] = "quartz-job".into();
        response["job_info"]["project_name"] = "quartz-project".into();
        response["job_info"]["project_full_path"] = "quartz-group/quartz-project".into();
        response["git_info"]["ref"] = "quartz-branch".into();
        response["git_info"]["sha"] = "5ec4e7c0ffee5ec4e7c0ffee5ec4e7c0ffee5ec4".into();
        response["git_info"]["repo_url"] = format!(
            "https://gitlab-ci-token:{token}@gitlab.example/quartz-group/quartz-project.git"
        )
        .into();
    });
}

/// A job whose script fails, one whose image is denied, and one that still runs.
async fn run_jobs(site: &CheckedHost) {
    let failed = site.job();
    name_privately(&failed);
    failed.prepare().await.passed();
    let stage = failed.start_stage("step_quartz-stage", "exit 1", PipeReading::Always);
    failed.heard(stage).await.with_code(1);
    failed.cleanup().await.passed();

    let denied = site.job();
    name_privately(&denied);
    let stop = CloudFault::TaskStops {
        phase: CloudTaskPhase::Pending,
        after: Duration::ZERO,
        stop_code: "TaskFailedToStart".to_owned(),
        stopped_reason: "CannotPullContainerError: pull access denied for quartz-image".to_owned(),
        container_reason: None,
        exit_code: None,
    };
    site.cloud().fail_until_cleared("RunTask", stop);
    denied.prepare().await.with_code(SYSTEM_FAILURE);
    site.cloud().clear_faults();
    denied.cleanup().await.passed();

    let running = site.job();
    name_privately(&running);
    running.prepare().await.passed();
    running.run("true").await.passed();
}

/// What a viewer sees of these jobs.
async fn seen_by_viewers(site: &CheckedHost) -> String {
    let server = StatusServer::of(site).await;
    let list = server.json_once("/api/v1/jobs", |json| json["total"] == 3).await;
    let mut seen = list.to_string();
    for job in ["gl-4000", "gl-4001"] {
        let is_over = |json: &serde_json::Value| json["verdict"].is_string();
        server.json_once(&format!("/api/v1/jobs/{job}"), is_over).await;
        seen += &server.get_as(&format!("/jobs/{job}"), &HTML).await.text();
    }
    server.close().await;
    seen
}

#[tokio::test]
async fn no_path_and_no_page_shows_a_name_to_who_did_not_sign_in() {
    let site = CheckedHost::open().await;
    run_jobs(&site).await;
    site.set("serve.public_view", true);
    let seen = seen_by_viewers(&site).await;
    for name in NAMES {
        assert!(seen.contains(name), "a viewer does not see {name}, so the test could not fail");
    }

    site.set("serve.local_access", "nobody");
    let server = StatusServer::of(&site).await;
    let list = server.json_once("/api/v1/jobs", |json| json["total"] == 3).await;
    assert_eq!(list["rows"][0]["project"], "private project 1");
    let api = server.paths().await.into_iter();
    let jobs = ["gl-4000", "gl-4001", "gl-4002"];
    let of_jobs = jobs.iter().flat_map(|job| {
        ["", "/why", "/timeline", "/stages", "/events"]
            .map(|part| format!("/api/v1/jobs/{job}{part}"))
    });
    let pages_of_jobs = jobs.iter().flat_map(|job| {
        ["", "?view=start", "?view=stages", "?view=tries"].map(|view| format!("/jobs/{job}{view}"))
    });
    let others = [
        "/cost?by=project",
        "/cost?by=image",
        "/history?group=cause",
        "/api/v1/jobs?format=csv",
        "/api/v1/jobs?group=cause",
        "/api/v1/cost?by=project",
        "/api/v1/cost?format=csv",
        "/metrics",
    ];
    let others = PAGES.iter().copied().chain(others).map(str::to_owned);
    for path in api.chain(of_jobs).chain(pages_of_jobs).chain(others) {
        let answer = server.get_as(&path, &HTML).await;
        let (head, body) = (format!("{:?}", answer.headers), answer.text());
        for name in NAMES {
            assert!(!body.contains(name) && !head.contains(name), "{path} shows {name}: {body}");
        }
    }
    for id in jobs {
        let job = server.json(&format!("/api/v1/jobs/{id}")).await;
        let hidden =
            ["name", "git_ref", "image", "image_digest", "console_url", "sha", "forge_url", "user"];
        for hidden in hidden {
            assert!(job[hidden].is_null(), "{hidden}: {job}");
        }
    }
    assert!(
        list["rows"][0]["image"].is_null() && list["images"] == serde_json::json!([]),
        "{list}"
    );
    for filter in ["project=quartz-group/quartz-project", "ref=quartz-branch", "q=quartz-job"] {
        for asked in [filter.to_owned(), filter.replace("quartz", "other")] {
            let listed = server.json(&format!("/api/v1/jobs?{asked}")).await;
            assert_eq!(listed["total"], 3, "a filter on names would tell them: {asked}");
        }
    }
    server.close().await;
    site.close().await;
}
