//! Every source of credentials that GitLab's driver took: profiles with keys, a process, roles, SSO
//! and a web identity; the environment; the metadata of an instance. If a source is wrong, the
//! message names the file, the profile and the line, and no part of a secret.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use fargate_local_cloud::IssuedCredentials;
use fargate_tests::{CheckedHost, PATIENCE, SYSTEM_FAILURE, TestJob, TestProcessResult};

use crate::answer_server::{AnswerServer, CannedAnswer};
use crate::{block, plays};

const HOUR: Duration = Duration::from_secs(3600);
/// Why tests run without the printed policies.
const OTHERS_ROLES: &str = "a file of AWS names the roles, and our configuration does not";

/// Writes a file of the folder `.aws` in the home of the site.
pub fn aws_file(site: &CheckedHost, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = site.folder().join(".aws").join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a writable folder");
    fs::write(&path, text).expect("a writable folder");
    path
}

/// Takes the keys out of the environment of a job.
pub fn without_keys(job: &mut TestJob) {
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        job.environment.remove(std::ffi::OsStr::new(name));
    }
}

/// What a process prints.
pub fn printed(keys: &IssuedCredentials) -> String {
    serde_json::json!({
        "Version": 1,
        "AccessKeyId": keys.access_key_id,
        "SecretAccessKey": keys.secret_access_key,
        "SessionToken": keys.session_token,
        "Expiration": "2096-01-01T00:00:00Z",
    })
    .to_string()
}

/// A whole job whose credentials come from the profile `ci`.
async fn plays_as_ci(site: &CheckedHost, change: impl FnOnce(&mut TestJob)) {
    let job = site.job_with(|job| {
        without_keys(job);
        job.set("AWS_PROFILE", "ci");
        job.set("AWS_ENDPOINT_URL_STS", site.cloud().endpoint());
        change(job);
    });
    plays(&job).await;
}

/// Whose keys signed the requests to ECS.
fn signed_by(site: &CheckedHost, key: &str) -> bool {
    let requests = site.cloud().requests();
    let mut ecs = requests.iter().filter(|request| request.service == "ecs");
    ecs.all(|request| request.access_key_id.starts_with(key))
}

const STATIC: &str = "aws_access_key_id = test\naws_secret_access_key = test\n";

#[tokio::test]
async fn keys_in_a_file_with_a_byte_order_mark_beside_a_broken_line_work() {
    let site = CheckedHost::open().await;
    aws_file(&site, "credentials", format!("\u{feff}[ci]\n{STATIC}\n[other]\nbroken line\n"));
    plays_as_ci(&site, |_| {}).await;
    assert!(site.log().contains("aws_profile.wrong_line"));
    site.close().await;
}

#[tokio::test]
async fn a_process_that_is_slower_than_a_call_may_be_is_waited_for() {
    let site = CheckedHost::open().await;
    let keys = site.cloud().issue_credentials(HOUR);
    let output = aws_file(&site, "output.json", printed(&keys));
    let process = format!("sleep 1; cat {}", output.display());
    aws_file(&site, "config", format!("[profile ci]\ncredential_process = {process}\n"));
    site.set("defaults.timeouts.aws_connect", "300ms");
    site.set("defaults.timeouts.aws_attempt", "500ms");
    plays_as_ci(&site, |_| {}).await;
    assert!(signed_by(&site, &keys.access_key_id));
    site.close().await;
}

#[tokio::test]
async fn a_process_that_is_missing_is_asked_once_and_one_with_a_child_of_its_own_is_taken() {
    let site = CheckedHost::open().await;
    aws_file(&site, "config", "[profile ci]\ncredential_process = /no/such/program\n");
    let ended = fails_as_ci(&site).await;
    assert!(ended.out().contains("a command that is not there"), "{}", ended.out());
    assert!(!ended.out().contains("then gave up"), "{}", ended.out());
    let keys = site.cloud().issue_credentials(HOUR);
    let output = aws_file(&site, "output.json", printed(&keys));
    let process = format!("sleep 60 & cat {}", output.display());
    aws_file(&site, "config", format!("[profile ci]\ncredential_process = {process}\n"));
    plays_as_ci(&site, |_| {}).await;
    assert!(signed_by(&site, &keys.access_key_id));
    site.close().await;
}

async fn fails_as_ci(site: &CheckedHost) -> TestProcessResult {
    let job = site.job_with(|job| {
        without_keys(job);
        job.set("AWS_PROFILE", "ci");
    });
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(site.cloud().requests().len(), 0);
    assert!(!ended.all().contains("canary") && !site.log().contains("canary"), "{}", ended.all());
    // Nothing left this host, so there is nothing to clean up.
    let cleaned = job.cleanup().await.with_code(0);
    assert!(cleaned.all().is_empty(), "{}", cleaned.all());
    assert!(ended.took + cleaned.took < PATIENCE, "{:?}", (ended.took, cleaned.took));
    ended
}

