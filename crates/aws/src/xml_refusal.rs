//! The error of a service that answers in XML. EC2 wraps it otherwise than STS and IAM, and all say the
//! same in it.

use fargate_mask::SharedMasker;
use serde::Deserialize;

use crate::call::CallError;

/// The innermost part of an error: what went wrong.
#[derive(Default, Deserialize)]
pub(crate) struct XmlServiceError {
    #[serde(rename = "Code", default)]
    code: String,
    #[serde(rename = "Message", default)]
    message: String,
}

/// The whole answer of STS or IAM when it refuses a call.
#[derive(Deserialize)]
struct XmlErrorResponse {
    #[serde(rename = "Error")]
    error: XmlServiceError,
    #[serde(rename = "RequestId")]
    request_id: Option<String>,
}

/// What STS or IAM said when it refused a call.
pub(crate) fn refusal(status: u16, text: &str, masker: &SharedMasker) -> CallError {
    let read: Option<XmlErrorResponse> = quick_xml::de::from_str(text).ok();
    let request_id = read.as_ref().and_then(|read| read.request_id.clone());
    let error = read.map(|read| read.error).unwrap_or_default();
    error.into_call_error(status, request_id, masker)
}

impl XmlServiceError {
    /// The error of a call. An answer without a code, as from a proxy, is named by its HTTP status.
    pub fn into_call_error(
        self,
        status: u16,
        request_id: Option<String>,
        masker: &SharedMasker,
    ) -> CallError {
        let code = match self.code.is_empty() {
            true => format!("HTTP status {status}"),
            false => self.code,
        };
        let message = masker.text(&self.message).into_owned();
        CallError::Answered { code, message, status, request_id }
    }
}
