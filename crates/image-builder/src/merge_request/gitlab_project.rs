//! One project of GitLab: commits a file to a new branch and opens a merge request, by GitLab's REST API.
//!
//! The branch begins at the commit that was checked out, so a change that somebody else made since then is a
//! conflict in GitLab and is never overwritten. Each request is sent once. The token comes from a file or a
//! variable, is sent to GitLab alone, and redirects are not followed.
//!
//! Source: GitLab Docs, "Commits API", "Merge requests API" and "Repository files API"; "Predefined CI/CD
//! variables reference".

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use fargate_aws::{AwsAccount, StreamedAnswer};
use fargate_model::text::escape_within;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;
use zeroize::Zeroizing;

use super::manifest_change::ManifestChange;
use crate::failure::ImageFailure;

/// The variable with the token, which has the scope `api`.
pub const TOKEN_VARIABLE: &str = "FARGATE_RUNNER_GITLAB_TOKEN";
/// The variable with the path of a file with the token: a variable of GitLab's type "File".
pub const TOKEN_FILE_VARIABLE: &str = "FARGATE_RUNNER_GITLAB_TOKEN_FILE";
const STALL: Duration = Duration::from_secs(30);
const LONGEST_ANSWER: usize = 1024 * 1024;
const LONGEST_TOKEN: u64 = 4096;

/// A project, and whose token is used.
pub struct GitLabProject {
    /// Such as `https://gitlab.example/api/v4/`.
    api: Url,
    /// Its id or its path.
    project: String,
    /// The branch into which changes are merged.
    target: String,
    /// The commit that was checked out.
    commit: String,
    token: Zeroizing<String>,
}

/// What became of a merge request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MergeRequestState {
    /// It is open now, at this address.
    Opened(String),
    /// The same change was offered before.
    AlreadyThere,
}

#[derive(Deserialize)]
struct OpenedMergeRequest {
    web_url: String,
}

