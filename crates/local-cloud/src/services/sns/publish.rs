//! `Publish` of SNS: a message to the topic with which a cloud starts.
//!
//! Source, for limits and words: Amazon SNS API Reference, `Publish`.

use serde_json::Value;

use crate::account::ACCOUNT;
use crate::random_id::uuid;
use crate::seed::TOPIC;
use crate::services::context::RequestContext;
use crate::wire::exception::ServiceException;
use crate::wire::form::FormFields;
use crate::wire::xml::XmlElement;

/// Longest message, in bytes.
const LONGEST_MESSAGE: usize = 256 * 1024;
/// Longest subject, in characters; shorter than this.
const LONGEST_SUBJECT: usize = 100;

pub fn publish(
    members: &FormFields,
    context: &RequestContext<'_>,
) -> Result<Vec<XmlElement>, ServiceException> {
    let text = |name: &str| members.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let arn = text("TopicArn")
        .ok_or_else(|| invalid("TopicArn or TargetArn Reason: no value for required parameter"))?;
    context.allowed("sns:Publish", Some(arn))?;
    let (partition, region) = (context.partition(), context.region);
    if arn != format!("arn:{partition}:sns:{region}:{ACCOUNT}:{TOPIC}") {
        return Err(ServiceException::new("ResourceNotFoundException", "Topic does not exist"));
    }
    let message = text("Message").ok_or_else(|| invalid("Empty message"))?;
    if message.len() > LONGEST_MESSAGE {
        return Err(invalid("Message too long"));
    }
    check_subject(text("Subject"))?;
    check_structure(text("MessageStructure"), message)?;
    Ok(vec![XmlElement::text("MessageId", uuid())])
}

fn check_subject(subject: Option<&str>) -> Result<(), ServiceException> {
    let fits = |subject: &str| {
        subject.len() < LONGEST_SUBJECT
            && subject.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
    };
    match subject.is_none_or(fits) {
        true => Ok(()),
        false => Err(invalid("Subject")),
    }
}

/// With the structure `json`, a message is an object of texts with one for everybody.
fn check_structure(structure: Option<&str>, message: &str) -> Result<(), ServiceException> {
    let Some(structure) = structure else { return Ok(()) };
    if structure != "json" {
        return Err(invalid("MessageStructure"));
    }
    match serde_json::from_str::<Value>(message) {
        Err(_) => Err(invalid("Message Structure - JSON message body failed to parse")),
        Ok(body) if !body["default"].is_string() => {
            Err(invalid("Message Structure - No default entry in JSON message body"))
        }
        Ok(_) => Ok(()),
    }
}

fn invalid(what: &str) -> ServiceException {
    ServiceException::new("InvalidParameter", format!("Invalid parameter: {what}"))
}
