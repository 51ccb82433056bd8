//! A version that was searched by other rules is searched again before it is promoted.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::image_layout::ImageLayout;
use fargate_tests::image_host::ImageHost;

/// A layer with one file of this content.
fn layer(content: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("app.conf"), content).expect("a writable folder");
    let mut tar = Command::new("tar");
    let made = tar.args(["-c", "app.conf"]).current_dir(&folder).output().expect("tar");
    assert!(made.status.success());
    made.stdout
}

#[tokio::test]
async fn what_today_s_rules_find_in_the_registry_s_layers_keeps_a_version_from_every_channel() {
    let Some(managed) = ImageHost::open().await else { return };
    let token = format!("glpat-{}", "Zq8bT3mW9xKcV2nR7sLp");
    let images = [
        ImageLayout::of_layers(&[layer("mode = fast\n")]),
        ImageLayout::of_layers(&[layer("mode = fast\n"), layer(&format!("token = {token}\n"))]),
    ];
    managed.with_versions(2);
    for (n, image) in images.iter().enumerate() {
        let tag = format!("pushed-{n}");
        managed.done(&["push", "ci", "--from", image.path(), "--tag", &tag]).await;
        managed.edit(|listed| listed["versions"][n]["digest"] = json!(image.digest));
    }
    let scan = |n: usize| managed.manifest()["images"]["ci"]["versions"][n]["scan"].clone();
    managed.done(&["promote", "ci", "ci-0", "--to", "stable"]).await;
    let (rules, findings) = (scan(0)["rules"].clone(), scan(0)["findings"].clone());
    assert_ne!(rules, "1", "the rules of today were written down");
    assert_eq!(findings, 0);

    let refused = managed.refused(&["promote", "ci", "ci-1", "--to", "latest"], 4).await;
    assert!(refused.contains("app.conf") && !refused.contains(&token), "{refused}");
    assert_eq!(managed.channel("latest"), None);
    assert_eq!(scan(1)["rules"], "1");

    // What was searched by these very rules is not searched again.
    managed.edit(|listed| listed["versions"][1]["scan"]["rules"] = rules);
    managed.done(&["promote", "ci", "ci-1", "--to", "latest"]).await;
    managed.host.close().await;
}
