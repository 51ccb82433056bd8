//! The services that this cloud plays: how a request says which one it is for, and how each writes
//! an answer and an error. It knows no operation.
//!
//! Sources: Amazon EC2 API Reference, "Making requests" and "Error codes"; AWS Security Token
//! Service API Reference, "Common errors"; the protocol notes of the SDKs (`awsJson1_1`,
//! `ec2Query`, `awsQuery`).

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::exception::ServiceException;
use super::query;
use super::xml::XmlElement;
use crate::state::random;

/// What stands before the operation in `X-Amz-Target`.
pub const TARGET: &str = "AmazonEC2ContainerServiceV20141113.";
/// The same for CloudWatch Logs.
const LOGS_TARGET: &str = "Logs_20140328.";
/// The version of the EC2 API that is played, which is how its requests are known.
const EC2_VERSION: &str = "2016-11-15";
/// The version of the STS API, as above.
const STS_VERSION: &str = "2011-06-15";

/// A service by the name that its requests are signed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudService {
    Ecs,
    Ec2,
    Sts,
    Logs,
}

/// Which operation of which service a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceOperation {
    pub service: CloudService,
    /// Empty where the request names none.
    pub operation: String,
}

/// An answer before it is sent.
#[derive(Debug)]
pub struct ServiceAnswer {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
}

impl ServiceOperation {
    /// What a request is for; without any sign it is ECS's, which then refuses it.
    pub fn of(headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(operation) = text("x-amz-target").and_then(|target| target.strip_prefix(TARGET))
        {
            return Self { service: CloudService::Ecs, operation: operation.to_owned() };
        }
        let of_logs = text("x-amz-target").and_then(|target| target.strip_prefix(LOGS_TARGET));
        if let Some(operation) = of_logs {
            return Self { service: CloudService::Logs, operation: operation.to_owned() };
        }
        let is_form = text("content-type")
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let members = if is_form { query::members(body) } else { query::FormFields::new() };
        let service = match members.get("Version").map(String::as_str) {
            Some(EC2_VERSION) => CloudService::Ec2,
            Some(STS_VERSION) => CloudService::Sts,
            _ => return Self { service: CloudService::Ecs, operation: String::new() },
        };
        let operation = members.get("Action").cloned().unwrap_or_default();
        Self { service, operation }
    }

    /// The right that the operation needs, for example `ecs:RunTask`.
    pub fn right(&self) -> String {
        format!("{}:{}", self.service.name(), self.operation)
    }
}

impl CloudService {
    /// The name in the scope of a signature and before the colon of a right.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::Ec2 => "ec2",
            Self::Sts => "sts",
            Self::Logs => "logs",
        }
    }

    /// The members of a request as JSON, for the record.
    pub fn recorded(self, body: &[u8]) -> Value {
        match self {
            Self::Ecs | Self::Logs => serde_json::from_slice(body).unwrap_or(Value::Null),
            Self::Ec2 | Self::Sts => json!(query::members(body)),
        }
    }

    /// The answer of an operation that was done. XML answers name the operation.
    pub fn answer(self, operation: &str, done: OperationOutput) -> ServiceAnswer {
        let body = match (self, done) {
            (_, OperationOutput::Json(body)) => body.to_string(),
            (Self::Sts, OperationOutput::Xml(inner)) => {
                XmlElement::new(&format!("{operation}Response"))
                    .of("https://sts.amazonaws.com/doc/2011-06-15/")
                    .with(XmlElement::new(&format!("{operation}Result")).with_all(inner))
                    .with(
                        XmlElement::new("ResponseMetadata")
                            .with(XmlElement::text("RequestId", random::uuid())),
                    )
                    .document()
            }
            (_, OperationOutput::Xml(inner)) => XmlElement::new(&format!("{operation}Response"))
                .of("http://ec2.amazonaws.com/doc/2016-11-15/")
                .with(XmlElement::text("requestId", random::uuid()))
                .with_all(inner)
                .document(),
        };
        self.shaped(200, body)
    }

    /// An error, in the shape and with the name that this service gives it.
    pub fn refusal(self, refusal: &ServiceException) -> ServiceAnswer {
        let (status, code) = self.translated(refusal);
        let error = |fields: Vec<XmlElement>| XmlElement::new("Error").with_all(fields);
        let code_and_message =
            || vec![XmlElement::text("Code", &code), XmlElement::text("Message", &refusal.message)];
        let body = match self {
            Self::Ecs | Self::Logs => refusal.body().to_string(),
            Self::Ec2 => XmlElement::new("Response")
                .with(XmlElement::new("Errors").with(error(code_and_message())))
                .with(XmlElement::text("RequestID", random::uuid()))
                .document(),
            Self::Sts => {
                let fault = if status < 500 { "Sender" } else { "Receiver" };
                let mut fields = vec![XmlElement::text("Type", fault)];
                fields.extend(code_and_message());
                XmlElement::new("ErrorResponse")
                    .of("https://sts.amazonaws.com/doc/2011-06-15/")
                    .with(error(fields))
                    .with(XmlElement::text("RequestId", random::uuid()))
                    .document()
            }
        };
        self.shaped(status, body)
    }

    /// A body that is sent as it is.
    pub fn shaped(self, status: u16, body: String) -> ServiceAnswer {
        let content_type = match self {
            Self::Ecs | Self::Logs => "application/x-amz-json-1.1",
            Self::Ec2 => "text/xml;charset=UTF-8",
            Self::Sts => "text/xml",
        };
        ServiceAnswer { status, content_type, body }
    }

    /// The status and the name that this service has for what ECS calls otherwise.
    fn translated(self, refusal: &ServiceException) -> (u16, String) {
        let as_is = (refusal.status, refusal.code.clone());
        if matches!(self, Self::Ecs | Self::Logs) {
            return as_is;
        }
        let ec2 = self == Self::Ec2;
        let (status, code) = match refusal.code.as_str() {
            "MissingAuthenticationTokenException" => (403, "MissingAuthenticationToken"),
            "IncompleteSignatureException" => (400, "IncompleteSignature"),
            "InvalidSignatureException" | "InvalidClientTokenId" if ec2 => (401, "AuthFailure"),
            "InvalidSignatureException" => (403, "SignatureDoesNotMatch"),
            "InvalidClientTokenId" => (403, "InvalidClientTokenId"),
            "ExpiredTokenException" if ec2 => (400, "RequestExpired"),
            "ExpiredTokenException" => (403, "ExpiredToken"),
            "AccessDeniedException" if ec2 => (403, "UnauthorizedOperation"),
            "AccessDeniedException" => (403, "AccessDenied"),
            "UnknownOperationException" => (400, "InvalidAction"),
            "ThrottlingException" if ec2 => (503, "RequestLimitExceeded"),
            "ServerException" if ec2 => (500, "InternalError"),
            "ServerException" => (500, "InternalFailure"),
            _ => return as_is,
        };
        (status, code.to_owned())
    }
}