#[tokio::test]
async fn a_process_that_gives_nothing_is_named_by_file_profile_and_line_and_never_quoted() {
    for (process, words) in [
        ("echo canary >&2; exit 3", "failed: exit status: 3."),
        ("echo '{\"canary\": '", "printed no JSON that can be read, from line 2, column 0 on."),
        ("yes canary", "printed more than 64 KiB."),
        ("exec sleep 1000", "did not end within 0.90 s."),
    ] {
        let site = CheckedHost::open().await;
        site.set("defaults.timeouts.aws_connect", "500ms");
        site.set("defaults.timeouts.aws_attempt", "500ms");
        site.set("defaults.timeouts.aws_call", "1s");
        let config = aws_file(
            &site,
            "config",
            format!("[default]\nregion = x\n[profile ci]\ncredential_process = {process}\n"),
        );
        let ended = fails_as_ci(&site).await;
        let expected = "error: the AWS profile ci gives no credentials";
        assert_eq!(ended.error_line(), expected);
        let place = format!("Its credential_process (line 4 of {}) {words}", config.display());
        assert!(ended.out().contains(&place), "{}", ended.out());
        site.close().await;
    }
}

#[tokio::test]
async fn a_profile_that_cannot_work_is_refused_at_once_by_name() {
    let site = CheckedHost::open().await;
    aws_file(&site, "credentials", "[ci]\naws_access_key_id = AKIA1\nsecret canary\n");
    let ended = fails_as_ci(&site).await;
    let told = block(&ended).replace(site.folder().to_str().expect("text"), "HOME");
    insta::assert_snapshot!(told, @r"
    error: the AWS profile ci gives no credentials
      Line 3 of HOME/.aws/credentials, in [ci]: a setting is NAME = VALUE.
      Fix: correct the profile in HOME/.aws/credentials, or log in again
        aws sts get-caller-identity --profile ci
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: aws-profile
    ");
    site.close().await;
}

#[tokio::test]
async fn a_chain_of_roles_begins_with_keys_or_with_a_process() {
    let site = CheckedHost::open().await;
    site.without_policies(OTHERS_ROLES);
    let [first, second] =
        ["first", "second"].map(|role| site.cloud().add_role("eu-west-1", role, None));
    let keys = site.cloud().issue_credentials(HOUR);
    let output = aws_file(&site, "output.json", printed(&keys));
    for base in [STATIC.to_owned(), format!("credential_process = cat {}\n", output.display())] {
        let text = format!(
            "[profile ci]\nrole_arn = {second}\nsource_profile = middle\n\
             [profile middle]\nrole_arn = {first}\nsource_profile = base\n\
             [profile base]\n{base}"
        );
        aws_file(&site, "config", text);
        plays_as_ci(&site, |_| {}).await;
    }
    assert!(signed_by(&site, "ASIA"));
    // Two roles in `prepare` and two in `cleanup`, and that twice.
    assert_eq!(site.calls("AssumeRole"), 8);
    site.close().await;
}

/// The metadata of an instance with the role `ci`.
async fn metadata(keys: &IssuedCredentials) -> AnswerServer {
    let answer = serde_json::json!({
        "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z",
        "AccessKeyId": keys.access_key_id,
        "SecretAccessKey": keys.secret_access_key,
        "Token": keys.session_token,
        "Expiration": "2096-01-01T00:00:00Z",
    })
    .to_string();
    AnswerServer::start(move |request| {
        let line = request.lines().next().unwrap_or_default();
        let body = match line {
            line if line.starts_with("PUT /latest/api/token ") => "a-token",
            line if line.contains("/security-credentials/ci") => &answer,
            line if line.contains("/security-credentials/ ") => "ci",
            _ => return CannedAnswer::Status(404),
        };
        CannedAnswer::Body(body.to_owned())
    })
    .await
}

#[tokio::test]
async fn an_instance_gives_its_role_by_itself_and_as_the_source_of_a_profile() {
    let site = CheckedHost::open().await;
    site.without_policies(OTHERS_ROLES);
    let keys = site.cloud().issue_credentials(HOUR);
    let metadata = metadata(&keys).await;
    let on_instance = |job: &mut TestJob| {
        job.set("AWS_EC2_METADATA_DISABLED", "false");
        job.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.url());
    };
    let job = site.job_with(|job| {
        without_keys(job);
        on_instance(job);
    });
    plays(&job).await;
    assert!(signed_by(&site, &keys.access_key_id));
    let role = site.cloud().add_role("eu-west-1", "ci", None);
    let text =
        format!("[profile ci]\nrole_arn = {role}\ncredential_source = Ec2InstanceMetadata\n");
    aws_file(&site, "config", text);
    plays_as_ci(&site, on_instance).await;
    assert_eq!(site.calls("AssumeRole"), 2);
    // Version 2: every question carries the token.
    for request in metadata.asked().iter().filter(|request| request.starts_with("GET ")) {
        assert!(request.to_ascii_lowercase().contains("x-aws-ec2-metadata-token: a-token"));
    }
    site.close().await;
}

