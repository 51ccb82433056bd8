//! The policy of whoever builds images, where the registry is ECR: its own API is the local cloud's, and what its
//! registry serves comes from a real registry behind a proxy of HTTP.

use fargate_local_cloud::LocalCloud;
use fargate_tests::RecordingProxy;
use fargate_tests::image_host::{ImageHost, REPOSITORY};
use serde_json::{Value, json};

use crate::limited_host::PolicyGrant;
use crate::{IMAGE_BUILDER_GRANTS, PolicyFlow, grants};

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const OLD: &str = "ci-c20200101t000000z-0a1b2c3d-4e5f6071";
/// The role that acts as this holder in tests.
const BUILDER_ROLE: &str = "acting-imagebuilder";

/// A repository with a version that is listed and an image that nobody needs.
async fn furnished() -> Option<(ImageHost, RecordingProxy)> {
    let managed = ImageHost::open().await?;
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
    Some((managed, proxy))
}

/// Takes the grant from the role's policy.
fn limit(cloud: &LocalCloud, policy: &Value, missing: PolicyGrant) {
    let mut policy = policy.clone();
    missing.take_from(&mut policy);
    cloud.put_role_policy(BUILDER_ROLE, "printed", &policy.to_string()).expect("it is evaluated");
}

/// `image gc --apply` without a grant, or with all of them: the exit code, and what was said.
async fn collected(missing: Option<PolicyGrant>) -> Option<(Option<i32>, String)> {
    let (managed, proxy) = furnished().await?;
    // A task whose image might be one of the repository.
    let _running = managed.host.prepared().await;
    let mut command = managed.command(&["gc", "ci", "--apply", "--json"]);
    command.env("HTTP_PROXY", format!("http://{}", proxy.host()));
    command.env("HTTPS_PROXY", "http://127.0.0.1:1");
    if let Some(missing) = missing {
        managed.host.expecting_refusals("the test takes a right away");
        let words = ["iam-policy", "--for", "image-builder", "--account", "123456789012"];
        let printed = managed.host.start(&words).ended().await.with_code(0);
        let policy = serde_json::from_str(&printed.out()).expect("JSON");
        limit(managed.host.cloud(), &policy, missing);
    }
    let said = managed.said(command).await;
    managed.host.close().await;
    Some((said.code, format!("{}{}", said.out, said.err)))
}

#[tokio::test]
async fn old_images_are_deleted_with_exactly_the_printed_policy_and_not_without_any_part_of_it() {
    let Some((code, said)) = collected(None).await else { return };
    assert_eq!(code, Some(0), "{said}");
    for missing in grants(IMAGE_BUILDER_GRANTS, PolicyFlow::ImageCleanup) {
        let (code, said) = collected(Some(missing)).await.expect("as before");
        assert!(code != Some(0) && said.contains(missing.action), "{missing:?}: {code:?} {said}");
    }
}
