//! Asks STS who signed a request that somebody else has signed: `GetCallerIdentity` as a proof.
//!
//! The caller builds the request itself, from what it knows; see `HostProofStatement` of
//! `fargate-protocol`. Nothing of this host's credentials is used. It follows no redirect, and takes
//! only an answer with status 200 that has exactly the documented elements: whatever else a server
//! says proves nothing.
//!
//! Source: AWS Security Token Service API Reference, `GetCallerIdentity`.

use std::net::IpAddr;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use fargate_mask::SharedMasker;
use http::Uri;
use serde::Deserialize;
use tokio::time::timeout;

use crate::account::AwsAccount;
use crate::call::CallError;
use crate::endpoints::host;
use crate::signed_request::body;
use crate::xml_refusal::refusal;

/// Longest answer that is read, in bytes. That of STS has less than 1 KiB.
const LONGEST: usize = 64 * 1024;
/// The type of every answer of the query protocol.
pub(crate) const XML: &str = "text/xml";

/// Who signed a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    /// The account.
    pub account: String,
    /// Who it is: for a role, `arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
    pub arn: String,
}

/// Where STS is asked: the one endpoint of this host's settings, else that of the Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityEndpoint {
    /// The URL.
    pub url: String,
    /// Its host, with the port if the URL names one. The signature covers it.
    pub host: String,
}

impl AwsAccount {
    /// Where STS is asked who signed a request.
    ///
    /// # Errors
    ///
    /// Returns [`CallError::Endpoint`] if the endpoint in this host's settings is not one that can
    /// be believed: HTTPS, or an address of this machine.
    pub fn identity_endpoint(&self) -> Result<IdentityEndpoint, CallError> {
        let url = self.endpoint("sts");
        let refused = |what: &str| {
            let text = format!("the endpoint {url} of STS {what}");
            Err(CallError::Endpoint { text })
        };
        let Some(host) = host(&url) else { return refused("is no URL") };
        if !is_believed(&url) {
            return refused("is not https, so whoever is in between could answer");
        }
        Ok(IdentityEndpoint { url, host })
    }

