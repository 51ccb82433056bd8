//! The protocols that services speak: how a request names its service and its operation, and how an
//! answer and an error are written. It knows no service.
//!
//! Sources: Amazon EC2 API Reference, "Making requests" and "Error codes"; AWS Security Token
//! Service API Reference, "Common errors"; the protocol notes of the SDKs (`awsJson1_1`,
//! `ec2Query`, `awsQuery`, `restJson1`).

use axum::http::HeaderMap;
use serde_json::{Map, Value, json};

use crate::random_id;
use crate::wire::exception::ServiceException;
use crate::wire::form::{self, FormFields};
use crate::wire::xml::XmlElement;

/// The protocol of one service.
pub(crate) enum ServiceProtocol {
    /// JSON 1.1. The header `X-Amz-Target` is `target` and the operation. Errors have their text in the
    /// member `message`, which some services write with a capital.
    Json { target: &'static str, message: &'static str },
    /// The form of EC2. The members `Version` and `Action` name service and operation.
    Ec2Query { version: &'static str, namespace: &'static str },
    /// The form of STS and of other older services, with members as above.
    AwsQuery { version: &'static str, namespace: &'static str },
    /// REST with JSON bodies. Every path begins with `/` and the version; method and path name the
    /// operation (`rest_route`). An answer has no name of an error in its body alone: clients read it from a header.
    RestJson { version: &'static str },
}

/// An answer before it is sent.
#[derive(Debug)]
pub(crate) struct ServiceAnswer {
    pub status: u16,
    pub content_type: &'static str,
    /// The name of an error, where it stands in the header `x-amzn-ErrorType`.
    pub error_type: Option<String>,
    pub body: String,
}

/// What an operation gives: JSON, or the elements inside its answer.
#[derive(Debug)]
pub(crate) enum OperationOutput {
    Json(Value),
    Xml(Vec<XmlElement>),
}

/// The status and the name that one service gives an error which ECS names otherwise.
pub(crate) struct ErrorName {
    /// The name at ECS.
    pub common: &'static str,
    pub status: u16,
    pub name: &'static str,
}

/// The members of a request's form, if it has one.
pub(crate) fn form_of(headers: &HeaderMap, body: &[u8]) -> FormFields {
    let kind = headers.get("content-type").and_then(|value| value.to_str().ok());
    match kind {
        Some(kind) if kind.starts_with("application/x-www-form-urlencoded") => form::members(body),
        _ => FormFields::new(),
    }
}

impl ServiceProtocol {
    /// Whether a request asks for its right alone. Only EC2 knows such requests.
    pub fn is_dry_run(&self, form: &FormFields) -> bool {
        let is_asked = || form.get("DryRun").is_some_and(|given| given == "true");
        matches!(self, Self::Ec2Query { .. }) && is_asked()
    }

    /// The operation that a request to `/` names, empty where it names none; `None` where the request
    /// is for another service.
    pub fn operation_of(&self, headers: &HeaderMap, form: &FormFields) -> Option<String> {
        match self {
            Self::Json { target, .. } => {
                let given = headers.get("x-amz-target").and_then(|value| value.to_str().ok())?;
                given.strip_prefix(target).map(str::to_owned)
            }
            Self::Ec2Query { version, .. } | Self::AwsQuery { version, .. } => {
                let is_ours = form.get("Version").is_some_and(|given| given == version);
                is_ours.then(|| form.get("Action").cloned().unwrap_or_default())
            }
            Self::RestJson { .. } => None,
        }
    }

    /// The members of a request as JSON, for the record.
    pub fn recorded(&self, body: &[u8]) -> Value {
        match self {
            Self::Json { .. } => serde_json::from_slice(body).unwrap_or(Value::Null),
            Self::RestJson { .. } if body.is_empty() => Value::Object(Map::new()),
            Self::RestJson { .. } => serde_json::from_slice(body).unwrap_or(Value::Null),
            Self::Ec2Query { .. } | Self::AwsQuery { .. } => json!(form::members(body)),
        }
    }

