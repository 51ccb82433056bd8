//! An image in ECR: its own API is the local cloud's, and what its registry serves comes from a real registry
//! behind a proxy of HTTP.

use std::fs;

use fargate_tests::RecordingProxy;
use serde_json::{Value, json};

use fargate_tests::image_host::{ImageHost, REPOSITORY};

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const OLD: &str = "ci-c20200101t000000z-0a1b2c3d-4e5f6071";

/// Calls `image`. The name of the registry leads to the proxy, and by TLS to nobody.
async fn image(
    managed: &ImageHost,
    proxy: &RecordingProxy,
    arguments: &[&str],
) -> (Option<i32>, String) {
    let mut command = managed.command(arguments);
    command.env("HTTP_PROXY", format!("http://{}", proxy.host()));
    command.env("HTTPS_PROXY", "http://127.0.0.1:1");
    let said = managed.said(command).await;
    (said.code, format!("{}{}", said.out, said.err))
}

#[tokio::test]
async fn old_images_of_ecr_are_found_and_deleted_by_its_own_api_and_its_login_is_asked_for() {
    let Some(managed) = ImageHost::open().await else { return };
    let cloud = managed.host.cloud();
    let listed = managed.with_versions(1).remove(0);
    let old = managed.registry.push_labelled(REPOSITORY, OLD, "amd64", "old");
    for (tag, digest) in [("ci-0", &listed), (OLD, &old)] {
        let manifest = managed.registry.manifest(REPOSITORY, digest).expect("a manifest");
        let manifest = String::from_utf8(manifest).expect("JSON");
        cloud.put_image(REPOSITORY, tag, &manifest).expect("a new image");
    }
    let repository = format!("{REGISTRY}/{REPOSITORY}");
    managed.host.set("image.ci.repository", repository.as_str());
    managed.host.set("image.ci.insecure_registries", vec![REGISTRY]);
    managed.edit(|image| image["repository"] = json!(repository));

    let proxy = RecordingProxy::before(&managed.registry.host());
    let (code, said) = image(&managed, &proxy, &["gc", "ci", "--apply", "--json"]).await;
    assert_eq!(code, Some(0), "{said}");
    let requests = cloud.requests();
    let deleted: Vec<&Value> = requests
        .iter()
        .filter(|request| request.operation == "BatchDeleteImage")
        .map(|request| &request.body["imageIds"])
        .collect();
    assert_eq!(deleted, [&json!([{ "imageDigest": old }])]);
    assert_eq!(managed.host.calls("DescribeImages"), 1, "{said}");
    assert_eq!(managed.host.calls("GetAuthorizationToken"), 0, "the image names its own login");
    let (code, again) = image(&managed, &proxy, &["gc", "ci", "--apply", "--json"]).await;
    assert_eq!(code, Some(0), "{again}");
    assert!(again.contains(r#""images":[]"#), "{again}");

    // Without a secret it is ECR's own login, which this registry does not know.
    let text = fs::read_to_string(managed.host.config()).expect("the configuration");
    let without = text.lines().filter(|line| !line.contains("registry_secret"));
    let without: Vec<&str> = without.collect();
    fs::write(managed.host.config(), without.join("\n")).expect("a writable file");
    let strict = RecordingProxy::before(&managed.registry.host());
    let (code, said) = image(&managed, &strict, &["verify", "ci", "ci-0"]).await;
    assert_eq!(code, Some(7), "{said}");
    assert!(said.contains("user `AWS`"), "{said}");
    assert_eq!(managed.host.calls("GetAuthorizationToken"), 1);
    let logins = strict.logins();
    assert!(logins.len() == 1 && logins[0].starts_with("Basic QVdTO"), "{logins:?}");
    managed.host.close().await;
}
