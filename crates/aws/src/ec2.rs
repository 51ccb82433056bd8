//! The one call to EC2: the public address of a network interface.
//!
//! EC2 uses its query protocol: a signed form in the request, XML in the answer. The call is made
//! once; the caller repeats it if needed.
//!
//! Source: Amazon EC2 API Reference, version 2016-11-15, `DescribeNetworkInterfaces` and "Error
//! codes".

use std::net::IpAddr;

use serde::Deserialize;

use crate::account::AwsAccount;
use crate::call::CallError;
use crate::signed_request::{RawResponse, UnsignedRequest};
use crate::xml_refusal::XmlServiceError;
use fargate_mask::SharedMasker;

/// The right that the call needs.
const RIGHT: &str = "ec2:DescribeNetworkInterfaces";
/// Longest answer that is read. One interface takes 4 KiB.
const LONGEST: usize = 1024 * 1024;
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

impl AwsAccount {
    /// The public address of a network interface. `None` if EC2 reports none, or does not know the
    /// interface yet.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if EC2 refuses the call, or if no usable answer comes.
    pub async fn public_address(&self, interface: &str) -> Result<Option<IpAddr>, CallError> {
        let answer = self.describe_interface(interface).await;
        match answer {
            Err(CallError::Answered { code, .. })
                if code == "InvalidNetworkInterfaceID.NotFound" =>
            {
                Ok(None)
            }
            Err(error) => Err(CallError::Elsewhere {
                service: "EC2",
                endpoint: self.endpoint("ec2"),
                right: RIGHT,
                error: Box::new(error),
            }),
            Ok(found) => Ok(found),
        }
    }

    async fn describe_interface(&self, interface: &str) -> Result<Option<IpAddr>, CallError> {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", "DescribeNetworkInterfaces")
            .append_pair("Version", "2016-11-15")
            .append_pair("NetworkInterfaceId.1", interface)
            .finish();
        let question = UnsignedRequest {
            who: "EC2",
            service: "ec2",
            region: &self.region,
            endpoint: self.endpoint("ec2"),
            headers: &[("content-type", FORM)],
            body: form,
            longest: LONGEST,
        };
        let RawResponse { status, body, .. } = self.ask(question).await?;
        if (200..300).contains(&status) {
            public_address(&body)
        } else {
            Err(self.judged(refusal(status, &body, &self.masker)))
        }
    }
}

#[derive(Deserialize)]
struct Ec2InterfacesResponse {
    #[serde(rename = "networkInterfaceSet")]
    set: Ec2InterfaceSet,
}

#[derive(Deserialize)]
struct Ec2InterfaceSet {
    #[serde(rename = "item", default)]
    items: Vec<Ec2Interface>,
}

#[derive(Deserialize)]
struct Ec2Interface {
    association: Option<PublicIpAssociation>,
}

#[derive(Deserialize)]
struct PublicIpAssociation {
    #[serde(rename = "publicIp")]
    public_ip: Option<String>,
}

fn public_address(body: &str) -> Result<Option<IpAddr>, CallError> {
    let read: Ec2InterfacesResponse = quick_xml::de::from_str(body).map_err(|error| {
        CallError::Unreadable { text: format!("EC2's answer is not as documented: {error}") }
    })?;
    let associations = read.set.items.into_iter().filter_map(|item| item.association);
    let Some(text) = associations.filter_map(|found| found.public_ip).next() else {
        return Ok(None);
    };
    text.trim().parse().map(Some).map_err(|_| CallError::Unreadable {
        text: format!(
            "EC2 gives {:?} as a public address",
            text.chars().take(60).collect::<String>()
        ),
    })
}

#[derive(Deserialize)]
struct Ec2ErrorResponse {
    #[serde(rename = "Errors")]
    errors: Ec2ErrorList,
    #[serde(rename = "RequestID")]
    request_id: Option<String>,
}

#[derive(Deserialize)]
struct Ec2ErrorList {
    #[serde(rename = "Error", default)]
    errors: Vec<XmlServiceError>,
}

fn refusal(status: u16, body: &str, masker: &SharedMasker) -> CallError {
    let read: Option<Ec2ErrorResponse> = quick_xml::de::from_str(body).ok();
    let request_id = read.as_ref().and_then(|read| read.request_id.clone());
    let error = read.and_then(|read| read.errors.errors.into_iter().next()).unwrap_or_default();
    error.into_call_error(status, request_id, masker)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<DescribeNetworkInterfacesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <requestId>59dbff89-35bd-4eac-99ed-be587EXAMPLE</requestId>
  <networkInterfaceSet><item>
    <networkInterfaceId>eni-0b1</networkInterfaceId>
    <privateIpAddressesSet><item><privateIpAddress>10.0.0.7</privateIpAddress></item></privateIpAddressesSet>
    <association><publicIp>203.0.113.9</publicIp><ipOwnerId>amazon</ipOwnerId></association>
  </item></networkInterfaceSet>
</DescribeNetworkInterfacesResponse>"#;

    fn read(body: &str) -> Result<Option<IpAddr>, String> {
        public_address(body).map_err(|error| error.to_string())
    }

    #[test]
    fn the_public_address_is_read_and_none_while_there_is_none() {
        assert_eq!(read(ANSWER), Ok(Some(IpAddr::from([203, 0, 113, 9]))));
        let start = ANSWER.find("<association>").unwrap();
        let end = ANSWER.find("</association>").unwrap() + "</association>".len();
        assert_eq!(read(&(ANSWER[..start].to_owned() + &ANSWER[end..])), Ok(None));
        assert_eq!(read("<R><networkInterfaceSet/></R>"), Ok(None));
        assert_eq!(read("<R><networkInterfaceSet><item/></networkInterfaceSet></R>"), Ok(None));
    }

    #[test]
    fn odd_answers_are_errors_and_never_a_panic() {
        let bad = ANSWER.replace("203.0.113.9", "not an address");
        assert_eq!(read(&bad), Err("EC2 gives \"not an address\" as a public address".to_owned()));
        for length in (0..ANSWER.len()).filter(|at| ANSWER.is_char_boundary(*at)) {
            assert!(read(&ANSWER[..length]).is_err(), "cut at {length}");
        }
        let deep = "<a>".repeat(200_000);
        for odd in [
            "",
            "{}",
            "<html><body>502</body></html>",
            "<a",
            "<!DOCTYPE x [<!ENTITY e 'x'>]><a>&e;</a>",
            &deep,
        ] {
            assert!(read(odd).is_err(), "{}", &odd[..odd.len().min(40)]);
        }
    }

    fn refused(status: u16, body: &str) -> CallError {
        refusal(status, body, &SharedMasker::default())
    }

    #[test]
    fn a_refusal_keeps_ec2s_own_words() {
        let body = "<?xml version=\"1.0\"?><Response><Errors><Error><Code>UnauthorizedOperation</Code>\
                    <Message>no &lt;right&gt;</Message></Error></Errors><RequestID>r-1</RequestID></Response>";
        assert_eq!(refused(403, body).to_string(), "UnauthorizedOperation: no <right>");
        assert_eq!(refused(403, body).request_id(), Some("r-1"));
        for odd in ["", "<html>Bad Gateway</html>", "<Response><Errors/></Response>"] {
            let error = refused(502, odd);
            assert_eq!(error.to_string(), "HTTP status 502: ");
            assert!(error.is_transient());
        }
    }
}
