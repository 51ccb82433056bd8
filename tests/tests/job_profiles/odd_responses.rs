//! Responses that say nothing clear of the project or of the ref: a bound profile is for none of them.

use fargate_tests::CheckedHost;
use serde_json::{Value, json};

use crate::{job_of, profile_of_task, respond};

/// A host whose protected profile is bound to one project, and which runs all others under `[defaults]`.
async fn guarded_host() -> CheckedHost {
    let site = CheckedHost::open().await;
    site.set("profile.deploy.projects", toml::Value::from(vec!["shop/app"]));
    site.set("profile.deploy.refs", "protected");
    site.set("images.deploy:*", "deploy");
    site
}

/// The profile of a job with this change to a response that is for the protected profile.
async fn profile_after(site: &CheckedHost, change: impl FnOnce(&mut Value)) -> String {
    let job = job_of(site, "shop/app", true, |job| {
        for (name, value) in [
            ("CI_PROJECT_PATH", "shop/app"),
            ("CI_COMMIT_REF_PROTECTED", "true"),
            ("FARGATE_PROFILE", "deploy"),
            ("FARGATE_RUNNER_PROFILE", "deploy"),
        ] {
            job.set(&format!("CUSTOM_ENV_{name}"), value);
        }
        respond(job, |response| {
            response["image"] = json!({ "name": "deploy:1" });
            change(response);
        });
    });
    job.prepare().await.passed();
    let profile = profile_of_task(site);
    job.cleanup().await.passed();
    profile
}

#[tokio::test]
async fn only_a_plain_true_makes_a_ref_protected() {
    let site = guarded_host().await;
    assert_eq!(profile_after(&site, |_| {}).await, "deploy");
    for odd in [json!("true"), json!(1), json!(null), json!([true]), json!({}), json!(false)] {
        let given = odd.clone();
        let profile = profile_after(&site, |response| response["git_info"]["protected"] = odd);
        assert_eq!(profile.await, "", "{given}");
    }
    let missing = profile_after(&site, |response| {
        let git = response["git_info"].as_object_mut().expect("an object");
        git.remove("protected");
        // Where it does not belong.
        response["protected"] = true.into();
        response["job_info"]["protected"] = true.into();
    });
    assert_eq!(missing.await, "");
    site.close().await;
}

#[tokio::test]
async fn only_the_whole_path_of_a_project_is_the_project() {
    let site = guarded_host().await;
    for path in [
        "shop/app/",
        "/shop/app",
        "shop//app",
        "shop/app\n",
        "shop/app\u{0}",
        "shop/./app",
        "evil/../shop/app",
        "shop/app.git",
        "shop%2Fapp",
        "shop/\u{ff41}pp",
        "\u{17f}hop/app",
        "shop/app/deep",
        "shop",
        "*",
        "**",
    ] {
        let profile = profile_after(&site, |response| {
            response["job_info"]["project_full_path"] = path.into();
        });
        assert_eq!(profile.await, "", "{path:?}");
    }
    // A response of an older GitLab names the project in the address of its repository alone.
    let older = |url: &'static str| {
        profile_after(&site, move |response| {
            let job = response["job_info"].as_object_mut().expect("an object");
            job.remove("project_full_path");
            response["git_info"]["repo_url"] = url.into();
        })
    };
    assert_eq!(older("https://u:word-1234@gitlab.example/shop/app.git").await, "deploy");
    for url in [
        "https://u:word-1234@gitlab.example/shop/app/fork.git",
        "https://u:word-1234@gitlab.example/shop%2fapp.git",
        "https://u:word-1234@gitlab.example/x?/shop/app.git",
        "https://u:word-1234@gitlab.example/x#/shop/app.git",
    ] {
        assert_eq!(older(url).await, "", "{url}");
    }
    site.close().await;
}
