//! Publications that end while an image is searched and while a job is tested in it: nothing of them is left on the
//! engine, in the registry, in the manifest and on the disk.

use std::fs;

use fargate_tests::image_host::{ImageHost, REPOSITORY};
use fargate_tests::{END_AT, PlainEngine, have, skip};
use serde_json::Value;

/// Appends each point that a process reaches.
const REACHED: &str = "FARGATE_RUNNER_REACHED";
/// Where a publication is ended: in the search, before and after what a test puts on the engine, and in its job.
const ENDS: [&str; 4] =
    ["LayerSearched", "TestImageLoaded", "TestContainerMade", "TestScriptEnded"];

/// The points that a publication reached, in order.
fn reached(site: &ImageHost, file: &str) -> Vec<String> {
    let text = fs::read_to_string(site.path(file)).expect("points");
    text.lines().map(str::to_owned).collect()
}

/// Publishes once more, and ends in the middle. Gives the exit code and stderr.
async fn ended(
    site: &ImageHost,
    signal: &str,
    number: usize,
    point: &str,
) -> (Option<i32>, String) {
    let file = format!("reached-{signal}-{point}");
    let mut command = site.command(&["publish", "ci", "--again"]);
    command.env(END_AT, format!("{signal} {number}")).env(REACHED, site.path(&file));
    let said = site.said(command).await;
    assert_eq!(reached(site, &file)[number - 1], point, "{}", said.err);
    (said.code, said.err)
}

/// What is on the engine beside the images that builds made.
fn on_engine(engine: &PlainEngine) -> Vec<String> {
    let mut found = engine.contents().expect("an engine that answers");
    let tags = engine.image_tags().expect("an engine that answers");
    found.extend(tags.into_iter().filter(|tag| tag.starts_with("fargate-runner-loaded")));
    found
}

#[tokio::test]
async fn a_publication_that_ends_in_its_search_or_its_test_leaves_nothing_anywhere() {
    if !have("busybox") {
        return;
    }
    let engine = match PlainEngine::start() {
        Ok(engine) => engine,
        Err(missing) => return skip(&missing),
    };
    let Some(site) = ImageHost::with_builder(engine.docker_host()).await else { return };
    site.with_job_image();
    let mut command = site.command(&["publish", "ci"]);
    command.env(REACHED, site.path("reached"));
    let whole = site.said(command).await;
    assert_eq!(whole.code, Some(0), "{}", whole.err);
    let (points, published) = (reached(&site, "reached"), site.candidate_tags());
    let manifest = site.manifest();
    let unchanged = |point: &str| {
        assert_eq!(site.candidate_tags(), published, "{point}");
        assert_eq!(site.registry.open_uploads(REPOSITORY), 0, "{point}");
        assert_eq!(site.manifest(), manifest, "{point}");
    };
    for point in ENDS {
        let number = 1 + points.iter().position(|name| name == point).expect(point);
        let (code, err) = ended(&site, "KILL", number, point).await;
        assert_eq!(code, None, "{point}: {err}");
        unchanged(point);
        // The test would show nothing if the killed one had cleaned up.
        assert_eq!(on_engine(&engine).is_empty(), point == "LayerSearched", "{point}");

        // The next one removes what the killed one left, and then what it has made itself.
        let (code, err) = ended(&site, "INT", number, point).await;
        assert_eq!(code, Some(130), "{point}: {err}");
        assert!(err.contains("error: interrupted during "), "{point}: {err}");
        assert!(err.ends_with("nothing was pushed\n"), "{point}: {err}");
        unchanged(point);
        assert_eq!(on_engine(&engine), Vec::<String>::new(), "{point}: {err}");
        assert_eq!(site.spooled(), Vec::<String>::new(), "{point}");
    }
    let again = site.done(&["publish", "ci", "--again", "--json"]).await;
    let again: Value = serde_json::from_str(&again).expect("one JSON object");
    assert_eq!(again["version"]["status"], "tested");
    assert_eq!(on_engine(&engine), Vec::<String>::new());
    site.host.close().await;
}
