//! Candidates that must not be promoted: each is stopped before it is pushed, or stays a candidate.

use serde_json::Value;

use fargate_tests::JOB_DOCKERFILE;
use fargate_tests::image_host::{ImageHost, REPOSITORY};

#[tokio::test]
async fn a_secret_a_dead_entrypoint_and_files_of_no_commit_are_never_promoted() {
    let Some(engine) = crate::engine() else { return };
    let Some(site) = ImageHost::with_engine(engine).await else { return };
    site.with_job_image();

    // A step of the build writes it and a later one deletes it, so the context and the last layer are clean.
    let token = "echo AKIAQ3EGRZ; echo KX7VBN3MWP";
    let secret = JOB_DOCKERFILE.replace(
        "COPY version",
        &format!("RUN ({token}) | tr -d '\\n' > /note\nRUN rm /note\nCOPY version"),
    );
    site.write("Dockerfile", &secret);
    site.commit();
    let words = site.refused(&["publish", "ci"], 4).await;
    assert!(words.contains("error: 1 secret\n  layer 2 ("), "{words}");
    assert!(words.contains("note, rule ") && !words.contains("AKIAQ3EGRZKX7VBN3MWP"), "{words}");
    assert!(words.ends_with("nothing was pushed\n"), "{words}");

    site.write("Dockerfile", &JOB_DOCKERFILE.replace("/bin/fargate-agent\"", "/bin/true\""));
    site.commit();
    let words = site.refused(&["publish", "ci"], 9).await;
    assert!(words.ends_with("nothing was pushed\n"), "{words}");
    assert_eq!(site.registry.tags(REPOSITORY), Vec::<String>::new());
    assert_eq!(site.entry(), Value::Null);

    site.write("Dockerfile", JOB_DOCKERFILE);
    let said = site.image(&["publish", "ci"]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("warning: `Dockerfile` differs from the commit"), "{}", said.err);
    let [version] = &site.versions()[..] else { panic!("{}", site.entry()) };
    assert_eq!((&version["dirty"], &version["status"]), (&true.into(), &"candidate".into()));
    assert_eq!(version["smoke"]["ok"], true);
    assert!(version["tag"].as_str().unwrap().ends_with("-dirty"), "{version}");
    let digest = version["digest"].as_str().unwrap();
    let words = site.refused(&["promote", "ci", digest, "--to", "stable"], 12).await;
    assert!(words.contains("it was built from files that no commit has"), "{words}");

    // Once these files have a commit, they make a version that may be promoted.
    site.commit();
    let clean = site.done(&["publish", "ci"]).await;
    let versions = site.versions();
    let version = versions.iter().find(|one| one["digest"] == clean.as_str()).unwrap();
    assert_eq!((&version["status"], &version["dirty"]), (&"tested".into(), &Value::Null));
    assert_eq!(site.done(&["promote", "ci", &clean[7..15], "--to", "stable"]).await, clean);
    site.host.close().await;
}

#[tokio::test]
async fn a_secret_that_a_squash_takes_out_of_the_image_stops_the_publication_all_the_same() {
    let Some(engine) = crate::engine() else { return };
    let Some(site) = ImageHost::with_engine(engine).await else { return };
    site.with_job_image();
    site.host.set("image.ci.squash", "own");
    site.host.set("image.ci.compression", "zstd");
    let token = "echo AKIAQ3EGRZ; echo KX7VBN3MWP";
    let steps = format!("RUN ({token}) | tr -d '\\n' > /note\nRUN rm /note\nCOPY version");
    site.write("Dockerfile", &JOB_DOCKERFILE.replace("COPY version", &steps));
    site.commit();
    let words = site.refused(&["publish", "ci"], 4).await;
    assert!(words.contains("error: 1 secret\n  layer 2 ("), "{words}");
    assert!(words.contains("note, rule ") && words.ends_with("nothing was pushed\n"), "{words}");

    // In the image that would be pushed there is one layer, and no such file: it alone would have passed.
    site.done(&["push", "ci", "--image-id", "fargate-runner/ci:local", "--tag", "squashed"]).await;
    let manifest = site.registry.manifest(REPOSITORY, "squashed").expect("a manifest");
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    let [layer] = &manifest["layers"].as_array().expect("layers")[..] else { panic!("{manifest}") };
    let blob = site.registry.blob(REPOSITORY, layer["digest"].as_str().expect("a digest"));
    let files = zstd::decode_all(&blob[..]).expect("zstd");
    let has = |text: &[u8]| files.windows(text.len()).any(|bytes| bytes == text);
    assert!(has(b"bin/busybox") && !has(b"AKIAQ3EGRZKX7VBN3MWP"));
    site.host.close().await;
}
