//! `image publish --from`: what needs no engine.

use serde_json::Value;

use crate::image_layout::ImageLayout;
use fargate_tests::image_host::{ImageHost, REPOSITORY};

#[tokio::test]
async fn a_layout_is_published_without_an_engine_as_a_candidate_that_is_not_promoted() {
    let Some(site) = ImageHost::open().await else { return };
    let layout = ImageLayout::with_layers(&[2048, 10240]);
    let publish = ["publish", "ci", "--from", layout.path()];
    let said = site.image(&publish).await;
    assert_eq!((said.code, said.out.trim_end()), (Some(0), layout.digest.as_str()), "{}", said.err);
    let [version] = &site.versions()[..] else { panic!("{}", site.entry()) };
    let tag = version["tag"].as_str().unwrap();
    let words = redacted(&said.err, tag, &layout.digest);
    insta::assert_snapshot!(words, @"
    warning: asking the Docker Engine at unix:///var/run/docker.sock for a connection: Socket not found: /var/run/docker.sock
    + preflight   no engine, REGISTRY/team/ci, may push TIME
    + export      2 layers in the folder TIME
    + scan        2 layers, 0 files, 0 MB, 0 findings TIME
    warning: no Docker Engine was found, so no job has run in `ci`: it stays a candidate
    + push        2 layers, 12.5 KB sent, 0 B were there TIME
    + verify      2 layers, 13.0 KB read back TIME
    + attest      0 packages listed, provenance TIME
    + manifest    TAG is candidate TIME
    + ci  DIGEST  13.0 KB TIME
    next: fargate-runner image publish ci on a host with a Docker Engine, which tests it
    ");
    assert_eq!(
        (&version["digest"], &version["status"]),
        (&layout.digest.as_str().into(), &"candidate".into())
    );
    for paper in ["sbom", "provenance"] {
        let paper = version[paper].as_str().unwrap();
        assert!(site.registry.digest_of_tag(REPOSITORY, paper).is_some(), "{paper}");
    }
    let found = site.registry.digest_of_tag(REPOSITORY, tag).unwrap().0;
    assert_eq!(found, layout.digest);
    let refusal =
        site.refused(&["promote", "ci", &layout.digest[7..19], "--to", "latest"], 12).await;
    assert!(refusal.contains("no job has run in it yet"), "{refusal}");

    // The same once more does nothing, unless it is asked for.
    let manifest = site.entry();
    let report: Value =
        serde_json::from_str(&site.done(&[&publish[..], &["--json"]].concat()).await).unwrap();
    assert_eq!((&report["published"], &report["tag"]), (&false.into(), &tag.into()));
    assert_eq!((site.entry(), site.candidate_tags()), (manifest, vec![tag.to_owned()]));
    site.done(&[&publish[..], &["--again", "--quiet"]].concat()).await;
    assert_eq!((site.versions().len(), site.candidate_tags().len()), (1, 1));
    site.host.close().await;
}

#[tokio::test]
async fn quiet_tells_errors_alone_and_events_name_each_step_in_order() {
    let Some(site) = ImageHost::open().await else { return };
    let layout = ImageLayout::with_layers(&[2048]);
    let said = site.image(&["publish", "ci", "--from", layout.path(), "-q"]).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let other = ImageLayout::with_layers(&[4096]);
    let told = site.done(&["publish", "ci", "--from", other.path(), "--events", "ndjson"]).await;
    let objects: Vec<Value> =
        told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let done = objects.iter().filter(|one| one["event"] == "step_done");
    let steps: Vec<_> = done.map(|one| one["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["preflight", "export", "scan", "push", "verify", "attest", "manifest"]);
    assert_eq!(objects.last().unwrap()["digest"], other.digest.as_str());
    site.host.close().await;
}

#[tokio::test]
async fn what_cannot_be_published_is_refused_before_anything_is_pushed() {
    let Some(site) = ImageHost::open().await else { return };
    let layout = ImageLayout::with_layers(&[2048]);
    let publish = ["publish", "ci", "--from", layout.path()];
    let mut told = String::new();
    let cases: [(&str, i32, &dyn Fn()); 4] = [
        ("another processor", 2, &|| site.host.set("image.ci.architecture", "arm64")),
        ("no folder for the manifest", 2, &|| {
            site.host.set("image.ci.architecture", "x86_64");
            site.host.set("image.ci.manifest", "/nonexistent/images.json");
        }),
        ("a version of tomorrow", 2, &|| {
            let manifest = site.path("images.json");
            site.host.set("image.ci.manifest", manifest.to_str().unwrap());
            let version = serde_json::json!({ "digest": format!("sha256:{:064x}", 1), "tag": "ci-1",
                "created": "2999-01-01T00:00:00Z", "status": "tested" });
            let image =
                serde_json::json!({ "repository": site.repository(), "versions": [version] });
            let text = serde_json::json!({ "schema": 1, "images": { "ci": image } }).to_string();
            std::fs::write(manifest, text).unwrap();
        }),
        ("a revoked version", 10, &|| {
            site.edit(|image| {
                let version = &mut image["versions"][0];
                version["created"] = "2026-01-01T00:00:00Z".into();
                version["digest"] = layout.digest.as_str().into();
                version["status"] = "revoked".into();
                version["revoked_reason"] = "a key was in it".into();
            });
        }),
    ];
    for (what, code, change) in cases {
        change();
        let words = site.refused(&publish, code).await;
        told += &format!("## {what}\n{}", redacted(&words, "TAG", &layout.digest));
    }
    let folder = site.host.folder().to_str().unwrap().to_owned();
    let told = told.replace(&folder, "FOLDER").replace(layout.path(), "LAYOUT");
    let told = regex::Regex::new(r"it says [^,]*,")
        .unwrap()
        .replace_all(&told, "it says NOW,")
        .into_owned();
    insta::assert_snapshot!(told, @"
    ## another processor
    error: reading LAYOUT: the image is made for `x86_64`, and `architecture` of `ci` is `arm64`
    hint: build it for that processor, or correct `architecture`
    nothing was pushed
    ## no folder for the manifest
    error: looking at the manifest /nonexistent/images.json: its folder: No such file or directory
    hint: make the folder, and let this user write there
    nothing was pushed
    ## a version of tomorrow
    error: looking at the clock: it says NOW, and the newest version of `ci` is of 2999-01-01T00:00:00Z
    hint: set this host's clock, or correct `created` in the manifest
    nothing was pushed
    ## a revoked version
    error: publishing DIGEST: it is byte for byte ci-1, which is revoked (a key was in it)
    hint: change what it was revoked for, and publish that
    nothing was pushed
    ");
    assert_eq!(site.registry.tags(REPOSITORY), Vec::<String>::new());
    site.host.close().await;
}

#[tokio::test]
async fn two_publishers_at_the_same_time_are_both_listed() {
    let Some(site) = ImageHost::open().await else { return };
    let layouts = [2048, 4096].map(|size| ImageLayout::with_layers(&[size]));
    let publish = |layout: &ImageLayout| site.command(&["publish", "ci", "--from", layout.path()]);
    let (one, other) =
        tokio::join!(site.said(publish(&layouts[0])), site.said(publish(&layouts[1])));
    assert_eq!((one.code, other.code), (Some(0), Some(0)), "{}{}", one.err, other.err);
    let mut listed: Vec<_> = site.versions().iter().map(|one| one["digest"].clone()).collect();
    let mut expected: Vec<Value> = layouts.iter().map(|one| one.digest.as_str().into()).collect();
    listed.sort_by_key(Value::to_string);
    expected.sort_by_key(Value::to_string);
    assert_eq!(listed, expected);
    site.host.close().await;
}

/// Without what differs from run to run.
fn redacted(words: &str, tag: &str, digest: &str) -> String {
    let words =
        words.replace(tag, "TAG").replace(digest, "DIGEST").replace(&digest[7..15], "SHORT");
    let time = regex::Regex::new(r" +\d+(\.\d+)? (s|ms)$").unwrap();
    let lines = words.lines().map(|line| time.replace(line, " TIME").into_owned());
    lines.collect::<Vec<_>>().join("\n") + "\n"
}
