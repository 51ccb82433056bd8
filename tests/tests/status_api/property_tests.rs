//! `schemathesis` (others' judge) asks what the `OpenAPI` document allows, and much that it does not.

use std::process::Command;

use fargate_tests::{CheckedHost, python};

use crate::server::StatusServer;

#[tokio::test]
async fn no_request_makes_an_error_of_ours_or_an_undocumented_answer() {
    let Some(python) = python() else { return };
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    job.run("exit 1").await.with_code(1);
    job.cleanup().await.passed();
    site.set("serve.local_access", "operator");
    let server = StatusServer::of(&site).await;
    server.json_once("/api/v1/jobs", |json| json["total"] == 1).await;
    let url = format!("http://{}/openapi.json", server.address);
    let arguments = [
        "run",
        &url,
        "--checks",
        "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        "--exclude-path",
        "/api/v1/events",
        "--max-examples",
        "10",
        "--seed",
        "1",
        "--phases",
        "examples,coverage,fuzzing",
        "--no-color",
    ];
    let mut command = Command::new(&python);
    // Not the program, whose first line names the folder that it was first installed in.
    command.args(["-c", "from schemathesis.cli import schemathesis; schemathesis()"]);
    command.args(arguments).current_dir(site.folder());
    let ran = tokio::task::spawn_blocking(move || command.output()).await.expect("a thread");
    let output = ran.unwrap_or_else(|error| panic!("{}: {error}", python.display()));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    server.close().await;
    // Among what it asked were pauses.
    site.start(&["resume"]).ended().await.with_code(0);
    site.close().await;
}
