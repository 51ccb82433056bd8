//! Images of a real Docker Engine: two builds are one digest, and the engine can pull what was pushed.

use std::fs;

use fargate_tests::image_registry::{ImageRegistry, PASSWORD, USER};
use fargate_tests::{PlainEngine, have, skip};
use tokio::process::Command;

use crate::push_host::{PushHost, REPOSITORY, said};

/// The engine's client with these arguments, which must succeed. Gives stdout.
pub async fn docker(engine: &PlainEngine, config: &std::path::Path, arguments: &[&str]) -> String {
    let mut command = Command::new("docker");
    command.env("DOCKER_HOST", engine.docker_host()).env("DOCKER_BUILDKIT", "0");
    command.arg("--config").arg(config).args(arguments);
    let output = command.output().await.expect("docker can be started");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {err}");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

#[tokio::test]
async fn two_builds_of_one_folder_are_one_digest_that_the_engine_can_pull() {
    let engine = match PlainEngine::start() {
        Ok(engine) if have("docker") => engine,
        Ok(_) => return skip("docker is not installed"),
        Err(missing) => return skip(&missing),
    };
    let Some(registry) = ImageRegistry::start().await else {
        return skip("docker-registry is not installed");
    };
    let host = PushHost::open(&registry.host()).await;
    host.host.set("image.ci.context", "/nonexistent");
    let context = tempfile::tempdir().expect("a folder");
    let path = |name: &str| context.path().join(name);
    fs::write(path("Dockerfile"), "FROM scratch\nCOPY a b /folder/\nLABEL x=y\n").expect("a file");
    let mut digests = Vec::new();
    for _ in 0..2 {
        // Both files are new, and so are their times in the image.
        for name in ["a", "b"] {
            let _ = fs::remove_file(path(name));
            fs::write(path(name), "a".repeat(100_000)).expect("a file");
        }
        let folder = context.path().to_str().expect("UTF-8");
        let id = docker(&engine, context.path(), &["build", "-q", "--no-cache", folder]).await;
        let mut command = host.command(&["push", "ci", "--image-id", &id]);
        command.env("DOCKER_HOST", engine.docker_host()).env("SOURCE_DATE_EPOCH", "1700000000");
        let pushed = said(command, &registry.host()).await;
        assert_eq!(pushed.code, Some(0), "{}", pushed.err);
        let (_, digest) = pushed.out.trim_end().split_once('@').expect("a digest");
        digests.push((id, digest.to_owned()));
        // The builder's clock has seconds.
        tokio::task::spawn_blocking(next_second).await.expect("no panic");
    }
    assert_ne!(digests[0].0, digests[1].0, "the engine's own ids were expected to differ");
    assert_eq!(digests[0].1, digests[1].1);

    let login = ["login", "-u", USER, "-p", PASSWORD, &registry.host()];
    docker(&engine, context.path(), &login).await;
    let image = format!("{}/{REPOSITORY}@{}", registry.host(), digests[0].1);
    docker(&engine, context.path(), &["pull", &image]).await;
    let format = "{{.Config.Labels}} {{len .RootFS.Layers}} {{.Created}}";
    let seen = docker(&engine, context.path(), &["inspect", "-f", format, &image]).await;
    assert_eq!(seen, "map[x:y] 1 2023-11-14T22:13:20Z");

    // What did not change is neither exported nor sent again.
    let mut again = host.command(&["push", "ci", "--image-id", &digests[1].0, "--json"]);
    again.env("DOCKER_HOST", engine.docker_host()).env("SOURCE_DATE_EPOCH", "1700000000");
    let again = said(again, &registry.host()).await;
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert!(again.err.contains("nothing changed since the last push"), "{}", again.err);
    assert!(again.out.contains(r#""sent_bytes":0"#), "{}", again.out);
    host.close().await;
}

/// Waits until the clock shows another second.
fn next_second() {
    let second = || {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("a clock")
            .as_secs()
    };
    let begun = second();
    while second() == begun {
        std::thread::yield_now();
    }
}