    /// The answer of an operation that was done. XML answers name the operation.
    pub fn answer(&self, operation: &str, output: OperationOutput) -> ServiceAnswer {
        let body = match (self, output) {
            (_, OperationOutput::Json(Value::Null)) => String::new(),
            (_, OperationOutput::Json(body)) => body.to_string(),
            (Self::AwsQuery { namespace, .. }, OperationOutput::Xml(inner)) => {
                XmlElement::new(&format!("{operation}Response"))
                    .of(namespace)
                    .with(XmlElement::new(&format!("{operation}Result")).with_all(inner))
                    .with(
                        XmlElement::new("ResponseMetadata")
                            .with(XmlElement::text("RequestId", random_id::uuid())),
                    )
                    .document()
            }
            (Self::Ec2Query { namespace, .. }, OperationOutput::Xml(inner)) => {
                XmlElement::new(&format!("{operation}Response"))
                    .of(namespace)
                    .with(XmlElement::text("requestId", random_id::uuid()))
                    .with_all(inner)
                    .document()
            }
            (Self::Json { .. } | Self::RestJson { .. }, OperationOutput::Xml(_)) => {
                unreachable!("no table of a JSON service has a handler that gives XML")
            }
        };
        self.shaped(200, body)
    }

    /// An error as this protocol writes it, with the service's own names.
    pub fn refusal(&self, refusal: &ServiceException, names: &[ErrorName]) -> ServiceAnswer {
        let own = names.iter().find(|own| own.common == refusal.code);
        let (status, code) = match own {
            Some(own) => (own.status, own.name),
            None => (refusal.status, refusal.code.as_str()),
        };
        let code_and_message =
            || [XmlElement::text("Code", code), XmlElement::text("Message", &refusal.message)];
        let body = match self {
            Self::Json { message, .. } => refusal.body(message).to_string(),
            Self::RestJson { .. } => {
                let mut body = json!({ "ErrorCode": code, "Message": refusal.message });
                if let Some(existing) = &refusal.existing {
                    body[existing.member] = json!(existing.id);
                }
                body.to_string()
            }
            Self::Ec2Query { .. } => {
                let error = XmlElement::new("Error").with_all(code_and_message());
                XmlElement::new("Response")
                    .with(XmlElement::new("Errors").with(error))
                    .with(XmlElement::text("RequestID", random_id::uuid()))
                    .document()
            }
            Self::AwsQuery { namespace, .. } => {
                let blamed = if status < 500 { "Sender" } else { "Receiver" };
                let error = XmlElement::new("Error")
                    .with(XmlElement::text("Type", blamed))
                    .with_all(code_and_message());
                XmlElement::new("ErrorResponse")
                    .of(namespace)
                    .with(error)
                    .with(XmlElement::text("RequestId", random_id::uuid()))
                    .document()
            }
        };
        let error_type = matches!(self, Self::RestJson { .. }).then(|| code.to_owned());
        ServiceAnswer { error_type, ..self.shaped(status, body) }
    }

    /// A body that is sent as it is.
    pub fn shaped(&self, status: u16, body: String) -> ServiceAnswer {
        let content_type = match self {
            Self::Json { .. } => "application/x-amz-json-1.1",
            Self::RestJson { .. } => "application/json",
            Self::Ec2Query { .. } => "text/xml;charset=UTF-8",
            Self::AwsQuery { .. } => "text/xml",
        };
        ServiceAnswer { status, content_type, error_type: None, body }
    }

    /// The error that `service` has no such operation here.
    pub fn unknown_operation(&self, service: &str, operation: &str) -> ServiceException {
        let message = match self {
            Self::Json { target, .. } if operation.is_empty() => {
                format!("The header X-Amz-Target names no operation of {target}*")
            }
            Self::RestJson { version } if operation.is_empty() => {
                format!("No operation of {service}, version {version}, has this method and path.")
            }
            Self::Json { .. } | Self::RestJson { .. } => {
                format!("This local cloud does not implement {service}:{operation}.")
            }
            Self::Ec2Query { .. } | Self::AwsQuery { .. } => {
                format!("The action {operation} is not valid for this web service.")
            }
        };
        ServiceException::new("UnknownOperationException", message)
    }
}
