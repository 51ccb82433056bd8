//! The endpoints that the settings of a host name: an empty one counts as none, and a wrong one is
//! refused.

use fargate_tests::{CheckedHost, SYSTEM_FAILURE};

use crate::credential_sources::{aws_file, without_keys};
use crate::{block, plays, reaches_all};

/// The variables that may be empty, where another one names the endpoint.
const EMPTY: [&str; 3] = ["AWS_ENDPOINT_URL_ECS", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_EC2"];

#[tokio::test]
async fn an_empty_variable_of_a_service_names_no_endpoint_and_is_passed_over() {
    let site = CheckedHost::open().await;
    let role = site.cloud().add_role("eu-west-1", "ci", None);
    site.set("defaults.assume_role_arn", role);
    let job = site.job_with(|job| {
        reaches_all(&site)(job);
        EMPTY.into_iter().for_each(|name| job.set(name, ""));
    });
    plays(&job).await;
    let command = site.job_with(|job| {
        reaches_all(&site)(job);
        EMPTY.into_iter().for_each(|name| job.set(name, ""));
        job.arguments = vec!["-c".into(), site.config().into(), "exec".into()];
    });
    let ended = command.start(&["--", "true"]).ended().await;
    ended.with_code(0);
    site.close().await;
}

#[tokio::test]
async fn an_empty_variable_of_all_services_names_no_endpoint_and_is_passed_over() {
    let site = CheckedHost::open().await;
    let job = site.job_with(|job| job.set("AWS_ENDPOINT_URL", ""));
    plays(&job).await;
    site.close().await;
}

#[tokio::test]
async fn a_cleanup_stops_the_task_also_where_a_variable_became_empty() {
    let site = CheckedHost::open().await;
    let job = site.job_with(reaches_all(&site));
    job.prepare().await.passed();
    let mut later = job.beside_itself();
    later.set("AWS_ENDPOINT_URL_ECS", "");
    later.cleanup().await.passed();
    assert_eq!(site.calls("StopTask"), 1);
    site.close().await;
}

#[tokio::test]
async fn a_profile_with_an_empty_endpoint_is_refused_by_file_and_line() {
    for text in [
        "[profile ci]\naws_access_key_id = test\naws_secret_access_key = test\nendpoint_url =\n",
        "[profile ci]\nservices = s\n[services s]\nsts =\n  endpoint_url =\n",
    ] {
        let site = CheckedHost::open().await;
        let config = aws_file(&site, "config", text);
        let job = site.job_with(|job| job.set("AWS_PROFILE", "ci"));
        let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
        let told = block(&ended).replace(config.to_str().expect("text"), "HOME/.aws/config");
        let line = text.lines().count();
        assert_eq!(
            told.lines().take(4).collect::<Vec<_>>(),
            [
                "error: endpoint_url in HOME/.aws/config is not the URL of an endpoint".to_owned(),
                format!("  Line {line} of HOME/.aws/config: it is empty."),
                "  Fix: write it as https://HOST, or unset it for this host's runner".to_owned(),
                "    grep -n endpoint_url HOME/.aws/config".to_owned(),
            ],
            "{told}"
        );
        assert_eq!(site.cloud().requests().len(), 0);
        job.cleanup().await.with_code(0);
        site.close().await;
    }
}

#[tokio::test]
async fn an_empty_variable_that_the_source_of_credentials_would_read_is_refused_by_name() {
    let site = CheckedHost::open().await;
    let role = site.cloud().add_role("eu-west-1", "ci", None);
    let text = format!(
        "[profile ci]\nrole_arn = {role}\nsource_profile = base\n\
         [profile base]\naws_access_key_id = test\naws_secret_access_key = test\n"
    );
    aws_file(&site, "config", text);
    let job = site.job_with(|job| {
        without_keys(job);
        job.set("AWS_PROFILE", "ci");
        job.set("AWS_ENDPOINT_URL_STS", "");
    });
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.error_line(), "error: AWS_ENDPOINT_URL_STS is not the URL of an endpoint");
    assert!(ended.out().contains("It is empty."), "{}", ended.out());
    site.close().await;
}
