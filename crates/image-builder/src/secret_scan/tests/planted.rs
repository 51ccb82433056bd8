//! Secrets that a careless build leaves in an image: each is found, whatever form the image has.

use std::collections::BTreeSet;

use base64::Engine;
use serde_json::{Value, json};

use super::sample_image::{
    config, file, gzip, layout, run, saved, scanned, scanned_layer, tar, zip, zstd,
};
use crate::secret_scan::{SecretScanReport, SecretScanner};

/// Characters of a secret; the same ones for the same number.
fn random(count: usize, alphabet: &str, mut seed: u64) -> String {
    let letters: Vec<char> = alphabet.chars().collect();
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        letters[usize::try_from(seed >> 33).unwrap() % letters.len()]
    };
    (0..count).map(|_| next()).collect()
}

fn letters(count: usize, seed: u64) -> String {
    random(count, "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", seed)
}

fn private_key(seed: u64) -> String {
    let line = |at| letters(64, seed + at);
    let kind = "PRIVATE KEY";
    format!("-----BEGIN RSA {kind}-----\n{}\n{}\n-----END RSA {kind}-----\n", line(1), line(2))
}

fn base64(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// A text as Windows writes it.
fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A token for a host that cannot exist, as documentation shows it.
fn sample_token() -> String {
    let part = |text: &str| base64(text).trim_end_matches('=').to_owned();
    let claims = part(r#"{"iss":"https://issuer.example.com","sub":"somebody"}"#);
    format!("{}.{claims}.{}", part(r#"{"alg":"HS256","typ":"JWT"}"#), letters(43, 60))
}

/// Path, content, and the rule that must find it.
fn files() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let github = format!("ghp_{}", letters(36, 1));
    let gitlab = format!("glpat-{}", letters(20, 2));
    let slack = format!("xoxb-{}-{}-{}", "305918264077", "718203946150", letters(24, 3));
    let aws = format!("AKIA{}", random(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 4));
    let jwt = format!(
        "{}.{}.{}",
        "eyJhbGciOiJIUzI1NiJ9abc",
        format_args!("eyJ{}", letters(40, 5)),
        letters(43, 6)
    );
    let docker = json!({ "auths": { "r": { "auth": base64("bot:k3yb0ardCat9") } } }).to_string();
    let inner = tar(&[file("etc/deep.conf", format!("t={}", letters(1, 1) + " " + &gitlab))]);
    vec![
        ("root/.ssh/id_ed25519", private_key(10).into(), "ssh-key-file"),
        ("etc/ssh/ssh_host_rsa_key", private_key(20).into(), "ssh-host-key-file"),
        ("opt/app/readme.txt", format!("see\n{}", private_key(30)).into(), "private-key"),
        ("opt/app/key.json", json!({ "k": private_key(40) }).to_string().into(), "private-key"),
        ("root/.bash_history", "ls\n".into(), "history-file"),
        ("usr/share/doc/tok.md", format!("`{github}`").into(), "github-token"),
        ("srv/test/fixtures/example.py", format!("T = '{slack}'").into(), "slack-token"),
        ("root/.docker/config.json", docker.into(), "docker-login"),
        ("root/.npmrc", format!("//r/:_authToken={}", letters(36, 7)).into(), "npm-auth-token"),
        (
            "home/ci/.npmrc",
            format!("//r/:_password={}", base64("k3yb0ardCat9")).into(),
            "npm-password",
        ),
        ("root/.kube/config", "clusters: []\n".into(), "kubernetes-config-file"),
        ("root/.netrc", "machine a login b password c\n".into(), "netrc-file"),
        (
            "etc/curl.conf",
            "machine git.internal login ci password fj0rd-walrus9\n".into(),
            "netrc-password",
        ),
        ("etc/pip.conf", "index = https://ci:k3yb0ardCat9@pypi.internal/".into(), "url-password"),
        ("var/cache/a/b/c/d/e/session", jwt.clone().into(), "json-web-token"),
        (
            "etc/boto.cfg",
            format!("aws_secret_access_key = {}", letters(40, 8)).into(),
            "aws-secret-key",
        ),
        ("etc/aws.txt", format!("{aws}\n{}\n", letters(40, 9)).into(), "aws-secret-key-beside-id"),
        ("usr/lib/app.bin", [b"\0\x7fELF\0\0", aws.as_bytes(), b"\0"].concat(), "aws-access-key"),
        ("var/log/old.gz", gzip(format!("auth {github}\n").as_bytes()), "github-token"),
        ("var/log/old.zst", zstd(format!("auth {github}\n").as_bytes()), "github-token"),
        ("opt/app.jar", zip("app.properties", gitlab.as_bytes()), "gitlab-token"),
        ("opt/src.tgz", gzip(&inner), "gitlab-token"),
        (
            "usr/share/doc/jwt/readme.md",
            format!("{}\n{jwt}\n", sample_token()).into(),
            "json-web-token",
        ),
        ("usr/share/doc/openssl/demos/server.pem", private_key(70).into(), "private-key"),
        ("srv/setup/unattend.xml", wide(&format!("<token>{gitlab}</token>")), "gitlab-token"),
        ("srv/app/.env", "A=1\n".into(), "env-file"),
        ("srv/app/.git-credentials", "x\n".into(), "git-credentials-file"),
        ("srv/terraform.tfstate", "{}".into(), "terraform-state-file"),
    ]
}

fn planted() -> (Value, Vec<Vec<u8>>) {
    let entries: Vec<_> = files().iter().map(|(path, content, _)| file(path, content)).collect();
    let deleted = tar(&[file("tmp/deleted.txt", format!("npm_{}", letters(36, 50)))]);
    let whiteout = tar(&[file("tmp/.wh.deleted.txt", "")]);
    let argument = format!("|1 DEPLOY_TOKEN={} /bin/sh -c make", letters(20, 51));
    let config = config(
        &["COPY . /", "COPY deleted /tmp", "RUN rm /tmp/deleted.txt", &argument],
        &["PATH=/bin", "DB_PASSWORD=fj0rd-walrus9", &format!("X=sk_live_{}", letters(30, 52))],
        json!({ "build.note": format!("glpat-{}", letters(20, 53)) }),
    );
    (config, vec![zstd(&tar(&entries)), gzip(&deleted), whiteout])
}

fn require_all(report: &SecretScanReport) {
    let found: BTreeSet<_> =
        report.findings.iter().map(|it| (it.path.trim_end_matches('!'), it.rule)).collect();
    for (path, _, rule) in files() {
        let is_found = found.iter().any(|(at, by)| by == &rule && at.starts_with(path));
        assert!(is_found, "{path}: {rule} is not in {found:#?}");
    }
    for expected in [
        ("tmp/deleted.txt", "npm-token"),
        ("config.config.Env[1]", "named-secret"),
        ("config.config.Env[2]", "stripe-key"),
        ("config.config.Labels.build.note", "gitlab-token"),
        ("config.history[3].created_by", "named-secret"),
    ] {
        assert!(found.contains(&expected), "{expected:?} is not in {found:#?}");
    }
}

#[tokio::test]
async fn every_planted_secret_is_found_in_a_layout_an_archive_and_a_stream() {
    let (config, layers) = planted();
    let folder = tempfile::tempdir().unwrap();
    let layout_folder = folder.path().join("layout");
    layout(&layout_folder, &config, &layers);
    let archive = saved(&config, &layers);
    std::fs::write(folder.path().join("image.tar"), &archive).unwrap();

    let of_layout = scanned(layout_folder).await.unwrap();
    let of_archive = scanned(folder.path().join("image.tar")).await.unwrap();
    let of_stream = SecretScanner::new().scan_stream("image", &archive[..], &run()).unwrap();

    require_all(&of_layout);
    assert_eq!(of_layout.findings, of_archive.findings);
    assert_eq!(of_layout.findings, of_stream.findings);
    assert_eq!((of_layout.layers, of_layout.rules > 70), (3, true));
    let deleted = of_layout.findings.iter().find(|it| it.path == "tmp/deleted.txt").unwrap();
    assert_eq!(deleted.layer, Some(2));
    assert_eq!(deleted.created_by.as_deref(), Some("COPY deleted /tmp"));
}

#[tokio::test]
async fn samples_of_documentation_are_no_findings_and_excuse_nothing_beside_them() {
    let text = format!("{}\nhttp://ci:k3yb0ardCat9@registry.example.com/\n", sample_token());
    let report = scanned_layer(tar(&[file("srv/app/notes.md", &text)])).await.unwrap();
    assert_eq!(report.findings, []);
    let beside = format!("{text}http://ci:k3yb0ardCat9@registry.internal/\n");
    let report = scanned_layer(tar(&[file("srv/app/notes.md", beside)])).await.unwrap();
    let rules: Vec<_> = report.findings.iter().map(|it| it.rule).collect();
    assert_eq!(rules, ["url-password"]);
}

#[tokio::test]
async fn no_value_of_a_secret_is_in_the_report_or_the_error() {
    let (config, layers) = planted();
    let folder = tempfile::tempdir().unwrap();
    layout(folder.path(), &config, &layers);
    let report = scanned(folder.path().to_owned()).await.unwrap();
    let error = report.gate().unwrap_err();
    let told = format!("{error}{}", serde_json::to_string(&report).unwrap());
    for (value, kept) in [
        (letters(36, 1), "ghp_****"),
        (letters(20, 51), "****"),
        (letters(40, 8), "****"),
        ("fj0rd-walrus9".to_owned(), "****"),
        (letters(64, 11), "----****"),
    ] {
        assert!(!told.contains(&value) && !told.contains(&value[..8]), "{told}");
        assert!(told.contains(kept), "{kept} is not in {told}");
    }
    assert_eq!(error.exit_code(), 4);
}

#[test]
fn a_folder_is_searched_without_following_its_links() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("context");
    std::fs::create_dir(&root).unwrap();
    let secret = format!("ghp_{}", letters(36, 1));
    std::fs::write(folder.path().join("outside"), &secret).unwrap();
    std::fs::write(root.join("inside"), &secret).unwrap();
    std::os::unix::fs::symlink("../outside", root.join("link")).unwrap();
    std::os::unix::fs::symlink("loop", root.join("loop")).unwrap();
    let paths = ["inside", "link", "loop"].map(std::path::Path::new);
    let report = SecretScanner::new().scan_files(&root, paths, &run()).unwrap();
    let found: Vec<_> = report.findings.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(found, ["inside"]);
}
