//! Whether CloudWatch Logs has a log group.
//!
//! The call is made once; the caller repeats it if needed.
//!
//! Source: Amazon CloudWatch Logs API Reference, version 2014-03-28, `DescribeLogGroups`.

use serde_json::{Value, json};

use crate::account::AwsAccount;
use crate::call::CallError;
use crate::json_refusal::refusal;
use crate::signed_request::UnsignedRequest;

const WHO: &str = "CloudWatch Logs";
const RIGHT: &str = "logs:DescribeLogGroups";
const HEADERS: &[(&str, &str)] = &[
    ("content-type", "application/x-amz-json-1.1"),
    ("x-amz-target", "Logs_20140328.DescribeLogGroups"),
];
/// Longest answer that is read, in bytes. A page has at most 50 groups of about 1 KiB.
const LONGEST: usize = 256 * 1024;
/// Most pages that are read. The group with exactly the name comes first among those that begin with it, so
/// more than one page means that its order is another than documented.
const MAX_PAGES: usize = 20;

impl AwsAccount {
    /// Whether there is a log group with this name in `region`, or in the Region of this account.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if a call failed, or if the list does not end.
    pub async fn has_log_group(&self, region: Option<&str>, name: &str) -> Result<bool, CallError> {
        let region = region.unwrap_or(&self.region);
        let endpoint = self.endpoint_in(region, "logs");
        let failed = |error: CallError| CallError::Elsewhere {
            service: WHO,
            endpoint: endpoint.clone(),
            right: RIGHT,
            error: Box::new(error),
        };
        let mut asked = json!({ "logGroupNamePrefix": name, "limit": 50 });
        for _ in 0..MAX_PAGES {
            let question = UnsignedRequest {
                who: WHO,
                service: "logs",
                region,
                endpoint: endpoint.clone(),
                headers: HEADERS,
                body: asked.to_string(),
                longest: LONGEST,
            };
            let answer = self.ask(question).await.and_then(|said| match said.status {
                200..300 => page(&said.body, name),
                _ => Err(self.judged(refusal(&said, &self.masker))),
            });
            match answer.map_err(failed)? {
                (true, _) => return Ok(true),
                (false, None) => return Ok(false),
                (false, Some(next)) => asked["nextToken"] = next.into(),
            }
        }
        let text = format!("{WHO}'s list goes on after {MAX_PAGES} pages");
        Err(failed(CallError::Unreadable { text }))
    }
}

/// Whether this page has the group, and where the next page begins.
fn page(body: &str, name: &str) -> Result<(bool, Option<String>), CallError> {
    let read: Option<Value> = serde_json::from_str(body).ok();
    let groups = read.as_ref().and_then(|read| read.get("logGroups")?.as_array());
    let groups = groups.ok_or_else(|| CallError::Unreadable {
        text: format!("{WHO}'s answer has no list of groups"),
    })?;
    let is_here = groups.iter().any(|group| group["logGroupName"] == name);
    let next = read.as_ref().and_then(|read| read.get("nextToken")?.as_str());
    Ok((is_here, next.filter(|next| !next.is_empty()).map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_group_with_exactly_the_name_counts() {
        let body =
            r#"{"logGroups": [{"logGroupName": "/ci/tasks-2"}, {"logGroupName": "/ci/tasks"}]}"#;
        assert_eq!(page(body, "/ci/tasks").unwrap(), (true, None));
        assert_eq!(page(body, "/ci").unwrap(), (false, None));
        let more = r#"{"logGroups": [], "nextToken": "n"}"#;
        assert_eq!(page(more, "/ci").unwrap(), (false, Some("n".to_owned())));
        for odd in ["", "{}", "[]", r#"{"logGroups": 5}"#] {
            assert!(page(odd, "/ci").is_err(), "{odd}");
        }
    }
}