impl GitLabProject {
    /// The project of the running pipeline, by the variables that GitLab sets, and the token.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Unusable`] if a variable is missing or wrong.
    pub fn of_pipeline(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ImageFailure> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let needed = |name: &str| {
            given(name).ok_or_else(|| {
                unusable(
                    format!("the variable {name} is not set"),
                    "open merge requests in a pipeline of GitLab, which sets it",
                )
            })
        };
        let api = needed("CI_API_V4_URL")?;
        let no_url = |_| unusable("CI_API_V4_URL is no URL".to_owned(), "correct that variable");
        let api = Url::parse(&format!("{}/", api.trim_end_matches('/'))).map_err(no_url)?;
        let is_own = api.host_str().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1"));
        if api.scheme() != "https" && !is_own {
            return Err(unusable(
                "GitLab is reached without TLS, so the token is not sent".to_owned(),
                "give GitLab a certificate, and CI_API_V4_URL `https://`",
            ));
        }
        let token = match (given(TOKEN_FILE_VARIABLE), given(TOKEN_VARIABLE)) {
            (Some(file), _) => token_of_file(Path::new(&file))?,
            (None, Some(token)) => Zeroizing::new(token),
            (None, None) => {
                return Err(unusable(
                    format!("neither {TOKEN_FILE_VARIABLE} nor {TOKEN_VARIABLE} is set"),
                    "make a project access token with the scope `api`, as a protected variable",
                ));
            }
        };
        let token = Zeroizing::new(token.trim().to_owned());
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(unusable(
                "the token is empty or has blanks".to_owned(),
                "correct the token",
            ));
        }
        let (project, target) = (needed("CI_PROJECT_ID")?, needed("CI_DEFAULT_BRANCH")?);
        Ok(Self { api, project, target, commit: needed("CI_COMMIT_SHA")?, token })
    }

    /// Commits `content` as the file `path` of the project to the branch of `change`, and opens a merge
    /// request. A change that was offered before is not offered twice.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Unusable`] if GitLab is not reached or refuses it.
    pub async fn offer(
        &self,
        account: &AwsAccount,
        change: &ManifestChange,
        path: &str,
        content: &str,
    ) -> Result<MergeRequestState, ImageFailure> {
        account.masker().remember(&self.token);
        let action = if self.has_file(account, path).await? { "update" } else { "create" };
        let commit = json!({
            "branch": change.branch,
            "start_sha": self.commit,
            "commit_message": change.title,
            "actions": [{ "action": action, "file_path": path, "content": content }],
        });
        let doing = format!("committing {path} to the branch {}", change.branch);
        let answer =
            self.send(account, &doing, "POST", "repository/commits", Some(&commit)).await?;
        // GitLab's words for a branch that is there: an earlier try made it.
        let is_there = answer.status == 400 && answer.text.contains("already exists");
        if answer.status != 201 && !is_there {
            return Err(answer.refusal(account, &doing));
        }
        let request = json!({
            "source_branch": change.branch,
            "target_branch": self.target,
            "title": change.title,
            "description": change.description,
            "remove_source_branch": true,
        });
        let doing = format!("opening a merge request for the branch {}", change.branch);
        let answer = self.send(account, &doing, "POST", "merge_requests", Some(&request)).await?;
        match answer.status {
            201 => {
                let opened: Option<OpenedMergeRequest> = serde_json::from_str(&answer.text).ok();
                let opened = opened.ok_or_else(|| answer.refusal(account, &doing))?;
                Ok(MergeRequestState::Opened(escape_within(&opened.web_url, 500)))
            }
            409 => Ok(MergeRequestState::AlreadyThere),
            _ => Err(answer.refusal(account, &doing)),
        }
    }

    async fn has_file(&self, account: &AwsAccount, path: &str) -> Result<bool, ImageFailure> {
        let doing = format!("looking for the file {path}");
        let (path, commit) = (encoded(path), encoded(&self.commit));
        let place = format!("repository/files/{path}?ref={commit}");
        let answer = self.send(account, &doing, "HEAD", &place, None).await?;
        match answer.status {
            200 => Ok(true),
            404 => Ok(false),
            _ => Err(answer.refusal(account, &doing)),
        }
    }

    async fn send(
        &self,
        account: &AwsAccount,
        doing: &str,
        method: &str,
        place: &str,
        body: Option<&Value>,
    ) -> Result<GitLabAnswer, ImageFailure> {
        let not_made =
            || unusable(format!("{doing}: the request cannot be made"), "correct CI_API_V4_URL");
        let url = self.api.join(&format!("projects/{}/{place}", encoded(&self.project)));
        let url = url.map_err(|_| not_made())?;
        let mut request =
            HttpRequest::new(SdkBody::from(body.map(Value::to_string).unwrap_or_default()));
        request.set_method(method).map_err(|_| not_made())?;
        request.set_uri(url.as_str()).map_err(|_| not_made())?;
        let token = self.token.to_string();
        for (name, value) in
            [("content-type", "application/json".to_owned()), ("private-token", token)]
        {
            request.headers_mut().try_insert(name, value).map_err(|_| not_made())?;
        }
        let who = url.host_str().unwrap_or("GitLab");
        let not_reached = |error: fargate_aws::CallError| {
            unusable(format!("{doing} at {who}: {error}"), "look whether this host reaches GitLab")
        };
        let mut answer: StreamedAnswer =
            account.stream(who, request, None, STALL).await.map_err(not_reached)?;
        let bytes = answer.whole(LONGEST_ANSWER).await.map_err(not_reached)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(GitLabAnswer { status: answer.status, text })
    }
}

struct GitLabAnswer {
    status: u16,
    text: String,
}

impl GitLabAnswer {
    fn refusal(&self, account: &AwsAccount, doing: &str) -> ImageFailure {
        let read = serde_json::from_str::<Value>(&self.text).unwrap_or_default();
        let words = ["message", "error"].iter().find_map(|member| read.get(*member));
        let words =
            words.map(|words| format!(": {}", account.masker().within(&words.to_string(), 300)));
        let hint = match self.status {
            401 | 403 => {
                "the token needs the scope `api` and the role Developer, and must not have expired"
            }
            404 => "the token may not see this project, or the file or commit is gone",
            _ => "look at GitLab's words, and try again",
        };
        let words = words.unwrap_or_default();
        unusable(format!("{doing}: GitLab answered with HTTP status {}{words}", self.status), hint)
    }
}

fn token_of_file(path: &Path) -> Result<Zeroizing<String>, ImageFailure> {
    let unread = |what: String| {
        let what = format!("reading the token file {}: {what}", path.display());
        unusable(what, "correct the variable with that path")
    };
    let bytes = fargate_files::read_at_most(path, LONGEST_TOKEN);
    let bytes = Zeroizing::new(bytes.map_err(|error| unread(error.to_string()))?);
    let text = std::str::from_utf8(&bytes).map_err(|_| unread("it is no text".to_owned()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn unusable(what: String, hint: &str) -> ImageFailure {
    ImageFailure::Unusable {
        what: format!("offering the manifest for review: {what}"),
        hint: hint.to_owned(),
    }
}

/// One part of a path, with `/` encoded as well.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => _ = write!(encoded, "%{byte:02X}"),
        }
    }
    encoded
}

#[cfg(test)]
#[path = "gitlab_project_tests.rs"]
mod tests;
