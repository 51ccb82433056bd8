//! Commands in any order, some of them killed in the middle: no channel is left at a version that is revoked
//! or not in the registry.

use serde_json::Value;

use fargate_tests::image_host::ImageHost;

/// Versions that the registry has, and one more that it does not have.
const PUSHED: usize = 4;
const STEPS: usize = 30;
/// Most points of a command at which it may be killed.
const MOST_POINTS: usize = 2;

/// One command, drawn at random.
fn drawn(random: &mut fastrand::Rng) -> Vec<String> {
    let version = |random: &mut fastrand::Rng| format!("ci-{}", random.usize(0..=PUSHED));
    let channel = ["latest", "stable"][random.usize(0..2)];
    let mut words: Vec<String> = match random.usize(0..8) {
        0..3 => vec!["promote".into(), "ci".into(), version(random), "--to".into(), channel.into()],
        3..5 => vec!["rollback".into(), "ci".into(), "--channel".into(), channel.into()],
        5 => vec!["revoke".into(), "ci".into(), version(random), "--reason".into(), "why".into()],
        _ => vec!["reconcile".into(), "ci".into(), "--apply".into()],
    };
    if words[0] == "revoke" && random.bool() {
        words.extend(["--replace-with".into(), version(random)]);
    }
    words
}

fn check(managed: &ImageHost, digests: &[String], told: &str) {
    let manifest = managed.manifest();
    let image = &manifest["images"]["ci"];
    let is_good = |digest: &Value| {
        let versions = image["versions"].as_array().expect("versions");
        let version = versions.iter().find(|version| version["digest"] == *digest);
        version.is_some_and(|version| version["status"] != "revoked")
            && digests.iter().any(|pushed| digest == pushed)
    };
    for (name, channel) in image["channels"].as_object().into_iter().flatten() {
        assert!(is_good(&channel["digest"]), "`{name}` after{told}: {manifest:#}");
    }
}

async fn play(seed: u64) {
    let Some(managed) = ImageHost::open().await else { return };
    let digests = managed.with_versions(PUSHED);
    managed.edit(|image| {
        let mut absent = image["versions"][0].clone();
        absent["digest"] = format!("sha256:{:064x}", 9).into();
        absent["tag"] = format!("ci-{PUSHED}").into();
        image["versions"].as_array_mut().expect("versions").push(absent);
    });
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut told, mut killed, mut done) = (format!(" (seed {seed})"), 0, 0);
    for _ in 0..STEPS {
        let words = drawn(&mut random);
        let end = random.bool().then(|| format!("KILL {}", random.usize(1..=MOST_POINTS)));
        let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = managed.image_with(&arguments, end.as_deref()).await;
        told += &format!("\n{} {end:?}: {:?}", words.join(" "), said.code);
        assert!(matches!(said.code, None | Some(0 | 8 | 10 | 11 | 12)), "{told}\n{}", said.err);
        killed += usize::from(said.code.is_none());
        done += usize::from(said.code == Some(0));
        check(&managed, &digests, &told);
    }
    assert!(killed > 0 && done > 3, "too few were killed or done{told}");
    // A last run brings the tags to what the manifest says.
    managed.done(&["reconcile", "ci", "--apply"]).await;
    for channel in ["latest", "stable"] {
        if let Some(digest) = managed.channel(channel) {
            assert_eq!(managed.tag(channel), Some(digest), "{told}");
        }
    }
    managed.host.close().await;
}

#[tokio::test]
async fn no_order_of_commands_and_kills_leaves_a_channel_at_a_revoked_or_absent_version() {
    for seed in [1, 2] {
        play(seed).await;
    }
}