    /// Asks STS who signed this request. It takes at most the time of one attempt.
    ///
    /// # Errors
    ///
    /// Returns [`CallError::Answered`] if STS refuses the request, and another [`CallError`] if no
    /// usable answer came.
    pub async fn identity_of(
        &self,
        endpoint: &IdentityEndpoint,
        headers: &[(&'static str, String)],
        form: &'static str,
    ) -> Result<CallerIdentity, CallError> {
        let asked = self.ask_identity(endpoint, headers, form);
        timeout(self.attempt, asked).await.unwrap_or_else(|_| {
            let ms = self.attempt.as_millis();
            Err(CallError::NoAnswer { text: format!("STS did not answer within {ms} ms") })
        })
    }

    async fn ask_identity(
        &self,
        endpoint: &IdentityEndpoint,
        headers: &[(&'static str, String)],
        form: &'static str,
    ) -> Result<CallerIdentity, CallError> {
        let refused = |error: &dyn std::fmt::Display| CallError::NotSent {
            text: format!("making the request: {error}"),
        };
        let mut request = HttpRequest::new(SdkBody::from(form));
        request.set_method("POST").map_err(|error| refused(&error))?;
        request.set_uri(endpoint.url.as_str()).map_err(|error| refused(&error))?;
        for (name, value) in headers {
            let added = request.headers_mut().try_insert(*name, value.clone());
            added.map_err(|error| refused(&error))?;
        }
        let answer = self.http.send(request, &self.connection()).await;
        let answer = answer.map_err(|error| CallError::of_connector(&error, &self.masker))?;
        let status = answer.status().as_u16();
        let kind = answer.headers().get("content-type").unwrap_or_default().to_owned();
        let text = body("STS", answer, LONGEST)?;
        read(status, &kind, &text, &self.masker)
    }
}

/// Whether nobody between this host and the endpoint can answer in its place.
fn is_believed(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let name = uri.host().unwrap_or_default();
    let name = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    let is_loopback = name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
    uri.scheme_str() == Some("https") || is_loopback
}

pub(crate) fn read(
    status: u16,
    kind: &str,
    text: &str,
    masker: &SharedMasker,
) -> Result<CallerIdentity, CallError> {
    let unreadable = |text: String| CallError::Unreadable { text };
    if status != 200 {
        return Err(refusal(status, text, masker));
    }
    if kind.split(';').next().map(str::trim) != Some(XML) {
        let kind = masker.within(kind, 60);
        return Err(unreadable(format!("STS answered with content of type {kind:?}")));
    }
    match quick_xml::de::from_str(text) {
        Ok(StsDocument::GetCallerIdentityResponse(response)) => {
            let StsIdentity { account, arn, .. } = response.result;
            Ok(CallerIdentity { account, arn })
        }
        // The error may quote what somebody put into the answer, so it is not told.
        Err(_) => Err(unreadable("STS's answer is not as documented".to_owned())),
    }
}

/// The documents that count. As an enum, so that the name of the outermost element counts as well.
#[derive(Deserialize)]
enum StsDocument {
    GetCallerIdentityResponse(StsIdentityResponse),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StsIdentityResponse {
    #[serde(rename = "@xmlns", default)]
    _namespace: String,
    #[serde(rename = "GetCallerIdentityResult")]
    result: StsIdentity,
    #[serde(rename = "ResponseMetadata", default)]
    _metadata: Option<StsResponseMetadata>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StsIdentity {
    #[serde(rename = "Account")]
    account: String,
    #[serde(rename = "Arn")]
    arn: String,
    #[serde(rename = "UserId")]
    _user_id: String,
}

#[derive(Deserialize)]
struct StsResponseMetadata {}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <Arn>arn:aws:sts::123456789012:assumed-role/ci-task/0123</Arn>
    <UserId>AROA123EXAMPLE123:0123</UserId>
    <Account>123456789012</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata><RequestId>01234567-89ab-cdef-0123-456789abcdef</RequestId></ResponseMetadata>
</GetCallerIdentityResponse>"#;

    fn of(status: u16, kind: &str, text: &str) -> Result<CallerIdentity, CallError> {
        read(status, kind, text, &SharedMasker::default())
    }

    #[test]
    fn the_answer_of_sts_says_who_it_was() {
        let account = "123456789012".to_owned();
        let arn = "arn:aws:sts::123456789012:assumed-role/ci-task/0123".to_owned();
        let expected = CallerIdentity { account, arn };
        assert_eq!(of(200, "text/xml", ANSWER).unwrap(), expected);
        let declared = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{ANSWER}");
        assert_eq!(of(200, "text/xml; charset=utf-8", &declared).unwrap(), expected);
    }

    #[test]
    fn whatever_is_not_exactly_that_proves_nothing() {
        for status in [201, 204, 301, 302, 307, 403, 500] {
            assert!(of(status, "text/xml", ANSWER).is_err(), "{status}");
        }
        for kind in ["", "application/json", "text/html", "text/xml2"] {
            assert!(of(200, kind, ANSWER).is_err(), "{kind}");
        }
        let result = "<GetCallerIdentityResult>";
        let twice = ANSWER
            .replace(result, "<GetCallerIdentityResult><Arn>arn:aws:sts::1:assumed-role/x/y</Arn>");
        let two_results = ANSWER.replace(
            result,
            "<GetCallerIdentityResult><Arn>a</Arn><UserId>b</UserId><Account>c</Account>\
             </GetCallerIdentityResult><GetCallerIdentityResult>",
        );
        let other = ANSWER.replace("GetCallerIdentityResponse", "AssumeRoleResponse");
        let wrapped = format!("<Reflected>{ANSWER}</Reflected>");
        let more = ANSWER.replace("<Account>", "<Odd/><Account>");
        let deep = "<a>".repeat(50_000);
        for odd in [&twice, &two_results, &other, &wrapped, &more, &deep, "", "{}", "<a"] {
            let said = of(200, "text/xml", odd);
            assert!(said.is_err(), "{}: {said:?}", &odd[..odd.len().min(200)]);
        }
        for length in (0..ANSWER.len() - 1).filter(|at| ANSWER.is_char_boundary(*at)) {
            assert!(of(200, "text/xml", &ANSWER[..length]).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn a_refusal_keeps_the_words_of_sts() {
        let body = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
                    <Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>no &lt;match&gt;\
                    </Message></Error><RequestId>r-1</RequestId></ErrorResponse>";
        let error = of(403, "text/xml", body).unwrap_err();
        assert_eq!(error.to_string(), "SignatureDoesNotMatch: no <match>");
        assert_eq!((error.request_id(), error.is_transient()), (Some("r-1"), false));
        let busy = of(503, "text/html", "<html>busy</html>").unwrap_err();
        assert!(busy.is_transient() && busy.to_string() == "HTTP status 503: ", "{busy}");
    }

    #[test]
    fn only_https_and_this_machine_are_believed() {
        for good in
            ["https://sts.eu-west-1.amazonaws.com", "http://127.0.0.1:4000", "http://[::1]:4000"]
        {
            assert!(is_believed(good), "{good}");
        }
        for odd in ["http://sts.eu-west-1.amazonaws.com", "http://localhost:1", "http://10.0.0.1"] {
            assert!(!is_believed(odd), "{odd}");
        }
    }
}
