//! A client of GitLab against a server that answers as a script says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use fargate_config::{UnknownKeyPolicy, parse};
use fargate_mask::SharedMasker;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const TOKEN: &str = "glpat-canary-0123456789";

/// Answers each request by the script, in order; keeps the requests.
struct ScriptedGitLab {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for ScriptedGitLab {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl ScriptedGitLab {
    async fn start(script: &'static [(u16, &'static str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v4", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let noted = Arc::clone(&asked);
        let server = tokio::spawn(async move {
            for (status, body) in script {
                let (mut client, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !is_whole(&request) {
                    let mut buffer = [0; 4096];
                    let n = client.read(&mut buffer).await.unwrap();
                    assert_ne!(n, 0, "a whole request");
                    request.extend_from_slice(&buffer[..n]);
                }
                noted.lock().unwrap().push(String::from_utf8(request).unwrap());
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                client.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { url, asked, server }
    }

    fn project(&self) -> GitLabProject {
        let variables = BTreeMap::from([
            ("CI_API_V4_URL", self.url.as_str()),
            ("CI_PROJECT_ID", "42"),
            ("CI_DEFAULT_BRANCH", "main"),
            ("CI_COMMIT_SHA", "0f0f"),
            (TOKEN_VARIABLE, TOKEN),
        ]);
        GitLabProject::of_pipeline(|name| variables.get(name).map(ToString::to_string)).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    body.len() >= length.unwrap_or(0_usize)
}

async fn account() -> AwsAccount {
    let text = "config_version = 1\n[defaults]\ncluster = \"ci\"\nsubnets = [\"subnet-1\"]\n\
                security_groups = [\"sg-1\"]\nimage = \"team/ci:1\"\n";
    let loaded = parse(text, Path::new("config.toml"), UnknownKeyPolicy::Refuse).unwrap();
    let profile = loaded.config.profile(None).unwrap();
    let region = Some("eu-west-1".to_owned());
    AwsAccount::open(region, &profile, &SharedMasker::default()).await.unwrap()
}

fn change() -> ManifestChange {
    ManifestChange {
        branch: "image/ci/publish-0a".into(),
        title: "Publish ci-c1 of ci".into(),
        description: "- image".into(),
    }
}

async fn offered(gitlab: &ScriptedGitLab) -> Result<MergeRequestState, ImageFailure> {
    gitlab.project().offer(&account().await, &change(), "images/images.json", "{}\n").await
}

#[tokio::test]
async fn a_manifest_is_committed_to_a_branch_of_the_commit_that_was_read_and_offered() {
    let opened = r#"{"iid":7,"web_url":"https://gitlab.example/a/-/merge_requests/7"}"#;
    let script: &'static [_] = Box::leak(Box::new([(200, ""), (201, "{}"), (201, opened)]));
    let gitlab = ScriptedGitLab::start(script).await;
    let state = offered(&gitlab).await.unwrap();
    let url = "https://gitlab.example/a/-/merge_requests/7".to_owned();
    assert_eq!(state, MergeRequestState::Opened(url));
    let asked = gitlab.asked();
    let begins = |n: usize, with: &str| assert!(asked[n].starts_with(with), "{}", asked[n]);
    begins(0, "HEAD /api/v4/projects/42/repository/files/images%2Fimages.json?ref=0f0f HTTP/1.1");
    begins(1, "POST /api/v4/projects/42/repository/commits HTTP/1.1");
    begins(2, "POST /api/v4/projects/42/merge_requests HTTP/1.1");
    let body = |n: usize| -> Value {
        serde_json::from_str(asked[n].split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    assert_eq!(body(1)["start_sha"], "0f0f");
    assert_eq!(body(1)["actions"][0]["action"], "update");
    assert_eq!(body(2)["target_branch"], "main");
    assert!(asked.iter().all(|request| request.contains(&format!("private-token: {TOKEN}"))));
}

#[tokio::test]
async fn a_change_that_was_offered_before_is_not_offered_twice() {
    let gitlab = ScriptedGitLab::start(&[
        (404, ""),
        (400, r#"{"message":"A branch called 'image/ci/publish-0a' already exists."}"#),
        (409, r#"{"message":["Another open merge request already exists"]}"#),
    ])
    .await;
    assert_eq!(offered(&gitlab).await.unwrap(), MergeRequestState::AlreadyThere);
    assert!(gitlab.asked()[1].contains(r#""action":"create""#));
}

#[tokio::test]
async fn a_refusal_is_told_in_the_words_of_gitlab_without_the_token() {
    let gitlab = ScriptedGitLab::start(&[
        (200, ""),
        (403, r#"{"message":"403 Forbidden - glpat-canary-0123456789"}"#),
    ])
    .await;
    let words = offered(&gitlab).await.unwrap_err().to_string();
    assert!(words.contains("HTTP status 403") && words.contains("scope `api`"), "{words}");
    assert!(!words.contains(TOKEN), "{words}");
}

#[test]
fn a_pipeline_without_token_or_tls_is_told_what_to_do() {
    let with = |api: &str, token: &str| {
        let variable = |name: &str| match name {
            "CI_API_V4_URL" => Some(api.to_owned()),
            TOKEN_VARIABLE => Some(token.to_owned()),
            TOKEN_FILE_VARIABLE => None,
            _ => Some("1".to_owned()),
        };
        GitLabProject::of_pipeline(variable).map(|_| ()).map_err(|error| error.to_string())
    };
    assert!(with("https://gitlab.example/api/v4", TOKEN).is_ok());
    for (api, token, words) in [
        ("https://gitlab.example/api/v4", "", "nor FARGATE_RUNNER_GITLAB_TOKEN is set"),
        ("http://gitlab.example/api/v4", TOKEN, "without TLS"),
        ("gitlab.example", TOKEN, "is no URL"),
        ("", TOKEN, "CI_API_V4_URL is not set"),
        ("https://gitlab.example/api/v4", "canary canary", "has blanks"),
    ] {
        let error = with(api, token).unwrap_err();
        assert!(error.contains(words) && !error.contains("canary"), "{error}");
    }
}
