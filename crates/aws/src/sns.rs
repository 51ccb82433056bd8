//! The one call to Amazon SNS: publishing a message to a topic.
//!
//! SNS uses the query protocol: a signed form in the request, XML in the answer. The call is made once; the
//! caller repeats it if needed. A repeated message to a standard topic may arrive twice.
//!
//! Source: Amazon SNS API Reference, version 2010-03-31, `Publish` and "Common errors".

use fargate_mask::SharedMasker;
use serde::Deserialize;

use crate::account::AwsAccount;
use crate::call::CallError;
use crate::signed_request::{RawResponse, UnsignedRequest};
use crate::xml_refusal::XmlServiceError;

const RIGHT: &str = "sns:Publish";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
/// Longest answer that is read, in bytes. An answer holds two ids.
const LONGEST: usize = 64 * 1024;

/// A message for a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicMessage {
    /// The topic's ARN.
    pub topic: String,
    /// The subject of mails: at most 100 ASCII characters without line breaks.
    pub subject: String,
    /// For every subscriber that `texts` does not name.
    pub message: String,
    /// Other words for some protocols, such as `email`.
    pub texts: Vec<(String, String)>,
    /// In a FIFO topic: the group within which messages stay in order.
    pub group: String,
    /// In a FIFO topic: a message with the same text here arrives once within 5 minutes.
    pub once: String,
}

impl AwsAccount {
    /// Publishes a message. Returns its id.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if SNS refuses the call, or if no usable answer comes. After
    /// [`CallError::NoAnswer`] the message may have been published.
    pub async fn publish(&self, message: &TopicMessage) -> Result<String, CallError> {
        let published = self.publish_once(message).await;
        published.map_err(|error| CallError::Elsewhere {
            service: "SNS",
            endpoint: self.endpoint("sns"),
            right: RIGHT,
            error: Box::new(error),
        })
    }

    async fn publish_once(&self, message: &TopicMessage) -> Result<String, CallError> {
        let question = UnsignedRequest {
            who: "SNS",
            service: "sns",
            region: &self.region,
            endpoint: self.endpoint("sns"),
            headers: &[("content-type", FORM)],
            body: form(message),
            longest: LONGEST,
        };
        let RawResponse { status, body, .. } = self.ask(question).await?;
        if (200..300).contains(&status) {
            return message_id(&body);
        }
        Err(self.judged(refusal(status, &body, &self.masker)))
    }
}

fn form(message: &TopicMessage) -> String {
    let texts = message.texts.iter().map(|(protocol, text)| (protocol.clone(), text.clone()));
    let by_protocol: serde_json::Map<String, serde_json::Value> = texts
        .chain([("default".to_owned(), message.message.clone())])
        .map(|(protocol, text)| (protocol, text.into()))
        .collect();
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", "Publish")
        .append_pair("Version", "2010-03-31")
        .append_pair("TopicArn", &message.topic)
        .append_pair("Subject", &message.subject)
        .append_pair("MessageStructure", "json")
        .append_pair("Message", &serde_json::Value::Object(by_protocol).to_string());
    if message.topic.ends_with(".fifo") {
        form.append_pair("MessageGroupId", &message.group)
            .append_pair("MessageDeduplicationId", &message.once);
    }
    form.finish()
}

#[derive(Deserialize)]
struct SnsPublishResponse {
    #[serde(rename = "PublishResult")]
    result: SnsPublishResult,
}

#[derive(Deserialize)]
struct SnsPublishResult {
    #[serde(rename = "MessageId")]
    message_id: String,
}

fn message_id(body: &str) -> Result<String, CallError> {
    let read: Result<SnsPublishResponse, _> = quick_xml::de::from_str(body);
    read.map(|read| read.result.message_id).map_err(|error| CallError::Unreadable {
        text: format!("SNS's answer is not as documented: {error}"),
    })
}

#[derive(Deserialize)]
struct SnsErrorResponse {
    #[serde(rename = "Error", default)]
    error: XmlServiceError,
    #[serde(rename = "RequestId")]
    request_id: Option<String>,
}

fn refusal(status: u16, body: &str, masker: &SharedMasker) -> CallError {
    let read: Option<SnsErrorResponse> = quick_xml::de::from_str(body).ok();
    let (error, request_id) = read.map(|read| (read.error, read.request_id)).unwrap_or_default();
    error.into_call_error(status, request_id, masker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_other_words_for_mails_and_an_order_in_fifo_topics_alone() {
        let mut message = TopicMessage {
            topic: "arn:aws:sns:eu-west-1:123456789012:ci".to_owned(),
            subject: "3 jobs failed".to_owned(),
            message: "{\"a\":1}".to_owned(),
            texts: vec![("email".to_owned(), "3 jobs failed.".to_owned())],
            group: "no-capacity".to_owned(),
            once: "1".to_owned(),
        };
        let pairs = |message: &TopicMessage| -> Vec<(String, String)> {
            url::form_urlencoded::parse(form(message).as_bytes()).into_owned().collect()
        };
        let sent = pairs(&message);
        let (_, words) = sent.iter().find(|(name, _)| name == "Message").unwrap();
        assert_eq!(words, r#"{"default":"{\"a\":1}","email":"3 jobs failed."}"#);
        assert!(!sent.iter().any(|(name, _)| name == "MessageGroupId"));
        message.topic.push_str(".fifo");
        assert!(pairs(&message).contains(&("MessageGroupId".to_owned(), "no-capacity".to_owned())));
    }

    #[test]
    fn an_answer_gives_an_id_or_sns_s_own_words() {
        let body = "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult>\
                    <MessageId>m-1</MessageId></PublishResult></PublishResponse>";
        assert_eq!(message_id(body).unwrap(), "m-1");
        assert!(message_id("<html>502</html>").is_err());
        let refused = "<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code>\
                       <Message>Topic does not exist</Message></Error><RequestId>r-1</RequestId></ErrorResponse>";
        let error = refusal(404, refused, &SharedMasker::default());
        assert_eq!(error.to_string(), "NotFound: Topic does not exist");
        assert_eq!(error.request_id(), Some("r-1"));
        assert!(refusal(503, "<html/>", &SharedMasker::default()).is_transient());
    }
}
