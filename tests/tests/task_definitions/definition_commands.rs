//! `fargate-runner task-definition`: what each command prints and does.

use insta::assert_snapshot;
use serde_json::Value;

use crate::{command, host_with_image, own_job};

#[tokio::test]
async fn render_prints_what_the_aws_command_line_takes_and_sends_nothing() {
    let site = host_with_image().await;
    let ended = command(&site, &["render"]).await.with_code(0);
    let definition: Value = serde_json::from_str(&ended.out()).expect("JSON");
    assert_eq!(definition["family"], "made-here");
    assert_eq!(definition["containerDefinitions"][0]["image"], "team/ci:1");
    assert_eq!(definition["tags"][0]["key"], "fargate-runner:content");
    assert_eq!(site.cloud().requests().len(), 0);
    site.close().await;
}

#[tokio::test]
async fn diff_tells_in_words_what_a_change_of_the_profile_changes() {
    let site = host_with_image().await;
    let ended = command(&site, &["diff", "--format", "table"]).await.with_code(0);
    assert_eq!(ended.out(), "");
    assert!(ended.err().contains("there is no such revision yet"), "{}", ended.err());
    command(&site, &["register"]).await.with_code(0);
    let ended = command(&site, &["diff", "--format", "table"]).await.with_code(0);
    assert_eq!(ended.out(), "");
    assert!(ended.err().contains("made-here:1 is what the profile makes"), "{}", ended.err());

    site.set("profile.own.image", "team/ci:2");
    site.set("profile.own.cpu", 2048);
    site.set("profile.own.ephemeral_storage_gib", 50);
    let ended = command(&site, &["diff", "--format", "table"]).await.with_code(0);
    assert_snapshot!(ended.out().trim_end(), @r#"
    container job: image: "team/ci:1" becomes "team/ci:2"
    cpu: "1024" becomes "2048"
    ephemeralStorage: {"sizeInGiB":50} is added
    memory: "2048" becomes "4096"
    "#);
    assert!(ended.err().contains("4 differences from made-here:1"), "{}", ended.err());
    assert_eq!(site.calls("RegisterTaskDefinition"), 1);
    site.close().await;
}

#[tokio::test]
async fn list_and_prune_know_what_is_current_in_use_and_unused() {
    let site = host_with_image().await;
    // Revision 1 has a task, 2 is nobody's, 3 is what the profile makes; 4 is somebody else's.
    let job = own_job(&site);
    job.prepare().await.passed();
    for image in ["team/ci:2", "team/ci:3"] {
        site.set("profile.own.image", image);
        command(&site, &["register"]).await.with_code(0);
    }
    let container = aws_sdk_ecs::types::ContainerDefinition::builder();
    site.register("made-here", container).await;

    let ended = command(&site, &["list", "--format", "tsv"]).await.with_code(0);
    let rows: Vec<String> = ended
        .out()
        .lines()
        .map(|row| {
            let cells: Vec<&str> = row.split('\t').collect();
            [cells[0], cells[1], cells[4], cells[5]].join(" ")
        })
        .collect();
    assert_snapshot!(rows.join("\n"), @r#"
    made-here:4 active no registry.example/job:2
    made-here:3 active yes team/ci:3
    made-here:2 active no team/ci:2
    made-here:1 active no team/ci:1
    "#);

    let young = command(&site, &["prune", "--format", "tsv"]).await.with_code(0);
    assert!(young.err().contains("0 revisions removed, 4 stay"), "{}", young.err());
    let results = |out: &str| -> String {
        let cells = |row: &str| -> String {
            let cells: Vec<&str> = row.split('\t').collect();
            [cells[0], cells[2]].join(" ")
        };
        out.lines().map(cells).collect::<Vec<_>>().join("\n")
    };
    let dry = ["prune", "--unused-for", "0s", "--dry-run", "--format", "tsv"];
    let dry = command(&site, &dry).await.with_code(0);
    assert_snapshot!(results(&dry.out()), @r#"
    made-here:4 stays
    made-here:3 stays
    made-here:2 would-remove
    made-here:1 stays
    "#);
    assert_eq!(site.calls("DeregisterTaskDefinition"), 0);
    let real = command(&site, &["prune", "--unused-for", "0s", "--format", "tsv"]).await;
    let real = real.with_code(0);
    assert_snapshot!(results(&real.out()), @r#"
    made-here:4 stays
    made-here:3 stays
    made-here:2 removed
    made-here:1 stays
    "#);
    assert_eq!(
        (site.calls("DeregisterTaskDefinition"), site.calls("DeleteTaskDefinitions")),
        (1, 1)
    );
    site.close().await;
}

#[tokio::test]
async fn a_profile_with_a_fixed_definition_has_nothing_to_render() {
    let site = host_with_image().await;
    let ended = site.start(&["task-definition", "register"]).ended().await.with_code(1);
    assert_snapshot!(ended.err().trim_end(), @r#"
    error: the profile names the task definition ci-job, which somebody else made; only one with `image` makes its own
    hint: choose a profile with `image`: `fargate-runner --profile NAME task-definition ...`
    "#);
    assert_eq!(site.cloud().requests().len(), 0);
    site.close().await;
}
