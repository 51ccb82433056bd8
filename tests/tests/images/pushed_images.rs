//! `image push` and `image verify` against Debian's `docker-registry`.

use std::fs;

use fargate_tests::image_registry::{AUTHORIZATION, ImageRegistry};
use fargate_tests::skip;

use crate::image_layout::ImageLayout;
use crate::push_host::{PushHost, REPOSITORY};

async fn registry() -> Option<ImageRegistry> {
    let registry = ImageRegistry::start().await;
    if registry.is_none() {
        skip("docker-registry is not installed");
    }
    registry
}

#[tokio::test]
async fn a_folder_is_pushed_read_back_and_pushed_again_without_a_byte() {
    let Some(registry) = registry().await else { return };
    let host = PushHost::open(&registry.host()).await;
    let image = ImageLayout::with_layers(&[1024, 3 * 1024 * 1024]);
    let first = host.image(&["push", "ci", "--from", image.path()]).await;
    assert_eq!(first.code, Some(0), "{}", first.err);
    assert_eq!(first.out.trim_end(), format!("REGISTRY/{REPOSITORY}@{}", image.digest));
    let tag = format!("ci-{}", &image.digest[7..19]);
    let stored = registry.digest_of_tag(REPOSITORY, &tag).expect("a tag");
    assert_eq!(stored.0, image.digest);

    let again = host.done(&["push", "ci", "--from", image.path()]).await;
    assert_eq!(again["pushed"]["sent_bytes"], 0, "{again}");
    assert!(again["pushed"]["reused_bytes"].as_u64() > Some(3 * 1024 * 1024), "{again}");
    let found = host.done(&["verify", "ci", &tag]).await;
    assert_eq!((&found["digest"], &found["layers"]), (&image.digest.into(), &2.into()));
    host.close().await;
}

#[tokio::test]
async fn a_tag_of_another_image_is_never_moved() {
    let Some(registry) = registry().await else { return };
    let host = PushHost::open(&registry.host()).await;
    let (one, two) = (ImageLayout::with_layers(&[1024]), ImageLayout::with_layers(&[2048]));
    host.done(&["push", "ci", "--from", one.path(), "--tag", "v1"]).await;
    let said = host.refused(&["push", "ci", "--from", two.path(), "--tag", "v1"], 10).await;
    assert!(said.contains(&one.digest) && said.contains(&two.digest), "{said}");
    assert_eq!(registry.digest_of_tag(REPOSITORY, "v1").expect("a tag").0, one.digest);
    host.close().await;
}

#[tokio::test]
async fn a_folder_that_was_changed_is_refused_before_anything_is_sent() {
    let Some(registry) = registry().await else { return };
    let host = PushHost::open(&registry.host()).await;
    let image = ImageLayout::with_layers(&[1024]);
    image.damage(&image.layers[0]);
    let said = host.refused(&["push", "ci", "--from", image.path()], 11).await;
    assert!(said.contains("checking the OCI image layout") && said.contains(&image.layers[0]));
    let nothing = host.refused(&["push", "ci", "--from", "/nonexistent"], 2).await;
    assert!(nothing.contains("/nonexistent/oci-layout"), "{nothing}");
    host.close().await;
}

#[tokio::test]
async fn a_wrong_password_is_told_before_slow_work_and_a_login_of_docker_is_found() {
    let Some(registry) = registry().await else { return };
    let host = PushHost::open(&registry.host()).await;
    let image = ImageLayout::with_layers(&[1024]);
    let wrong = r#"{"username":"ci","password":"wrong-password"}"#;
    host.host.cloud().put_secret("ci/wrong", wrong).expect("a name and a value");
    host.host.set("image.ci.registry_secret", "ci/wrong");
    let said = host.refused(&["push", "ci", "--from", image.path()], 7).await;
    assert!(said.contains("user `ci`") && !said.contains("wrong-password"), "{said}");

    let text = fs::read_to_string(host.host.config()).expect("the configuration");
    let without = text.lines().filter(|line| !line.contains("registry_secret"));
    let without: Vec<&str> = without.collect();
    fs::write(host.host.config(), without.join("\n")).expect("a writable file");
    let none = host.refused(&["push", "ci", "--from", image.path()], 7).await;
    assert!(none.contains("asks for a login"), "{none}");
    let folder = host.host.folder().join("docker");
    fs::create_dir(&folder).expect("a writable folder");
    let auth = AUTHORIZATION.trim_start_matches("Basic ");
    let config = serde_json::json!({ "auths": { registry.host(): { "auth": auth } } });
    fs::write(folder.join("config.json"), config.to_string()).expect("a writable folder");
    host.done(&["push", "ci", "--from", image.path()]).await;
    host.close().await;
}
