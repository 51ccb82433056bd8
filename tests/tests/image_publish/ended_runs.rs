//! Publications that end in the middle: what is left of each, and that the next one succeeds.

use std::collections::BTreeSet;
use std::fs;

use fargate_tests::{END_AT, skip, until_found};
use tokio::process::Command;

use crate::image_layout::ImageLayout;
use fargate_tests::image_host::{ImageHost, REPOSITORY};

/// Appends each point that a process reaches.
const REACHED: &str = "FARGATE_RUNNER_REACHED";

/// A layout of which the registry has no blob, so that each publication reaches the same points.
fn fresh_layout(number: usize) -> ImageLayout {
    ImageLayout::with_layers(&[10240 + 1024 * number, 10752 + 1024 * number])
}

/// The points of one whole publication of a layout, in order.
async fn points(site: &ImageHost) -> Vec<String> {
    let layout = fresh_layout(0);
    let mut command = site.command(&["publish", "ci", "--from", layout.path()]);
    command.env(REACHED, site.path("reached"));
    let said = site.said(command).await;
    assert_eq!((said.code, site.registry.open_uploads(REPOSITORY)), (Some(0), 0), "{}", said.err);
    let text = fs::read_to_string(site.path("reached")).expect("points");
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn killed_at_any_point_it_leaves_no_half_version_and_the_next_one_succeeds() {
    let Some(site) = ImageHost::open().await else { return };
    let points = points(&site).await;
    let named: BTreeSet<&str> = points.iter().map(String::as_str).collect();
    let needed = ["UploadBegun", "ImageStored", "ImageTagged", "ImageAttested", "FileRenamed"];
    assert!(needed.iter().all(|point| named.contains(point)), "{points:?}");
    let (mut listed, mut tagged) = (site.versions().len(), site.candidate_tags().len());
    for (number, point) in points.iter().enumerate() {
        let layout = fresh_layout(1 + number);
        let publish = ["publish", "ci", "--from", layout.path()];
        let mut command = site.command(&publish);
        command.env(END_AT, format!("KILL {}", number + 1));
        let killed = site.said(command).await;
        assert_eq!(killed.code, None, "{point}: {}", killed.err);
        let is_listed = site.versions().len() > listed;
        // The last points are those of the manifest itself.
        assert!(!is_listed || number + 2 >= points.len(), "listed after {point}: {points:?}");

        assert_eq!(site.done(&publish).await, layout.digest, "after {point}");
        listed += 1;
        tagged += 1;
        // A tag that the killed one left is the tag of the version now.
        assert_eq!(
            (site.versions().len(), site.candidate_tags().len()),
            (listed, tagged),
            "{point}"
        );
        let versions = site.versions();
        let version = versions.iter().find(|one| one["digest"] == layout.digest.as_str());
        let version = version.unwrap_or_else(|| panic!("after {point}: {versions:?}"));
        let tag = version["tag"].as_str().expect("a tag");
        assert!(site.candidate_tags().iter().any(|found| found == tag), "{point}");
        assert_eq!(site.spooled(), Vec::<String>::new(), "{point}");
    }
    let beside: Vec<_> = fs::read_dir(site.host.folder()).expect("a folder").collect();
    let names = beside.iter().map(|entry| entry.as_ref().unwrap().file_name());
    let left: Vec<_> = names.filter(|n| n.to_string_lossy().contains("images.json.")).collect();
    assert!(left.iter().all(|name| name.to_string_lossy().ends_with(".lock")), "{left:?}");
    site.host.close().await;
}

#[tokio::test]
async fn interrupted_at_any_point_it_ends_with_130_and_no_upload_stays_open() {
    let Some(site) = ImageHost::open().await else { return };
    let points = points(&site).await;
    for (number, point) in points.iter().enumerate() {
        let layout = fresh_layout(1 + number);
        let publish = ["publish", "ci", "--from", layout.path()];
        let mut command = site.command(&publish);
        command.env(END_AT, format!("INT {}", number + 1));
        let ended = site.said(command).await;
        // Nothing waits from here to the written manifest, so a signal comes too late.
        let is_late = point == "ImageAttested" || point.starts_with("File");
        let is_done = is_late && ended.code == Some(0);
        assert!(is_done || ended.code == Some(130), "{point}: {:?} {}", ended.code, ended.err);
        assert!(is_done || ended.err.contains("error: interrupted during "), "{}", ended.err);
        assert_eq!(site.registry.open_uploads(REPOSITORY), 0, "{point}: {}", ended.err);
        assert_eq!(site.spooled(), Vec::<String>::new(), "{point}");
        assert_eq!(site.done(&publish).await, layout.digest, "after {point}");
    }
    assert_eq!(site.versions().len(), points.len() + 1);
    site.host.close().await;
}

#[tokio::test]
async fn a_program_reads_in_the_final_object_what_is_left() {
    let Some(site) = ImageHost::open().await else { return };
    let points = points(&site).await;
    let expected = [
        ("LayerSearched", "nothing was pushed"),
        ("UploadBegun", "no tag was written, so nobody sees what was pushed"),
        ("ImageTagged", "the registry may have the tag ci-c"),
    ];
    for (number, (point, left)) in expected.into_iter().enumerate() {
        let at = 1 + points.iter().position(|name| name == point).expect(point);
        let layout = fresh_layout(1 + number);
        let mut command = site.command(&["publish", "ci", "--from", layout.path(), "--json"]);
        command.env(END_AT, format!("INT {at}"));
        let said = site.said(command).await;
        let object: serde_json::Value = serde_json::from_str(&said.out).expect("one JSON object");
        assert_eq!((said.code, &object["exit_code"]), (Some(130), &130.into()), "{}", said.err);
        let told = object["left"].as_str().unwrap_or_else(|| panic!("{object}"));
        assert!(told.starts_with(left), "{point}: {told}");
        // People read the same.
        assert!(said.err.ends_with(&format!("{told}\n")), "{point}: {}", said.err);
    }
    // What fails before it has done anything says nothing about it.
    let said = site.image(&["verify", "ci", "no-such-tag", "--json"]).await;
    let object: serde_json::Value = serde_json::from_str(&said.out).expect("one JSON object");
    assert_eq!((said.code, &object["left"]), (Some(11), &serde_json::Value::Null), "{object}");
    site.host.close().await;
}

#[tokio::test]
async fn a_build_that_ends_in_the_middle_leaves_nothing_on_engine_registry_and_disk() {
    let Some(engine) = crate::engine() else { return };
    let Some(site) = ImageHost::with_engine(engine).await else { return };
    site.with_job_image();
    let before = engine.image_tags().expect("an engine that answers");
    for end in ["KILL 1", "KILL 2", "INT 1", "INT 2"] {
        let mut command = site.command(&["publish", "ci"]);
        command.env(END_AT, end);
        let ended = site.said(command).await;
        let code = if end.starts_with("INT") { Some(130) } else { None };
        assert_eq!(ended.code, code, "{end}: {}", ended.err);
        if code.is_some() {
            assert_eq!(site.spooled(), Vec::<String>::new(), "{end}");
        }
        assert_eq!(site.registry.tags(REPOSITORY), Vec::<String>::new(), "{end}");
        assert_eq!(site.versions(), Vec::<serde_json::Value>::new(), "{end}");
    }
    full_disk(&site).await;
    site.done(&["publish", "ci"]).await;
    assert_eq!(site.spooled(), Vec::<String>::new());
    // Tests beside this one load images and start containers as well; theirs go away when they end.
    until_found("nothing is left on the engine", async || {
        let mut after = engine.image_tags().expect("an engine that answers");
        // What a build makes is the engine's to keep.
        after.retain(|tag| !before.contains(tag) && tag != "fargate-runner/ci:local");
        let containers = engine.containers_with("fargate-runner.smoke-test").expect("an engine");
        match (&after[..], &containers[..]) {
            ([], []) => Ok(()),
            left => Err(format!("{left:?}")),
        }
    })
    .await;
    site.host.close().await;
}

/// Publishes with a temporary folder of 2 MB.
async fn full_disk(site: &ImageHost) {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c"]);
    command.arg("mount -t tmpfs -o size=2m tmpfs \"$TMPDIR\" || exit 99; exec \"$@\"");
    command.arg("sh").arg(fargate_tests::runner()).arg("--config").arg(site.host.config());
    command.args(["image", "publish", "ci"]);
    site.surround(&mut command);
    let said = site.said(command).await;
    if said.code == Some(99) {
        skip("this user may not mount");
        return;
    }
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(said.err.contains("No space left on device"), "{}", said.err);
    assert!(said.err.contains("hint: set TMPDIR") && said.err.contains("nothing was pushed"));
}
