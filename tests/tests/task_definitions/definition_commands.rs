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

#[tokio::test]
async fn register_names_no_revision_that_somebody_has_deregistered() {
    let site = host_with_image().await;
    let first = command(&site, &["register", "--format", "tsv"]).await.with_code(0);
    let ecs = site.ecs();
    let revision = first.out().trim().to_owned();
    ecs.deregister_task_definition().task_definition(revision).send().await.expect("it is active");
    let second = command(&site, &["register", "--format", "tsv"]).await.with_code(0);
    assert!(second.out().trim().ends_with(":task-definition/made-here:2"), "{}", second.out());
    assert!(second.err().contains("registered now"), "{}", second.err());
    let third = command(&site, &["register", "--format", "tsv"]).await.with_code(0);
    assert_eq!(third.out(), second.out());
    assert!(third.err().contains("this host registered or found it before"), "{}", third.err());
    site.close().await;
}

#[tokio::test]
async fn prune_works_beside_profiles_of_other_clusters_and_regions() {
    let site = host_with_image().await;
    command(&site, &["register"]).await.with_code(0);
    // The first is in another account, perhaps; the second is asked for elsewhere.
    site.set("profile.account.cluster", "of-another-account");
    site.set("profile.account.task_definition", "fixed");
    site.set("profile.region.cluster", "arn:aws:ecs:us-east-1:123456789012:cluster/far");
    site.set("profile.region.region", "us-east-1");
    site.set("profile.region.task_definition", "fixed");
    let ended = command(&site, &["prune", "--dry-run"]).await.with_code(0);
    assert!(ended.err().contains("0 revisions would be removed, 1 stay"), "{}", ended.err());
    let requests = site.cloud().requests();
    let asked = requests.iter().filter(|request| request.operation == "ListTasks");
    let clusters: Vec<_> = asked.map(|request| request.body["cluster"].clone()).collect();
    assert!(clusters.iter().any(|cluster| cluster == "of-another-account"), "{clusters:?}");
    assert!(!clusters.iter().any(|cluster| cluster.to_string().contains("far")), "{clusters:?}");
    site.close().await;
}

#[tokio::test]
async fn an_error_of_the_disk_says_what_the_system_said() {
    let site = host_with_image().await;
    command(&site, &["register"]).await.with_code(0);
    let folder = site.state_dir().join("definitions");
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "a file").unwrap();
    let ended = command(&site, &["list"]).await.with_code(1);
    assert!(ended.err().contains("not a directory"), "{}", ended.err());
    site.close().await;
}

#[tokio::test]
async fn a_removal_that_fails_does_not_hide_those_that_succeeded() {
    let site = host_with_image().await;
    for image in ["team/ci:1", "team/ci:2", "team/ci:3"] {
        site.set("profile.own.image", image);
        command(&site, &["register"]).await.with_code(0);
    }
    let rules = "DeregisterTaskDefinition call 2: error 400 AccessDeniedException \"not you\"";
    site.cloud().set_faults(rules.parse().unwrap_or_else(|error| panic!("{error}")));
    let all = ["prune", "--unused-for", "0s", "--format", "tsv"];
    let ended = command(&site, &all).await;
    let rows: Vec<String> = ended
        .out()
        .lines()
        .map(|row| {
            let cells: Vec<&str> = row.split('\t').collect();
            [cells[0], cells[2]].join(" ")
        })
        .collect();
    assert_snapshot!(rows.join("\n"), @r#"
    made-here:3 stays
    made-here:2 removed
    made-here:1 not-removed
    "#);
    assert!(ended.out().contains("AccessDeniedException: not you"), "{}", ended.out());
    assert!(ended.err().contains("1 revision removed, 2 stay"), "{}", ended.err());
    ended.with_code(1);
    site.close().await;
}
