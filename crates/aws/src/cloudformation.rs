//! The one call to CloudFormation: the state and the outputs of a stack.
//!
//! CloudFormation uses the query protocol: a signed form in the request, XML in the answer. The call is
//! made once; the caller repeats it if needed. What the outputs mean is not known here.
//!
//! Source: AWS CloudFormation API Reference, version 2010-05-15, `DescribeStacks` and "Common errors".

use serde::Deserialize;

use crate::account::AwsAccount;
use crate::call::CallError;
use crate::signed_request::UnsignedRequest;
use crate::xml_refusal::XmlServiceError;
use fargate_mask::SharedMasker;

const RIGHT: &str = "cloudformation:DescribeStacks";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
/// Longest answer that is read, in bytes. A stack has at most 200 outputs of 4 KiB and 200 parameters.
const LONGEST: usize = 4 * 1024 * 1024;

/// What CloudFormation tells of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackDescription {
    /// Its name.
    pub name: String,
    /// Its state, such as `CREATE_COMPLETE`.
    pub status: String,
    /// Each output with its value. There is none before the stack is complete.
    pub outputs: Vec<(String, String)>,
}

impl StackDescription {
    /// Whether all that the stack describes is there, so that its outputs hold.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let complete = ["CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"];
        let former = ["UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"];
        complete.iter().chain(&former).any(|status| *status == self.status)
    }
}

impl AwsAccount {
    /// The stack with this name or id.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if CloudFormation refuses the call, which it does if there is no such stack,
    /// or if no usable answer comes.
    pub async fn stack(&self, name: &str) -> Result<StackDescription, CallError> {
        let endpoint = self.endpoint("cloudformation");
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", "DescribeStacks")
            .append_pair("Version", "2010-05-15")
            .append_pair("StackName", name)
            .finish();
        let question = UnsignedRequest {
            who: "CloudFormation",
            service: "cloudformation",
            region: &self.region,
            endpoint: endpoint.clone(),
            headers: &[("content-type", FORM)],
            body: form,
            longest: LONGEST,
        };
        let answer = self.ask(question).await.and_then(|said| match said.status {
            200..300 => described(&said.body),
            status => Err(self.judged(refusal(status, &said.body, &self.masker))),
        });
        answer.map_err(|error| CallError::Elsewhere {
            service: "CloudFormation",
            endpoint,
            right: RIGHT,
            error: Box::new(error),
        })
    }
}

#[derive(Deserialize)]
struct StacksResponse {
    #[serde(rename = "DescribeStacksResult")]
    result: StacksResult,
}

#[derive(Deserialize)]
struct StacksResult {
    #[serde(rename = "Stacks")]
    stacks: StackMembers,
}

#[derive(Deserialize)]
struct StackMembers {
    #[serde(rename = "member", default)]
    members: Vec<StackMember>,
}

#[derive(Deserialize)]
struct StackMember {
    #[serde(rename = "StackName")]
    name: String,
    #[serde(rename = "StackStatus")]
    status: String,
    #[serde(rename = "Outputs", default)]
    outputs: OutputMembers,
}

#[derive(Default, Deserialize)]
struct OutputMembers {
    #[serde(rename = "member", default)]
    members: Vec<OutputMember>,
}

#[derive(Deserialize)]
struct OutputMember {
    #[serde(rename = "OutputKey")]
    key: String,
    #[serde(rename = "OutputValue", default)]
    value: String,
}

fn described(body: &str) -> Result<StackDescription, CallError> {
    let unreadable = |why: String| CallError::Unreadable {
        text: format!("CloudFormation's answer is not as documented: {why}"),
    };
    let read: StacksResponse =
        quick_xml::de::from_str(body).map_err(|error| unreadable(error.to_string()))?;
    let stack = read.result.stacks.members.into_iter().next();
    let stack = stack.ok_or_else(|| unreadable("it has no stack".to_owned()))?;
    let outputs = stack.outputs.members.into_iter().map(|output| (output.key, output.value));
    Ok(StackDescription { name: stack.name, status: stack.status, outputs: outputs.collect() })
}

#[derive(Deserialize)]
struct StackRefusal {
    #[serde(rename = "Error")]
    error: XmlServiceError,
    #[serde(rename = "RequestId")]
    request_id: Option<String>,
}

fn refusal(status: u16, body: &str, masker: &SharedMasker) -> CallError {
    let read: Option<StackRefusal> = quick_xml::de::from_str(body).ok();
    let (error, id) = read.map_or_else(Default::default, |read| (read.error, read.request_id));
    error.into_call_error(status, id, masker)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">
  <DescribeStacksResult><Stacks><member>
    <StackName>ci</StackName><StackId>arn:aws:cloudformation:eu-west-1:123456789012:stack/ci/0a</StackId>
    <StackStatus>CREATE_COMPLETE</StackStatus>
    <Parameters><member><ParameterKey>Name</ParameterKey><ParameterValue>ci</ParameterValue></member></Parameters>
    <Outputs>
      <member><OutputKey>ClusterName</OutputKey><OutputValue>ci</OutputValue><Description>the &amp; one</Description></member>
      <member><OutputKey>EgressAddresses</OutputKey><OutputValue/></member>
    </Outputs>
  </member></Stacks></DescribeStacksResult>
  <ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>
</DescribeStacksResponse>"#;

    #[test]
    fn the_outputs_of_a_stack_are_read() {
        let stack = described(ANSWER).unwrap();
        assert_eq!((stack.name.as_str(), stack.is_complete()), ("ci", true));
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(stack.outputs, [pair("ClusterName", "ci"), pair("EgressAddresses", "")]);
    }

    #[test]
    fn a_stack_that_is_still_made_or_went_back_is_not_complete() {
        let bare = |status: &str| {
            let from = ANSWER.find("<Outputs>").unwrap();
            let to = ANSWER.find("</Outputs>").unwrap() + "</Outputs>".len();
            let text = ANSWER[..from].to_owned() + &ANSWER[to..];
            described(&text.replace("CREATE_COMPLETE", status)).unwrap()
        };
        for status in
            ["CREATE_IN_PROGRESS", "ROLLBACK_COMPLETE", "DELETE_COMPLETE", "CREATE_FAILED"]
        {
            assert!(!bare(status).is_complete(), "{status}");
            assert_eq!(bare(status).outputs, []);
        }
        assert!(bare("UPDATE_ROLLBACK_COMPLETE").is_complete());
    }

    #[test]
    fn odd_answers_are_errors_and_a_refusal_keeps_its_words() {
        for length in (0..ANSWER.len()).filter(|at| ANSWER.is_char_boundary(*at)) {
            assert!(described(&ANSWER[..length]).is_err(), "cut at {length}");
        }
        let none = "<R><DescribeStacksResult><Stacks/></DescribeStacksResult></R>";
        assert!(described(none).is_err());
        let body = "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code>\
                    <Message>Stack with id x does not exist</Message></Error><RequestId>r-2</RequestId></ErrorResponse>";
        let refused = refusal(400, body, &SharedMasker::default());
        assert_eq!(refused.to_string(), "ValidationError: Stack with id x does not exist");
        assert_eq!(refused.request_id(), Some("r-2"));
        assert_eq!(
            refusal(502, "<html>", &SharedMasker::default()).to_string(),
            "HTTP status 502: "
        );
    }
}
