//! Each replica is reached with a login of its own, and gets what is said about the image as well.

use std::fs;
use std::process::Command;

use fargate_tests::image_registry::{
    AUTHORIZATION, ImageRegistry, OTHER_AUTHORIZATION, OTHER_PASSWORD, USER,
};
use fargate_tests::{RecordingProxy, have};
use serde_json::{Value, json};

use fargate_tests::image_host::{ImageHost, REPOSITORY};

#[tokio::test]
async fn a_replica_gets_its_own_login_alone_and_signatures_and_referrers_with_the_image() {
    let Some(managed) = ImageHost::open().await else { return };
    let Some(other) = ImageRegistry::start_other().await else { return };
    if !have("openssl") {
        return;
    }
    let proxy = RecordingProxy::before(&other.host());
    let replica = format!("{}/{REPOSITORY}", proxy.host());
    managed.host.set("image.ci.replicas", vec![replica.as_str()]);
    let key = managed.host.folder().join("cosign.key");
    let algorithm = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out"];
    let made = Command::new("openssl").args(algorithm).arg(&key).output().unwrap();
    assert!(made.status.success());
    managed.host.set("image.ci.signing_key", key.to_str().unwrap());
    let digests = managed.with_versions(1);
    let about = digests[0].replace(':', "-");
    // What an older tool listed about the image: two manifests under the fallback tag.
    managed.registry.push_index(REPOSITORY, &about, &["amd64", "arm64"]);
    managed.done(&["promote", "ci", "ci-0", "--to", "latest"]).await;
    let signature = format!("{about}.sig");
    let signed = managed.tag(&signature).expect("a signature");

    // Nobody gave a login for the replica, so it gets none, and the image's own registry is done.
    let refused = managed.refused(&["reconcile", "ci", "--apply"], 8).await;
    assert!(refused.contains(&proxy.host()) && refused.contains("login"), "{refused}");
    assert_eq!(proxy.logins(), [""; 0]);
    assert_eq!(managed.tag("latest").as_ref(), Some(&digests[0]));

    let docker = managed.host.folder().join("docker");
    fs::create_dir_all(&docker).unwrap();
    let auth = OTHER_AUTHORIZATION.trim_start_matches("Basic ");
    let logins = json!({ "auths": { proxy.host(): { "auth": auth } } });
    fs::write(docker.join("config.json"), logins.to_string()).unwrap();
    managed.done(&["reconcile", "ci", "--apply"]).await;
    assert_eq!(proxy.logins(), [OTHER_AUTHORIZATION]);
    let there = |tag: &str| other.digest_of_tag(REPOSITORY, tag).map(|(digest, _)| digest);
    assert_eq!(there("latest").as_ref(), Some(&digests[0]));
    assert_eq!(there(&signature), Some(signed));
    let listed_by = |registry: &ImageRegistry| -> Value {
        let stored = registry.manifest(REPOSITORY, &about).expect("a list of what is about it");
        serde_json::from_slice::<Value>(&stored).unwrap()["manifests"].clone()
    };
    assert_eq!(listed_by(&other), listed_by(&managed.registry));
    assert_eq!(listed_by(&other).as_array().map(Vec::len), Some(2));

    let again = managed.done(&["reconcile", "ci", "--apply", "--json"]).await;
    let again: Value = serde_json::from_str(&again).unwrap();
    for tag in again["tags"].as_array().unwrap() {
        assert_eq!((&tag["state"], &tag["copied_bytes"]), (&json!("right"), &json!(0)));
    }
    managed.host.close().await;
}

#[tokio::test]
async fn a_replica_with_a_secret_of_its_own_needs_no_login_of_docker() {
    let Some(managed) = ImageHost::open().await else { return };
    let Some(other) = ImageRegistry::start_other().await else { return };
    let proxy = RecordingProxy::before(&other.host());
    let own = RecordingProxy::before(&managed.registry.host());
    managed.host.set("image.ci.repository", format!("{}/{REPOSITORY}", own.host()));
    managed.host.set("image.ci.replicas", vec![format!("{}/{REPOSITORY}", proxy.host())]);
    let digests = managed.with_versions(1);
    managed.edit(|image| image["repository"] = json!(format!("{}/{REPOSITORY}", own.host())));
    managed.done(&["promote", "ci", "ci-0", "--to", "latest"]).await;

    // A secret that is not there is told by its name, and the image's own registry is done.
    let secret = format!("{}=ci/replica", proxy.host());
    managed.host.set("image.ci.replica_secrets", vec![secret]);
    let refused = managed.refused(&["reconcile", "ci", "--apply"], 8).await;
    assert!(refused.contains("ci/replica"), "{refused}");
    assert_eq!(managed.tag("latest").as_ref(), Some(&digests[0]));

    let login = format!(r#"{{"username":"{USER}","password":"{OTHER_PASSWORD}"}}"#);
    managed.host.cloud().put_secret("ci/replica", &login).expect("a login");
    let said = managed.image(&["reconcile", "ci", "--apply"]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(!format!("{}{}", said.out, said.err).contains(OTHER_PASSWORD));
    let there = other.digest_of_tag(REPOSITORY, "latest").map(|(digest, _)| digest);
    assert_eq!(there.as_ref(), Some(&digests[0]));
    assert_eq!(proxy.logins(), [OTHER_AUTHORIZATION]);
    assert_eq!(own.logins(), [AUTHORIZATION]);
    managed.host.close().await;
}
