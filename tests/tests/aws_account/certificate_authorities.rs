//! HTTPS with a private certificate authority: `ca_bundle` and `AWS_CA_BUNDLE`.

use std::path::PathBuf;

use fargate_tests::{CheckedHost, SYSTEM_FAILURE};

use crate::{block, plays, reaches_all};

async fn site() -> (CheckedHost, PathBuf) {
    let site = CheckedHost::open_with(|options| options.tls = true).await;
    let path = site.folder().join("authority.pem");
    let pem = site.cloud().authority().expect("a cloud with TLS").to_owned();
    std::fs::write(&path, pem).expect("a writable folder");
    (site, path)
}

#[tokio::test]
async fn the_bundle_of_the_file_is_trusted_before_that_of_the_environment() {
    let (site, pem) = site().await;
    site.set("defaults.ca_bundle", pem.display().to_string());
    let job = site.job_with(|job| job.set("AWS_CA_BUNDLE", "/no/such/file"));
    assert!(site.cloud().endpoint().starts_with("https://"));
    plays(&job).await;
    site.close().await;
}

#[tokio::test]
async fn the_bundle_of_the_environment_is_trusted_for_every_service() {
    let (site, pem) = site().await;
    let role = site.cloud().add_role("eu-west-1", "ci", None);
    site.set("defaults.assume_role_arn", role);
    site.set("defaults.public_ip", "dialled");
    let job = site.job_with(|job| {
        job.set("AWS_CA_BUNDLE", &pem);
        job.set("AWS_ENDPOINT_URL", site.cloud().endpoint());
    });
    plays(&job).await;
    assert!(site.calls("AssumeRole") > 0 && site.calls("DescribeNetworkInterfaces") > 0);
    site.close().await;
}

#[tokio::test]
async fn without_a_bundle_the_certificate_is_refused_and_nothing_is_sent() {
    let (site, pem) = site().await;
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    insta::assert_snapshot!(block(&ended), @r"
    error: the certificate of https://PLACE is not trusted
      Nothing was sent: invalid peer certificate: UnknownIssuer.
      Fix: name the PEM file of its authority in `ca_bundle` or AWS_CA_BUNDLE
        curl -sv -m 5 https://PLACE
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: certificate-untrusted
    ");
    assert_eq!(site.cloud().requests().len(), 0);
    // With it, the same job can be cleaned up.
    let mended = site.same_job(&job, |job| job.set("AWS_CA_BUNDLE", pem));
    mended.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_bundle_that_gives_nothing_is_named_and_nobody_is_trusted_instead() {
    let (site, _) = site().await;
    let folder = site.folder().to_owned();
    let file = |name: &str, text: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a writable folder");
        path
    };
    let cases = [
        (folder.join("none.pem"), "It cannot be read: No such file or directory (os error 2)."),
        (file("empty.pem", b""), "It is empty."),
        (file("text.pem", b"not a certificate\n"), "It holds no certificate in PEM."),
        (
            file("odd.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "None of its 1 certificates can be read.",
        ),
    ];
    for (path, reason) in cases {
        let job = site.job_with(|job| {
            reaches_all(&site)(job);
            job.set("AWS_CA_BUNDLE", &path);
        });
        let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
        let headline = format!("error: the CA bundle {} cannot be used", path.display());
        assert_eq!(ended.error_line(), headline);
        assert!(ended.out().contains(reason), "{}", ended.out());
        assert!(!ended.all().contains("panicked"), "{}", ended.all());
    }
    assert_eq!(site.cloud().requests().len(), 0);
    site.close().await;
}
