//! `image test NAME VERSION`: a job in an image as the registry has it, on an engine that never built it.

use fargate_tests::image_host::{ImageHost, REPOSITORY};
use fargate_tests::{PlainEngine, skip};
use serde_json::Value;

#[tokio::test]
async fn an_image_of_the_registry_is_tested_on_an_engine_that_never_built_it() {
    let Some(engine) = crate::engine() else { return };
    let other = match PlainEngine::start() {
        Ok(other) => other,
        Err(missing) => return skip(&missing),
    };
    let Some(site) = ImageHost::with_engine(engine).await else { return };
    site.with_job_image();
    let digest = site.done(&["publish", "ci"]).await;
    let tag = site.candidate_tags().remove(0);
    let test = async |version: &str| {
        let mut command = site.command(&["test", "ci", version, "--json"]);
        command.env("DOCKER_HOST", other.docker_host());
        site.said(command).await
    };
    for version in [tag.as_str(), digest.as_str()] {
        let said = test(version).await;
        assert_eq!(said.code, Some(0), "{version}: {}", said.err);
        assert!(said.err.contains("+ pull "), "{}", said.err);
        let report: Value = serde_json::from_str(&said.out).expect("one JSON object");
        assert!(report["peer"].as_str().unwrap().contains("fargate-agent"), "{report}");
        assert_eq!(report["checks"].as_array().unwrap().last().unwrap()["name"], "stop");
    }

    let absent = test("no-such-tag").await;
    assert_eq!(absent.code, Some(11), "{}", absent.err);
    assert!(absent.err.contains("looking for the tag no-such-tag of team/ci"), "{}", absent.err);
    site.registry.push_index(REPOSITORY, "several", &["amd64", "arm64"]);
    let several = test("several").await;
    assert_eq!(several.code, Some(2), "{}", several.err);
    assert!(several.err.contains("it is no manifest of one image"), "{}", several.err);
    // An image without files: it cannot even be started.
    site.registry.push(REPOSITORY, "empty", "amd64");
    let empty = test("empty").await;
    assert!(matches!(empty.code, Some(6 | 9)), "{:?} {}", empty.code, empty.err);

    assert_eq!(other.contents().expect("an engine"), Vec::<String>::new());
    assert_eq!(other.image_tags().expect("an engine"), Vec::<String>::new());
    assert_eq!(site.spooled(), Vec::<String>::new());
    site.host.close().await;
}
