//! Whether GitLab answers this host. It is asked only if its URL is known.

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::job_needs::JobNeeds;

/// What the report says as a whole if GitLab was not asked.
pub(crate) fn not_asked(needs: &JobNeeds) -> Option<&'static str> {
    let words = "GitLab was not asked: give --gitlab-url.";
    needs.gitlab_url.is_none().then_some(words)
}

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let Some(url) = &input.needs.gitlab_url else { return Vec::new() };
    vec![match input.view.host.gitlab.or_unknown(&format!("whether {url} answers this host")) {
        Err(unknown) => unknown,
        Ok(Ok(answer)) if answer.status < 500 => {
            CheckFinding::pass(format!("{url} answers in {} ms", answer.took_ms))
        }
        Ok(Ok(answer)) => CheckFinding::warn(format!("{url} answers with HTTP status {}", answer.status))
            .fix("look at the state of GitLab"),
        Ok(Err(why)) => {
            CheckFinding::fail(format!("{url} does not answer this host: {why}"), "no job reaches this host")
                .fix("correct the URL, the way out of this host, its proxy or the authorities that it trusts")
                .command(format!("curl -sS -o /dev/null -w '%{{http_code}}\\n' {url}"))
        }
    }]
}
