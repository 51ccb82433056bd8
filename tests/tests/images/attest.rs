//! What stands beside a promoted image: a signature that openssl verifies as cosign does. And what a
//! scanner's report forbids.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use fargate_tests::have;
use fargate_tests::image_registry::AUTHORIZATION;
use serde_json::{Value, json};

use fargate_tests::image_host::{ImageHost, REPOSITORY};

/// What the registry has under this path of the repository; `None` if nothing.
fn stored(managed: &ImageHost, path: &str) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(managed.registry.host()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = format!(
        "GET /v2/{REPOSITORY}/{path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {AUTHORIZATION}\r\n\
         Accept: application/vnd.oci.image.manifest.v1+json\r\nConnection: close\r\n\r\n",
        managed.registry.host()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    answer.starts_with(b"HTTP/1.1 200").then(|| answer[end + 4..].to_vec())
}

fn openssl(arguments: &[&str]) {
    let done = Command::new("openssl").args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test]
async fn what_is_promoted_is_signed_once_and_openssl_verifies_what_cosign_would() {
    let Some(managed) = ImageHost::open().await else { return };
    if !have("openssl") {
        return;
    }
    let path = |name: &str| managed.host.folder().join(name).to_str().unwrap().to_owned();
    let (key, public) = (path("cosign.key"), path("cosign.pub"));
    openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", &key]);
    openssl(&["pkey", "-in", &key, "-pubout", "-out", &public]);
    managed.host.set("image.ci.signing_key", key.as_str());
    let digests = managed.with_versions(1);
    managed.done(&["promote", "ci", "ci-0", "--to", "latest"]).await;

    let tag = format!("manifests/{}.sig", digests[0].replace(':', "-"));
    let manifest = stored(&managed, &tag).expect("a signature");
    let read: Value = serde_json::from_slice(&manifest).unwrap();
    let layer = &read["layers"][0];
    let payload =
        stored(&managed, &format!("blobs/{}", layer["digest"].as_str().unwrap())).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(claims["critical"]["image"]["docker-manifest-digest"], digests[0].as_str());
    let signature = layer["annotations"]["dev.cosignproject.cosign/signature"].as_str().unwrap();
    fs::write(path("payload"), &payload).unwrap();
    fs::write(path("signature.txt"), format!("{signature}\n")).unwrap();
    openssl(&["base64", "-d", "-A", "-in", &path("signature.txt"), "-out", &path("signature")]);
    openssl(&[
        "dgst",
        "-sha256",
        "-verify",
        &public,
        "-signature",
        &path("signature"),
        &path("payload"),
    ]);
    let recorded = managed.manifest()["images"]["ci"]["versions"][0]["signature"].clone();
    assert!(recorded.as_str().is_some_and(|text| text.starts_with("sha256:")), "{recorded}");

    // It is signed already.
    managed.done(&["promote", "ci", "ci-0", "--to", "stable"]).await;
    assert_eq!(stored(&managed, &tag).as_deref(), Some(&manifest[..]));
    managed.host.close().await;
}

#[tokio::test]
async fn a_report_with_something_too_grave_or_about_another_image_keeps_a_version_from_stable() {
    let Some(managed) = ImageHost::open().await else { return };
    let digests = managed.with_versions(2);
    let folder = managed.host.folder().to_owned();
    let report = folder.join("report.json");
    let trivy = |digest: &str, severity: &str| {
        let found = json!({ "VulnerabilityID": "CVE-1", "PkgName": "xz", "InstalledVersion": "5.6.0",
            "FixedVersion": "5.6.2", "Severity": severity });
        let text = json!({ "SchemaVersion": 2, "ArtifactName": "ci",
            "Metadata": { "RepoDigests": [format!("{REPOSITORY}@{digest}")] },
            "Results": [{ "Target": "debian", "Vulnerabilities": [found] }] });
        fs::write(&report, text.to_string()).unwrap();
    };
    let file = report.to_str().unwrap();
    let promote = ["promote", "ci", "ci-0", "--to", "stable", "--vulnerabilities", file];

    trivy(&digests[0], "CRITICAL");
    let words = managed.refused(&promote, 12).await;
    assert!(words.contains("critical CVE-1 in xz 5.6.0, fixed in 5.6.2"), "{words}");
    trivy(&digests[1], "LOW");
    let words = managed.refused(&promote, 12).await;
    assert!(words.contains("the report of Trivy is about"), "{words}");
    fs::write(&report, "<html>").unwrap();
    let words = managed.refused(&promote, 2).await;
    assert!(words.contains("no JSON report of Trivy, Grype or ECR"), "{words}");
    assert_eq!(managed.channel("stable"), None);

    trivy(&digests[0], "CRITICAL");
    let waivers = folder.join("waivers.toml");
    let waiver =
        "[[vulnerability]]\nid = \"CVE-1\"\nreason = \"not called\"\nexpires = 2999-01-01\n";
    fs::write(&waivers, waiver).unwrap();
    managed.host.set("image.ci.waivers", waivers.to_str().unwrap());
    assert_eq!(managed.done(&promote).await, digests[0]);
    managed.host.close().await;
}
