//! What the images are: labelled, of the right user, and without a key or password.

use std::collections::BTreeMap;
use std::process::Stdio;

use fargate_tests::{PlainEngine, runner};
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::{engine, script};

/// Each image and the user of its first process. Why most are root stands in their Dockerfiles. Those with a
/// compiler or Node are as `ci` and too large for each run of the tests.
const IMAGES: [(&str, &str); 7] = [
    ("ci", ""),
    ("ci-sshd", ""),
    ("helper", ""),
    ("manager", "gitlab-runner"),
    ("ministack", ""),
    ("postgres", "postgres"),
    ("registry", "docker-registry"),
];

/// What every configuration has to have; nothing of it is used.
const CONFIGURATION: &str = "config_version = 1\n[defaults]\ncluster = \"none\"\nregion = \"eu-west-1\"\n\
    subnets = [\"subnet-00000000\"]\nsecurity_groups = [\"sg-00000000\"]\ntask_definition = \"none:1\"\n";

/// Builds all of them, once for this program.
async fn require_images(engine: &PlainEngine) {
    static BUILT: OnceCell<()> = OnceCell::const_new();
    let build = async || {
        let built = script(engine, "build.sh", &IMAGES.map(|(name, _)| name), &[]).await;
        assert!(built.passed, "{}", built.log);
    };
    BUILT.get_or_init(build).await;
}

/// What `docker` with these arguments writes to both streams.
async fn docker(engine: &PlainEngine, arguments: &[&str]) -> String {
    let mut command = Command::new("docker");
    command.args(arguments).env("DOCKER_HOST", engine.docker_host()).stdin(Stdio::null());
    let output = command.output().await.expect("docker can be started");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[tokio::test]
async fn every_image_says_what_it_is_and_runs_as_root_only_where_it_must() {
    let Some(engine) = engine().await else { return };
    require_images(&engine).await;
    for (name, user) in IMAGES {
        let image = engine.image(&format!("fargate-runner/{name}:local")).expect("an image");
        let config = &image["Config"];
        assert_eq!(config["User"], user, "{name}");
        let labels: BTreeMap<String, String> =
            serde_json::from_value(config["Labels"].clone()).expect("labels");
        let label = |key: &str| labels.get(&format!("org.opencontainers.image.{key}")).cloned();
        assert!(label("title").is_some_and(|title| title.starts_with("Fargate Runner")), "{name}");
        assert_eq!(label("version").as_deref(), Some(env!("CARGO_PKG_VERSION")), "{name}");
        assert_eq!(label("licenses").as_deref(), Some("MIT"), "{name}");
        assert!(label("revision").is_some_and(|revision| !revision.is_empty()), "{name}");
    }
}

#[tokio::test]
async fn no_image_holds_a_host_key_a_password_file_or_lists_of_packages() {
    let Some(engine) = engine().await else { return };
    require_images(&engine).await;
    let look =
        "find /etc/ssh /run /root /var/lib/apt/lists /etc/ministack -type f 2>/dev/null | sort";
    for (name, _) in IMAGES {
        let image = format!("fargate-runner/{name}:local");
        let run = ["run", "--rm", "--user", "0", "--entrypoint", "/bin/sh", &image, "-c", look];
        let files = docker(&engine, &run).await;
        for wrong in ["ssh_host_", "htpasswd", "authorized_keys", "/var/lib/apt/lists/"] {
            assert!(!files.contains(wrong), "{name} holds {wrong}:\n{files}");
        }
    }
}

#[tokio::test]
async fn what_debian_installs_holds_no_secret_and_needs_no_waiver() {
    let Some(engine) = engine().await else { return };
    require_images(&engine).await;
    let mut scan = Command::new(runner());
    scan.args(["image", "scan", "fargate-runner/helper:local", "--json"]).stdin(Stdio::null());
    let config = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(config.path(), CONFIGURATION).expect("a writable file");
    scan.env("FARGATE_RUNNER_CONFIG", config.path()).env("DOCKER_HOST", engine.docker_host());
    let output = scan.output().await.expect("the program starts");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(report["findings"], Value::Array(Vec::new()), "{words}");
    assert!(report["files"].as_u64() > Some(4000), "{report}");
}

#[tokio::test]
async fn the_images_that_lack_their_key_or_password_say_so_and_end() {
    let Some(engine) = engine().await else { return };
    require_images(&engine).await;
    let said = docker(&engine, &["run", "--rm", "fargate-runner/ci-sshd:local"]).await;
    assert!(said.contains("SSH_PUBLIC_KEY"), "{said}");
    let said = docker(&engine, &["run", "--rm", "fargate-runner/registry:local"]).await;
    assert!(said.contains("/run/secrets/registry_password holds no password"), "{said}");
}
