//! The error of a service that answers in XML: EC2 and STS wrap it differently, and say the same in it.

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
