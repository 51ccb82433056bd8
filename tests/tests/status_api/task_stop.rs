//! Operators stop tasks of this host, and of no other.

use aws_sdk_ecs::types::{AwsVpcConfiguration, LaunchType, NetworkConfiguration};
use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_tests::{CheckedHost, SYSTEM_FAILURE, until_found};
use serde_json::Value;

use crate::access::token;
use crate::server::StatusServer;

/// A task that another host started in the same cluster.
async fn foreign_task(site: &CheckedHost) -> String {
    site.cloud().fail("RunTask", CloudFault::TaskHeld { phase: CloudTaskPhase::Pending });
    let vpc = AwsVpcConfiguration::builder()
        .subnets("subnet-0a1b2c3d4e5f60718")
        .security_groups("sg-0c3d4e5f60718293b")
        .build()
        .expect("it has subnets");
    let call = site.ecs().run_task().cluster("ci").task_definition("ci-job");
    let network = NetworkConfiguration::builder().awsvpc_configuration(vpc).build();
    let call = call.launch_type(LaunchType::Fargate).started_by("another-host");
    let answer = call.network_configuration(network).send().await.expect("a task");
    answer.tasks()[0].task_arn().expect("an ARN").to_owned()
}

fn stop_path(arn: &str) -> String {
    format!("/tasks/{}/stop", arn.rsplit('/').next().expect("an id"))
}

fn desired(site: &CheckedHost, arn: &str) -> String {
    let task = site.cloud().tasks().into_iter().find(|task| task.arn == arn);
    task.expect("a task").desired_status
}

#[tokio::test]
async fn an_operator_stops_a_task_of_this_host_and_the_audit_log_names_it() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let (arn, foreign) = (site.task_of(&job).arn, foreign_task(&site).await);
    let mut tokens = Vec::new();
    let viewer = format!("Bearer {}", token(&site, &mut tokens, "ben", "viewer").await);
    let secret = token(&site, &mut tokens, "anna", "operator").await;
    let operator = format!("Bearer {secret}");
    site.set("serve.local_access", "nobody");
    let server = StatusServer::of(&site).await;
    let (viewer, operator) = ([("authorization", &*viewer)], [("authorization", &*operator)]);

    let path = stop_path(&arn);
    let shown = until_found("the job with its task", async || {
        let answer = server.get_as("/api/v1/jobs/gl-4000", &operator).await;
        if answer.text().contains(&arn) { Ok(answer.json()) } else { Err(answer.text()) }
    })
    .await;
    assert_eq!(shown["stop_path"], path.as_str());
    let shown = server.get_as("/api/v1/jobs/gl-4000", &viewer).await.json();
    assert_eq!(shown["stop_path"], Value::Null, "a viewer gets no such path");

    let api = |path: &str| format!("/api/v1{path}");
    let unknown = stop_path("0123456789abcdef0123456789abcdef");
    for (path, caller, status, code) in [
        (path.as_str(), &viewer, 403, "not-allowed"),
        (stop_path(&foreign).as_str(), &operator, 404, "unknown-task"),
        (unknown.as_str(), &operator, 404, "unknown-task"),
        (stop_path(&arn[..arn.len() - 1]).as_str(), &operator, 404, "unknown-task"),
    ] {
        let refused = server.post(&api(path), caller, "").await;
        assert_eq!((refused.status, refused.code().as_str()), (status, code), "{path}");
    }
    let denied = CloudFault::Exception {
        status: 400,
        code: "AccessDeniedException".to_owned(),
        message: "not authorized to perform: ecs:StopTask".to_owned(),
    };
    site.cloud().fail("StopTask", denied);
    let refused = server.post(&api(&path), &operator, "").await;
    assert_eq!((refused.status, refused.code().as_str()), (502, "ecs-refused"));
    assert!(refused.text().contains("ecs:StopTask"), "{}", refused.text());
    assert_eq!(
        (desired(&site, &arn), desired(&site, &foreign)),
        ("RUNNING".into(), "RUNNING".into())
    );

    let form = ("content-type", "application/x-www-form-urlencoded");
    let signed_in = server.post("/sign-in", &[form], &format!("token={secret}")).await;
    let cookie = signed_in.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    let browser = [form, ("cookie", cookie.as_str()), ("accept", "text/html")];
    let page = server.get_as("/jobs/gl-4000", &browser).await.text();
    assert!(page.contains(&format!("action=\"{path}\"")), "{page}");
    let unproven = server.post(&path, &browser, "job=gl-4000").await;
    assert_eq!(unproven.status, 403);
    let session = server.get_as("/api/v1/session", &browser).await.json();
    let fields = format!("job=gl-4000&csrf={}", session["csrf"].as_str().expect("a proof"));
    let stopped = server.post(&path, &browser, &fields).await;
    assert_eq!((stopped.status, stopped.header("location")), (303, "/jobs/gl-4000"));
    assert_eq!(desired(&site, &arn), "STOPPED");

    job.run("true").await.with_code(SYSTEM_FAILURE);
    job.cleanup().await.passed();
    until_found("the task is over", async || {
        let again = server.post(&api(&path), &operator, "").await;
        if again.status == 409 { Ok(again.code()) } else { Err(again.text()) }
    })
    .await;
    let audit = server.get_as("/api/v1/audit", &operator).await.json();
    let entries = audit["entries"].as_array().expect("entries").iter();
    let mut stops = entries.filter(|entry| entry["action"] == "task.stop");
    assert!(stops.clone().count() >= 2, "the refused call and the other one: {audit}");
    let is_annas = |entry: &Value| entry["who"] == "anna" && entry["object"] == arn.as_str();
    assert!(stops.all(is_annas), "{audit}");
    site.ecs().stop_task().cluster("ci").task(&foreign).send().await.expect("a stop");
    server.close().await;
    site.close().await;
}
