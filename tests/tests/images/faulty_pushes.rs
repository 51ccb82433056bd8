//! A push to a registry that does something wrong: what is tried again, what is told, and what is left.

use std::process::Stdio;

use fargate_tests::until;

use crate::image_layout::ImageLayout;
use crate::push_host::PushHost;
use crate::scripted_registry::ScriptedAnswer::{Answer, Cut, Silence};
use crate::scripted_registry::{ScriptedAnswer, ScriptedFault, ScriptedRegistry};

fn fault(
    method: &'static str,
    path: &'static str,
    times: usize,
    what: ScriptedAnswer,
) -> ScriptedFault {
    ScriptedFault { method, path, times, what }
}

#[tokio::test]
async fn what_passes_is_tried_again_each_time_with_a_new_upload() {
    let busy = Answer("429 Too Many Requests", "Retry-After: 1\r\n".to_owned(), "{}");
    let invalid = Answer(
        "400 Bad Request",
        String::new(),
        r#"{"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"lost"}]}"#,
    );
    let registry = ScriptedRegistry::start(vec![
        fault("PUT", "/uploads/", 1, Cut),
        fault("PUT", "/uploads/", 1, invalid),
        fault("HEAD", "/blobs/", 1, busy),
        fault(
            "PUT",
            "/manifests/",
            1,
            Answer("502 Bad Gateway", String::new(), "<html>busy</html>"),
        ),
    ]);
    let host = PushHost::open(&registry.host()).await;
    let image = ImageLayout::with_layers(&[2 * 1024 * 1024]);
    host.done(&["push", "ci", "--from", image.path(), "--tag", "v1"]).await;
    assert!(registry.manifests().contains(&"v1".to_owned()));
    let requests = registry.requests();
    let count = |method: &str| requests.iter().filter(|line| line.starts_with(method)).count();
    // One of the check before, two blobs, and two more for the tries that failed; twice without a login.
    let uploads =
        requests.iter().filter(|line| line.starts_with("PUT ") && line.contains("/uploads/"));
    let mut places: Vec<_> = uploads.collect();
    assert_eq!(places.len(), 4, "{requests:#?}");
    places.dedup();
    assert_eq!(places.len(), 4, "an upload was used again: {requests:#?}");
    // Chunks are what registries disagree about.
    assert_eq!(count("PATCH"), 0);
    host.close().await;
}

#[tokio::test]
async fn an_upload_that_is_sent_to_another_server_gets_nothing() {
    let elsewhere = ScriptedRegistry::start(Vec::new());
    let place = format!("Location: http://{}/v2/team/ci/blobs/uploads/1\r\n", elsewhere.host());
    let image = ImageLayout::with_layers(&[1024]);
    for answer in ["202 Accepted", "307 Temporary Redirect"] {
        // The first one is the request without a login.
        let wrong = fault("POST", "/uploads/", 2, Answer(answer, place.clone(), ""));
        let registry = ScriptedRegistry::start(vec![wrong]);
        let host = PushHost::open(&registry.host()).await;
        let said = host.refused(&["push", "ci", "--from", image.path()], 8).await;
        assert!(said.contains("another server; nothing was sent there"), "{said}");
        assert!(registry.manifests().is_empty());
        host.close().await;
    }
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_web_page_instead_of_a_registry_is_told_as_such() {
    let page = Answer("404 Not Found", "Content-Type: text/html\r\n".to_owned(), "<html>");
    let registry = ScriptedRegistry::start(vec![fault("POST", "/uploads/", 9, page)]);
    let host = PushHost::open(&registry.host()).await;
    let image = ImageLayout::with_layers(&[1024]);
    let said = host.refused(&["push", "ci", "--from", image.path()], 8).await;
    assert!(said.contains("it sent a web page"), "{said}");
    host.close().await;
}

#[tokio::test]
async fn a_registry_that_gives_back_other_bytes_is_found_out() {
    let image = ImageLayout::with_layers(&[1024]);
    let wrong = fault("GET", "/blobs/", 9, Answer("200 OK", String::new(), "other bytes"));
    let registry = ScriptedRegistry::start(vec![wrong]);
    let host = PushHost::open(&registry.host()).await;
    let said = host.refused(&["push", "ci", "--from", image.path()], 11).await;
    assert!(said.contains("reading the image back"), "{said}");
    host.close().await;
}

#[tokio::test]
async fn a_repository_for_everybody_is_refused_unless_the_image_allows_it() {
    let registry = ScriptedRegistry::start(Vec::new());
    registry.open_to_all();
    let host = PushHost::open(&registry.host()).await;
    let image = ImageLayout::with_layers(&[1024]);
    let said = host.refused(&["push", "ci", "--from", image.path()], 7).await;
    assert!(said.contains("everybody can pull") && said.contains("allow_public"), "{said}");
    assert!(registry.manifests().is_empty());
    host.host.set("image.ci.allow_public", true);
    host.done(&["push", "ci", "--from", image.path()]).await;
    host.close().await;
}

#[tokio::test]
async fn a_push_that_is_killed_leaves_no_tag_no_manifest_and_no_folder() {
    let registry = ScriptedRegistry::start(vec![fault("PUT", "/uploads/", 1, Silence)]);
    let host = PushHost::open(&registry.host()).await;
    let image = ImageLayout::with_layers(&[1024 * 1024]);
    let mut command = host.command(&["push", "ci", "--from", image.path()]);
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut push = command.spawn().expect("a program that can be started");
    let is_upload = |line: &String| line.starts_with("PUT ") && line.contains("/uploads/");
    until("a layer is on its way", || registry.requests().iter().any(is_upload)).await;
    push.kill().await.expect("a process that runs");
    assert!(registry.manifests().is_empty());
    // The next one removes what the killed one left, and does the work.
    host.done(&["push", "ci", "--from", image.path()]).await;
    let left = std::fs::read_dir(host.host.folder()).expect("a folder").flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with("image-spool-"));
    assert_eq!(left.count(), 0);
    host.close().await;
}
