//! `image promote`, `rollback`, `revoke`, `reconcile` and `list`.

use fargate_tests::image_registry::ImageRegistry;
use serde_json::{Value, json};

use fargate_tests::image_host::{ImageHost, REPOSITORY};

fn kind(registry: &ImageRegistry, tag: &str) -> String {
    registry.digest_of_tag(REPOSITORY, tag).expect("a tag").1
}

#[tokio::test]
async fn a_version_is_promoted_and_rolled_back_and_tags_follow_only_when_they_are_told_to() {
    let Some(managed) = ImageHost::open().await else { return };
    let digests = managed.with_versions(2);
    assert_eq!(managed.done(&["promote", "ci", "ci-0", "--to", "latest"]).await, digests[0]);
    assert_eq!(managed.done(&["promote", "ci", "latest", "--to", "stable"]).await, digests[0]);
    assert_eq!(managed.done(&["promote", "ci", &digests[1], "--to", "stable"]).await, digests[1]);
    assert_eq!(managed.channel("stable").as_ref(), Some(&digests[1]));
    assert_eq!(managed.tag("stable"), None);

    // What a newer program wrote is kept, and keys are sorted.
    let manifest = managed.manifest();
    assert_eq!(manifest["images"]["ci"]["versions"][1]["added_by_a_newer_program"], 1);
    let text = std::fs::read_to_string(managed.manifest_path()).unwrap();
    assert!(text.starts_with("{\n  \"images\": {\n    \"ci\": {\n      \"channels\": {"), "{text}");

    let plan = managed.done(&["reconcile", "ci", "--json"]).await;
    let plan: Value = serde_json::from_str(&plan).unwrap();
    assert_eq!((&plan["tags"][1]["state"], &plan["applied"]), (&json!("to_move"), &json!(false)));
    assert_eq!(managed.tag("stable"), None);
    managed.done(&["reconcile", "ci", "--apply"]).await;
    assert_eq!(managed.tag("stable").as_ref(), Some(&digests[1]));
    assert_eq!(managed.tag("latest").as_ref(), Some(&digests[0]));
    assert_eq!(kind(&managed.registry, "stable"), kind(&managed.registry, "ci-1"));

    assert_eq!(managed.done(&["rollback", "ci"]).await, digests[0]);
    let done = managed.done(&["reconcile", "ci", "--apply"]).await;
    assert!(done.contains(":latest") && done.contains("right") && done.contains("moved"), "{done}");
    assert_eq!(managed.tag("stable").as_ref(), Some(&digests[0]));

    let rows = managed.done(&["list", "ci", "--format", "tsv"]).await;
    let first: Vec<Vec<&str>> = rows.lines().map(|row| row.split('\t').collect()).collect();
    assert_eq!((first[0][1], first[0][5]), ("-", "ci-1"), "{rows}");
    assert_eq!((first[1][1], first[1][2]), ("latest,stable", "tested"), "{rows}");
    managed.host.close().await;
}

#[tokio::test]
async fn replicas_get_the_same_bytes_and_a_second_run_copies_nothing() {
    let Some(managed) = ImageHost::open().await else { return };
    let digests = managed.with_versions(1);
    let replica = format!("{}/other/ci", managed.registry.host());
    managed.host.set("image.ci.replicas", vec![replica.as_str(), "registry.invalid/team/ci"]);
    managed.done(&["promote", "ci", "ci-0", "--to", "stable"]).await;
    // One replica cannot be reached: the others are done, and the command says which one failed.
    let refused = managed.refused(&["reconcile", "ci", "--apply"], 8).await;
    assert!(refused.contains("registry.invalid/team/ci:stable"), "{refused}");
    let found = managed.registry.digest_of_tag("other/ci", "stable").map(|(digest, _)| digest);
    assert_eq!(found.as_ref(), Some(&digests[0]));
    managed.host.set("image.ci.replicas", vec![replica.as_str()]);
    let again = managed.done(&["reconcile", "ci", "--apply", "--json"]).await;
    let again: Value = serde_json::from_str(&again).unwrap();
    for tag in again["tags"].as_array().unwrap() {
        assert_eq!((&tag["state"], &tag["copied_bytes"]), (&json!("right"), &json!(0)));
    }
    managed.host.close().await;
}

