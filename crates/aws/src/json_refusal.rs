//! What a service that speaks JSON 1.1 says when it refuses a call.
//!
//! It does not say what follows from that.
//!
//! Source: the common errors of the API references of CloudWatch Logs and Amazon ECS.

use serde::Deserialize;

use crate::call::CallError;
use crate::signed_request::RawResponse;
use fargate_mask::SharedMasker;

#[derive(Default, Deserialize)]
#[serde(default)]
struct JsonErrorResponse {
    #[serde(rename = "__type")]
    code: String,
    #[serde(alias = "Message")]
    message: String,
}

pub(crate) fn refusal(said: &RawResponse, masker: &SharedMasker) -> CallError {
    let read: JsonErrorResponse = serde_json::from_str(&said.body).unwrap_or_default();
    // The name may follow the name of its model and a `#`.
    let code = read.code.rsplit('#').next().unwrap_or_default().to_owned();
    let status = said.status;
    let code = if code.is_empty() { format!("HTTP status {status}") } else { code };
    let message = masker.text(&read.message).into_owned();
    CallError::Answered { code, message, status, request_id: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_the_services_own_words() {
        let said = |body: &str| RawResponse { status: 400, body: body.to_owned(), time: None };
        let body = r#"{"__type": "com.amazonaws.logs#ResourceNotFoundException", "message": "no"}"#;
        assert_eq!(
            refusal(&said(body), &SharedMasker::default()).to_string(),
            "ResourceNotFoundException: no"
        );
        let denied = r#"{"__type": "AccessDeniedException",
            "Message": "User: x is not authorized to perform: logs:GetLogEvents on resource: y"}"#;
        assert!(refusal(&said(denied), &SharedMasker::default()).denies("logs:GetLogEvents"));
        assert_eq!(
            refusal(&said("<html>"), &SharedMasker::default()).to_string(),
            "HTTP status 400: "
        );
    }
}
