//! The whole life of an image: published, promoted, used by jobs, rolled back, watched.

use std::rc::Rc;

use fargate_tests::TestJob;
use serde_json::Value;

use fargate_tests::image_host::{ImageHost, REPOSITORY};

/// A job of a profile with `image = "ci@stable"`.
fn channel_job(site: &ImageHost) -> Rc<TestJob> {
    let host = &site.host;
    host.job_with(|job| {
        job.set("AWS_ENDPOINT_URL", host.cloud().endpoint());
        job.arguments.extend(["--profile".into(), "private".into()]);
    })
}

/// What a job of the channel reads in its image.
async fn version_of_a_job(site: &ImageHost) -> String {
    let job = channel_job(site);
    job.prepare().await.passed();
    let said = job.run("cat /version").await;
    assert_eq!(said.code, 0, "{}", said.err());
    job.cleanup().await.passed();
    said.out()
}

/// The classes of drift, sorted.
async fn drift(site: &ImageHost) -> Vec<String> {
    let said = site.image(&["drift", "ci", "--json"]).await;
    let report: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{}", said.err));
    let findings = report["images"][0]["findings"].as_array().expect("findings");
    assert_eq!(said.code, Some(if findings.is_empty() { 0 } else { 3 }), "{}", said.err);
    let mut classes: Vec<_> =
        findings.iter().map(|one| one["class"].as_str().unwrap().to_owned()).collect();
    classes.sort();
    classes
}

#[tokio::test]
async fn what_is_published_is_promoted_runs_jobs_and_a_rollback_brings_back_the_former_one() {
    let Some(engine) = crate::engine() else { return };
    let Some(site) = ImageHost::with_engine(engine).await else { return };
    site.host.without_policies("`image reconcile` registers task definitions, as the manager may");
    let _ = engine.private_image(&site.host, "profile.private");
    let login = fargate_tests::image_registry::USER;
    let password = fargate_tests::image_registry::PASSWORD;
    let login = format!(r#"{{"username":"{login}","password":"{password}"}}"#);
    site.host.cloud().put_secret("ci/registry", &login).expect("a login");
    site.host.set("profile.private.image", "ci@stable");
    site.host.set("profile.private.execution_role", "ci-execution");
    site.host.set("profile.private.task_definition_family", "private-jobs");
    site.with_job_image();

    let report = site.done(&["publish", "ci", "--json"]).await;
    let report: Value = serde_json::from_str(&report).unwrap();
    let first = report["digest"].as_str().unwrap().to_owned();
    let version = &report["version"];
    assert_eq!((&report["published"], &version["status"]), (&true.into(), &"tested".into()));
    assert_eq!(version["agent"], env!("CARGO_PKG_VERSION"));
    assert_eq!(version["scan"]["findings"], 0);
    assert_eq!(site.versions(), std::slice::from_ref(version));
    // The same inputs are seen before they are built again.
    let again = site.image(&["publish", "ci"]).await;
    assert_eq!((again.code, again.out.trim_end()), (Some(0), first.as_str()), "{}", again.err);
    assert!(again.err.contains("nothing changed since ci-c"), "{}", again.err);
    assert!(!again.err.contains(" build "), "{}", again.err);

    site.done(&["promote", "ci", &first[7..15], "--to", "stable"]).await;
    site.done(&["reconcile", "ci", "--apply"]).await;
    assert_eq!(version_of_a_job(&site).await, "one\n");

    site.write("version", "two\n");
    site.commit();
    let second = site.done(&["publish", "ci"]).await;
    assert_ne!(second, first);
    site.done(&["promote", "ci", &second, "--to", "stable"]).await;
    site.done(&["reconcile", "ci", "--apply"]).await;
    assert_eq!(version_of_a_job(&site).await, "two\n");
    assert_eq!(site.done(&["rollback", "ci"]).await, first);
    site.done(&["reconcile", "ci", "--apply"]).await;
    assert_eq!(version_of_a_job(&site).await, "one\n");

    // Nothing is drift, and nothing of it may go.
    assert_eq!(drift(&site).await, Vec::<String>::new());
    let tags = site.registry.tags(REPOSITORY);
    site.done(&["gc", "ci", "--apply"]).await;
    assert_eq!(site.registry.tags(REPOSITORY), tags);

    // Five kinds of drift: each is found, and nothing else.
    site.registry.retag(REPOSITORY, &second, "stable");
    site.registry.push_labelled(REPOSITORY, "by-hand", "amd64", "by hand");
    let old = "ci-c20250101t000000z-00000000-00000000";
    site.registry.push_labelled(REPOSITORY, old, "amd64", "old");
    site.edit(|image| {
        let mut absent = image["versions"][0].clone();
        absent["digest"] = format!("sha256:{:064x}", 1).into();
        absent["tag"] = "ci-absent".into();
        let versions = image["versions"].as_array_mut().unwrap();
        versions.push(absent);
        let stable = versions.iter_mut().find(|one| one["digest"] == first.as_str()).unwrap();
        stable["created"] = "2025-01-01T00:00:00Z".into();
    });
    assert_eq!(drift(&site).await, ["missing", "moved", "stale", "unknown_tag", "unneeded"]);
    site.host.close().await;
}