#[tokio::test]
async fn what_must_not_be_promoted_is_refused_and_the_manifest_stays_as_it_was() {
    let Some(managed) = ImageHost::open().await else { return };
    let digests = managed.with_versions(4);
    managed.edit(|image| {
        image["versions"][1]["status"] = json!("candidate");
        image["versions"][2]["dirty"] = json!(true);
        image["versions"][3]["digest"] = json!(format!("sha256:{:064x}", 3));
    });
    managed.done(&["promote", "ci", "ci-0", "--to", "stable"]).await;
    let before = std::fs::read(managed.manifest_path()).unwrap();
    let mut told = String::new();
    for (code, arguments) in [
        (12, &["promote", "ci", "ci-1", "--to", "stable"][..]),
        (12, &["promote", "ci", "ci-2", "--to", "latest"]),
        (11, &["promote", "ci", "ci-3", "--to", "latest"]),
        (2, &["promote", "ci", "ci-9", "--to", "latest"]),
        (2, &["promote", "node", "ci-0", "--to", "latest"]),
        (12, &["rollback", "ci"]),
        (10, &["revoke", "ci", "ci-0", "--reason", "a key was in it"]),
        (12, &["revoke", "ci", "ci-0", "--reason", "a key was in it", "--replace-with", "ci-1"]),
    ] {
        told += &format!("## {}\n{}", arguments.join(" "), managed.refused(arguments, code).await);
    }
    assert_eq!(std::fs::read(managed.manifest_path()).unwrap(), before);
    let told = told.replace(&digests[0], "DIGEST-0");
    insta::assert_snapshot!(told, @"
    ## promote ci ci-1 --to stable
    error: promoting ci-1 to `stable`: no job has run in it yet
    hint: promote a version that keeps these rules: `fargate-runner image list`
    ## promote ci ci-2 --to latest
    error: promoting ci-2 to `latest`: it was built from files that no commit has
    hint: promote a version that keeps these rules: `fargate-runner image list`
    ## promote ci ci-3 --to latest
    error: looking for sha256:0000000000000000000000000000000000000000000000000000000000000003 at REGISTRY/team/ci: the registry does not have it any more
    hint: revoke ci-3, and choose or publish another version
    ## promote ci ci-9 --to latest
    error: `ci-9` is no digest, candidate tag or channel of `ci`
    hint: see `fargate-runner image list ci`
    ## promote node ci-0 --to latest
    error: looking for `[image.node]`: the configuration has `ci`
    ## rollback ci
    error: changing the manifest: channel `stable` had no other version before that is listed and not revoked
    hint: see `fargate-runner image list`
    ## revoke ci ci-0 --reason a key was in it
    error: changing the manifest: version DIGEST-0 is the one of channel `stable`; name another version for it with `--replace-with`, or promote or roll back first
    hint: see `fargate-runner image list`
    ## revoke ci ci-0 --reason a key was in it --replace-with ci-1
    error: promoting ci-1 to `stable`: no job has run in it yet
    hint: promote a version that keeps these rules: `fargate-runner image list`
    ");
    managed.host.close().await;
}

#[tokio::test]
async fn a_revoked_version_is_replaced_and_what_was_built_on_it_is_told() {
    let Some(managed) = ImageHost::open().await else { return };
    let digests = managed.with_versions(3);
    managed.edit(|image| {
        image["versions"][2]["base"] = json!({ "ref": "ci:0", "digest": digests[0] });
    });
    managed.done(&["promote", "ci", "ci-0", "--to", "stable"]).await;
    let revoke = ["revoke", "ci", "ci-0", "--reason", "a key was in it", "--replace-with", "ci-1"];
    let said = managed.image(&revoke).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("warning: ci-2 of `ci` was built on it"), "{}", said.err);
    assert_eq!(managed.channel("stable").as_ref(), Some(&digests[1]));
    // Neither the version nor what was built on it can be promoted now.
    managed.refused(&["promote", "ci", "ci-0", "--to", "stable"], 12).await;
    let refused = managed.refused(&["promote", "ci", "ci-2", "--to", "stable"], 12).await;
    assert!(refused.contains("its base ci-0 is revoked"), "{refused}");
    // Not even by hand: a tag is never moved to it.
    managed.edit(|image| image["channels"]["stable"]["digest"] = json!(digests[0]));
    managed.refused(&["reconcile", "ci", "--apply"], 10).await;
    assert_eq!(managed.tag("stable"), None);
    managed.host.close().await;
}