/// What an operation gives: JSON, or the elements inside its answer.
#[derive(Debug)]
pub enum OperationOutput {
    Json(Value),
    Xml(Vec<XmlElement>),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_request_is_known_by_its_target_or_by_its_version() {
        let form = headers(&[("content-type", "application/x-www-form-urlencoded; charset=utf-8")]);
        let call = |headers: &HeaderMap, body: &[u8]| {
            let call = ServiceOperation::of(headers, body);
            (call.service, call.operation)
        };
        let target = headers(&[("x-amz-target", "AmazonEC2ContainerServiceV20141113.RunTask")]);
        assert_eq!(call(&target, b"{}"), (CloudService::Ecs, "RunTask".to_owned()));
        let target = headers(&[("x-amz-target", "Logs_20140328.GetLogEvents")]);
        assert_eq!(call(&target, b"{}"), (CloudService::Logs, "GetLogEvents".to_owned()));
        let body = b"Action=AssumeRole&Version=2011-06-15";
        assert_eq!(call(&form, body), (CloudService::Sts, "AssumeRole".to_owned()));
        let body = b"Version=2016-11-15&Action=DescribeSubnets";
        assert_eq!(call(&form, body), (CloudService::Ec2, "DescribeSubnets".to_owned()));
        for body in [&b"Action=AssumeRole"[..], b"", b"\xff\xfe=%zz"] {
            assert_eq!(call(&form, body), (CloudService::Ecs, String::new()));
        }
    }

    #[test]
    fn the_same_refusal_has_the_name_of_each_service() {
        let denied = ServiceException::new("AccessDeniedException", "no <right> & more");
        let said = |service: CloudService| {
            let ServiceAnswer { status, body, .. } = service.refusal(&denied);
            (status, body.replace(&uuid_of(&body), "UUID"))
        };
        assert_eq!(
            said(CloudService::Ec2),
            (
                403,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>\
                 <Code>UnauthorizedOperation</Code><Message>no &lt;right&gt; &amp; more</Message>\
                 </Error></Errors><RequestID>UUID</RequestID></Response>"
                    .to_owned()
            )
        );
        assert_eq!(
            said(CloudService::Sts),
            (
                403,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ErrorResponse \
                 xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
                 <Code>AccessDenied</Code><Message>no &lt;right&gt; &amp; more</Message></Error>\
                 <RequestId>UUID</RequestId></ErrorResponse>"
                    .to_owned()
            )
        );
    }

    fn uuid_of(body: &str) -> String {
        let at = body.to_lowercase().rfind("<requestid>").expect("a request id") + 11;
        body[at..at + 36].to_owned()
    }
}
