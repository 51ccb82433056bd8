//! Jobs whose profile names an image by its channel.

use std::rc::Rc;

use fargate_tests::{TestJob, redacted};
use serde_json::json;

use fargate_tests::image_host::ImageHost;

/// A job of a profile with `image = "ci@stable"`.
fn channel_job(managed: &ImageHost) -> Rc<TestJob> {
    let host = &managed.host;
    host.set("profile.private.image", "ci@stable");
    host.set("profile.private.registry_secret", "ci/registry");
    host.set("profile.private.execution_role", "ci-execution");
    host.set("profile.private.task_definition_family", "private-jobs");
    host.job_with(|job| {
        job.set("AWS_ENDPOINT_URL", host.cloud().endpoint());
        job.arguments.extend(["--profile".into(), "private".into()]);
    })
}

#[tokio::test]
async fn an_image_by_its_digest_warns_and_is_refused_as_its_channel_would_be() {
    let Some(managed) = ImageHost::open().await else { return };
    let digests = managed.with_versions(1);
    let mut told = String::new();
    for (what, status, since, refused_after) in [
        ("warned", "tested", Some("2000-01-01T00:00:00Z"), None),
        ("revoked", "revoked", None, None),
        ("refused", "tested", Some("2000-01-01T00:00:00Z"), Some("1days")),
    ] {
        managed.edit(|image| {
            image["versions"][0]["status"] = json!(status);
            image["versions"][0]["deprecation_time"] = json!(since);
        });
        if let Some(after) = refused_after {
            managed.host.set("image.ci.deprecate_after", after);
        }
        let job = channel_job(&managed);
        let image = format!("{}@{}", managed.repository(), digests[0]);
        managed.host.set("profile.private.image", image.as_str());
        let ended = job.prepare().await;
        let text = ended.out().replace(&digests[0], "DIGEST");
        let text = redacted(&text.replace(&managed.registry.host(), "REGISTRY"));
        let from = if what == "warned" { "warning: " } else { "error: " };
        let mut lines = text.lines().skip_while(|line| !line.contains(from));
        let first = lines.next().unwrap_or_else(|| panic!("{what}: {text}"));
        told += &format!("{first}\n{}\n", lines.next().unwrap_or_default());
        job.cleanup().await.passed();
    }
    insta::assert_snapshot!(told, @"
    warning: image REGISTRY/team/ci@DIGEST (ci-0) is deprecated since 2000-01-01T00:00:00Z; promote a newer version
    task ID accepted: 1 vCPU, 2 GB, on demand, eu-west-1a
    error: the version of the image is revoked
      Version DIGEST of `ci` is revoked: no reason is recorded.
    error: the version of the image is deprecated for too long
      Version DIGEST of `ci` is deprecated since 2000-01-01T00:00:00Z and refused since 2000-01-02T00:00:00Z.
    ");
    managed.host.close().await;
}

/// The images of the task definitions that were registered.
fn registered_images(managed: &ImageHost) -> Vec<String> {
    let requests = managed.host.cloud().requests();
    let registered = requests.iter().filter(|one| one.operation == "RegisterTaskDefinition");
    let image = |body: &serde_json::Value| body["containerDefinitions"][0]["image"].clone();
    registered.map(|one| image(&one.body).as_str().expect("an image").to_owned()).collect()
}

/// What is done to a host before a job.
type HostChange<'a> = &'a dyn Fn(&ImageHost);

#[tokio::test]
async fn a_job_runs_in_the_digest_of_its_channel_and_reconcile_registers_the_next_one() {
    let Some(managed) = ImageHost::open().await else { return };
    managed
        .host
        .without_policies("`image reconcile` registers task definitions, as the manager may");
    let digests = managed.with_versions(2);
    managed.host.set("image.ci.deprecate_after", "1days");
    managed.done(&["promote", "ci", "ci-0", "--to", "stable"]).await;
    let job = channel_job(&managed);
    job.prepare().await.passed();
    let image = |n: usize| format!("{}@{}", managed.repository(), digests[n]);
    assert_eq!(registered_images(&managed), [image(0)]);
    job.run("true").await.passed();
    job.cleanup().await.passed();

    managed.done(&["promote", "ci", "ci-1", "--to", "stable"]).await;
    let table = managed.done(&["reconcile", "ci", "--json"]).await;
    assert!(table.contains(r#""revision":null"#), "{table}");
    managed.done(&["reconcile", "ci", "--apply"]).await;
    assert_eq!(registered_images(&managed), [image(0), image(1)]);
    managed.host.close().await;
}

#[tokio::test]
async fn a_deprecated_version_warns_and_what_nobody_may_use_stops_the_job_with_a_cause_of_its_own()
{
    let Some(managed) = ImageHost::open().await else { return };
    let digests = managed.with_versions(1);
    let mut told = String::new();
    let cases: [(&str, HostChange<'_>); 6] = [
        // Without `deprecate_after` it is never refused.
        ("warned", &|managed| {
            managed.edit(|image| {
                image["versions"][0]["deprecation_time"] = json!("2000-01-01T00:00:00Z");
            });
        }),
        ("no manifest", &|managed| std::fs::remove_file(managed.manifest_path()).unwrap()),
        ("damaged", &|managed| std::fs::write(managed.manifest_path(), "{").unwrap()),
        ("no channel", &|managed| managed.edit(|image| image["channels"] = json!({}))),
        ("revoked", &|managed| {
            managed.edit(|image| {
                image["versions"][0]["status"] = json!("revoked");
                image["versions"][0]["revoked_reason"] = json!("a key was in it");
            });
        }),
        ("refused", &|managed| {
            managed.host.set("image.ci.deprecate_after", "1days");
            managed.edit(|image| {
                image["versions"][0]["deprecation_time"] = json!("2000-01-01T00:00:00Z");
            });
        }),
    ];
    for (what, change) in cases {
        managed.with_versions(1);
        managed.edit(|image| {
            let stable = json!({ "digest": digests[0], "since": "2026-01-01T00:00:00Z" });
            image["channels"] = json!({ "stable": stable });
        });
        change(&managed);
        let job = channel_job(&managed);
        let ended = job.prepare().await;
        let text = ended.out().replace(&digests[0], "DIGEST");
        let text = redacted(&text.replace(managed.host.folder().to_str().unwrap(), "FOLDER"));
        match what {
            "warned" => {
                ended.passed();
                let warning = text.lines().find(|line| line.contains("warning"));
                told += &format!("## {what}\n{}\n", warning.expect("a warning"));
            }
            _ => {
                let from = text.find("error: ").unwrap_or_else(|| panic!("{what}: {text}"));
                told += &format!("## {what}\n{}", &text[from..]);
                assert_eq!(managed.host.calls("RunTask"), 1, "{what}");
            }
        }
        job.cleanup().await.passed();
    }
    insta::assert_snapshot!(told, @"
    ## warned
    warning: image ci@stable (ci-0) is deprecated since 2000-01-01T00:00:00Z; promote a newer version
    ## no manifest
    error: the manifest FOLDER/images.json of image ci cannot be used
      There is no manifest FOLDER/images.json; docs/IMAGES.md shows one.
      Fix: bring the manifest of images to the manager host, as it is in git
        fargate-runner image list
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: image-manifest-unread
    ## damaged
    error: the manifest FOLDER/images.json of image ci cannot be used
      The manifest FOLDER/images.json cannot be used: EOF while parsing an object at line 1 column 1.
      Fix: bring the manifest of images to the manager host, as it is in git
        fargate-runner image list
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: image-manifest-unread
    ## no channel
    error: image ci has no version in channel stable
      The image `ci` has no channel `stable`; it has none.
      Fix: promote a version to the channel, or name another channel as `image` of the profile
        fargate-runner image list
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: image-channel-missing
    ## revoked
    error: channel stable of image ci has a revoked version
      Channel `stable` of `ci` has DIGEST, which is revoked: a key was in it.
      Fix: promote a good version to the channel, or roll the channel back
        fargate-runner image list
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: image-revoked
    ## refused
    error: the version of ci@stable is deprecated for too long
      Channel `stable` of `ci` has DIGEST, which is deprecated since 2000-01-01T00:00:00Z and refused since 2000-01-02T00:00:00Z.
      Fix: promote a newer version to the channel, or raise `deprecate_after` of the image
        fargate-runner image list
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: image-deprecated
    ");
    managed.host.close().await;
}