#[tokio::test]
async fn a_web_identity_is_exchanged_for_keys_from_the_environment_and_from_a_profile() {
    let site = CheckedHost::open().await;
    let keys = site.cloud().issue_credentials(HOUR);
    let answer = format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{}</AccessKeyId>\
         <SecretAccessKey>{}</SecretAccessKey><SessionToken>{}</SessionToken>\
         <Expiration>2096-01-01T00:00:00Z</Expiration></Credentials>\
         </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
        keys.access_key_id, keys.secret_access_key, keys.session_token
    );
    let sts = AnswerServer::start(move |_| CannedAnswer::Body(answer.clone())).await;
    let token = aws_file(&site, "token", "a.web.identity");
    let role = "arn:aws:iam::123456789012:role/ci";
    let job = site.job_with(|job| {
        without_keys(job);
        job.set("AWS_ROLE_ARN", role);
        job.set("AWS_WEB_IDENTITY_TOKEN_FILE", &token);
        job.set("AWS_ENDPOINT_URL_STS", sts.url());
    });
    plays(&job).await;
    let text =
        format!("[profile ci]\nrole_arn = {role}\nweb_identity_token_file = {}\n", token.display());
    aws_file(&site, "config", text);
    plays_as_ci(&site, |job| job.set("AWS_ENDPOINT_URL_STS", sts.url())).await;
    assert!(signed_by(&site, &keys.access_key_id));
    assert_eq!(sts.asked().len(), 4);
    assert!(sts.asked().iter().all(|asked| asked.contains("WebIdentityToken=a.web.identity")));
    site.close().await;
}

#[tokio::test]
async fn what_sources_of_the_environment_lack_is_named_in_our_own_words() {
    let role = "arn:aws:iam::123456789012:role/ci";
    let token = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/such/token");
    let cases: [(&[(&str, &str)], &str); 3] = [
        (
            &[token, ("AWS_ROLE_ARN", role)],
            "AWS_WEB_IDENTITY_TOKEN_FILE names /no/such/token, which cannot be read: No such file",
        ),
        (&[token], "web identity (AWS_ROLE_ARN is not set)"),
        (
            &[
                ("AWS_EC2_METADATA_DISABLED", "false"),
                ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "nonsense"),
            ],
            "instance metadata (",
        ),
    ];
    for (variables, words) in cases {
        let site = CheckedHost::open().await;
        let job = site.job_with(|job| {
            without_keys(job);
            for (name, value) in variables {
                job.set(name, value);
            }
        });
        let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
        assert!(ended.out().contains(words), "{}", ended.out());
        // Nothing as Rust prints it.
        assert!(!ended.out().contains(['{', '}']), "{}", ended.out());
        site.close().await;
    }
}

#[tokio::test]
async fn a_login_by_sso_gives_keys_with_and_without_a_session() {
    let site = CheckedHost::open().await;
    let keys = site.cloud().issue_credentials(HOUR);
    let answer = serde_json::json!({ "roleCredentials": {
        "accessKeyId": keys.access_key_id,
        "secretAccessKey": keys.secret_access_key,
        "sessionToken": keys.session_token,
        "expiration": 3_976_214_400_000_u64,
    }})
    .to_string();
    let portal = AnswerServer::start(move |_| CannedAnswer::Body(answer.clone())).await;
    let login = r#"{"accessToken": "canary-login", "expiresAt": "2096-01-01T00:00:00Z", "region": "eu-west-1", "startUrl": "https://x.example/start"}"#;
    // SHA-1 of `https://x.example/start` and of `team`, as `aws sso login` names its files.
    for name in [SSO_URL_SHA1, SSO_SESSION_SHA1] {
        aws_file(&site, &format!("sso/cache/{name}.json"), login);
    }
    let account = "sso_account_id = 123456789012\nsso_role_name = ci\n";
    let place = "sso_region = eu-west-1\nsso_start_url = https://x.example/start\n";
    for text in [
        format!("[profile ci]\n{account}{place}"),
        format!("[profile ci]\nsso_session = team\n{account}[sso-session team]\n{place}"),
    ] {
        aws_file(&site, "config", text);
        plays_as_ci(&site, |job| job.set("AWS_ENDPOINT_URL_SSO", portal.url())).await;
    }
    assert!(signed_by(&site, &keys.access_key_id));
    let asked = portal.asked();
    assert_eq!(asked.len(), 4);
    assert!(asked.iter().all(|asked| asked.contains("role_name=ci")), "{asked:?}");
    assert!(!site.log().contains("canary"));
    site.close().await;
}

const SSO_URL_SHA1: &str = "80c7f57c51e0449101de09ef74138a588ea0d4a6";
const SSO_SESSION_SHA1: &str = "d25187dc137f35c88bc80ec8c3ffbdb17b5eb873";

#[tokio::test]
async fn a_login_by_sso_that_is_over_names_its_profile() {
    let site = CheckedHost::open().await;
    let account = "sso_account_id = 123456789012\nsso_role_name = ci\n";
    let place = "sso_region = eu-west-1\nsso_start_url = https://x.example/start\n";
    aws_file(&site, "config", format!("[profile ci]\n{account}{place}"));
    let ended = fails_as_ci(&site).await;
    assert_eq!(ended.error_line(), "error: the AWS profile ci gives no credentials");
    assert!(ended.out().contains("log in again"), "{}", ended.out());
    site.close().await;
}
