//! `image check` looks at repositories before anything is built: whether ECR lets everybody move tags, and whether
//! each replica could take the image.

use fargate_tests::RecordingProxy;
use fargate_tests::image_host::{ImageHost, REPOSITORY};
use fargate_tests::image_registry::{ImageRegistry, OTHER_PASSWORD, USER};

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

#[tokio::test]
async fn a_check_warns_of_tags_that_anybody_can_move_and_of_replicas_that_take_no_image() {
    let Some(engine) = crate::engine() else { return };
    let Some(site) = ImageHost::with_engine(engine).await else { return };
    let Some(other) = ImageRegistry::start_other().await else { return };
    site.with_job_image();
    // Its API is the local cloud's, and what its registry serves comes from a real registry behind a proxy.
    site.registry.push(REPOSITORY, "first", "amd64");
    let manifest = site.registry.manifest(REPOSITORY, "first").expect("a manifest");
    let manifest = String::from_utf8(manifest).expect("JSON");
    site.host.cloud().put_image(REPOSITORY, "first", &manifest).expect("a new image");
    site.host.set("image.ci.repository", format!("{REGISTRY}/{REPOSITORY}"));
    site.host.set("image.ci.insecure_registries", vec![REGISTRY]);
    let good = format!("{}/{REPOSITORY}", other.host());
    let replicas = vec![good.clone(), "127.0.0.1:1/team/ci".to_owned()];
    site.host.set("image.ci.replicas", replicas);
    site.host.set("image.ci.replica_secrets", vec![format!("{}=ci/other", other.host())]);
    let login = format!(r#"{{"username":"{USER}","password":"{OTHER_PASSWORD}"}}"#);
    site.host.cloud().put_secret("ci/other", &login).expect("a login");

    let proxy = RecordingProxy::before(&site.registry.host());
    let mut command = site.command(&["check", "ci"]);
    command.env("HTTP_PROXY", format!("http://{}", proxy.host()));
    command.env("HTTPS_PROXY", "http://127.0.0.1:1").env("NO_PROXY", "127.0.0.1");
    let said = site.said(command).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    let warned = "warning: everybody who may push to team/ci can move the tags of candidates; let ECR forbid";
    assert_eq!(said.err.matches(warned).count(), 1, "{}", said.err);
    let unreached = "warning: `image reconcile` cannot copy to the replica 127.0.0.1:1/team/ci: ";
    assert!(said.err.contains(unreached), "{}", said.err);
    assert!(!said.err.contains(&format!("the replica {good}")), "{}", said.err);
    assert!(said.err.contains("may push to 1 of 2 replicas"), "{}", said.err);
    site.host.close().await;
}
