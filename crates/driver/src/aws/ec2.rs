//! The one question for EC2: which public address a network interface has. EC2 speaks its query
//! protocol: a signed form goes out, XML comes back.
//!
//! It asks once; whoever needs the answer asks again.
//!
//! Source: Amazon EC2 API Reference, version 2016-11-15, `DescribeNetworkInterfaces` and "Error
//! codes".

use std::net::IpAddr;
use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::date_time::Format;
use http::Uri;
use serde::Deserialize;
use tokio::time::timeout;

use super::account::Account;
use super::call::CallError;

/// The right that the question needs.
const RIGHT: &str = "ec2:DescribeNetworkInterfaces";
/// Longest answer that is read. One interface takes 4 KiB.
const LONGEST: usize = 1024 * 1024;
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

impl Account {
    /// The public address that is associated with a network interface; `None` while EC2 reports
    /// none, or does not know the interface yet.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn public_address(&self, interface: &str) -> Result<Option<IpAddr>, CallError> {
        let asked = timeout(self.attempt, self.describe_interface(interface)).await;
        let answer = asked.unwrap_or_else(|_| {
            let text = format!("EC2 did not answer within {} ms", self.attempt.as_millis());
            Err(CallError::NoAnswer { text })
        });
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
        let (answer, told) = self.ask(form.clone(), SystemTime::now()).await?;
        match (answer, told) {
            // This host's clock differs, and the answer told the time.
            (Err(error), Some(time)) if error.is_of_clock() => self.ask(form, time).await?.0,
            (answer, _) => answer,
        }
    }

    /// One question, signed at `time`; also the time of whoever answered.
    async fn ask(
        &self,
        form: String,
        time: SystemTime,
    ) -> Result<(Result<Option<IpAddr>, CallError>, Option<SystemTime>), CallError> {
        let request = self.signed(form, time).await?;
        let answer = self.http.send(request, &self.connection()).await;
        let answer = answer.map_err(|error| CallError::of_connector(&error))?;
        let status = answer.status().as_u16();
        let date = answer.headers().get("date");
        let told = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        let told = told.and_then(|date| SystemTime::try_from(date).ok());
        let body = body(answer).await?;
        let found = match status {
            200..300 => public_address(&body),
            _ => Err(refusal(status, &body)),
        };
        Ok((found, told))
    }

    async fn signed(&self, form: String, time: SystemTime) -> Result<HttpRequest, CallError> {
        let not_sent = |text: String| CallError::NotSent { text, passing: false };
        let endpoint = self.endpoint("ec2");
        let host = host(&endpoint).ok_or_else(|| {
            let text = format!("the endpoint {endpoint:?} of EC2 is no URL");
            CallError::Endpoint { text }
        })?;
        let mut headers =
            vec![("content-type".to_owned(), FORM.to_owned()), ("host".to_owned(), host)];
        let identity = self.credentials().await?.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("ec2")
            .time(time)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| not_sent(format!("signing the request: {error}")))?
            .into();
        let signable = SignableRequest::new(
            "POST",
            endpoint.clone(),
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())),
            SignableBody::Bytes(form.as_bytes()),
        )
        .and_then(|signable| sign(signable, &params));
        let (instructions, _) = signable
            .map_err(|error| not_sent(format!("signing the request: {error}")))?
            .into_parts();
        headers.extend(
            instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let mut request = HttpRequest::new(SdkBody::from(form));
        let refused =
            |error: &dyn std::fmt::Display| not_sent(format!("making the request: {error}"));
        request.set_method("POST").map_err(|error| refused(&error))?;
        request.set_uri(endpoint).map_err(|error| refused(&error))?;
        for (name, value) in headers {
            request.headers_mut().try_insert(name, value).map_err(|error| refused(&error))?;
        }
        Ok(request)
    }
}

/// What the `Host` header of a request to this URL says.
fn host(endpoint: &str) -> Option<String> {
    let uri: Uri = endpoint.parse().ok()?;
    uri.scheme().filter(|scheme| ["http", "https"].contains(&scheme.as_str()))?;
    Some(uri.authority()?.as_str().rsplit('@').next()?.to_owned())
}

async fn body(answer: HttpResponse) -> Result<String, CallError> {
    let unreadable = |text: String| CallError::Unreadable { text };
    let mut stream = ByteStream::new(answer.into_body());
    let mut bytes = Vec::new();
    while let Some(part) = stream.next().await {
        let part =
            part.map_err(|error| unreadable(format!("EC2's answer was cut off: {error}")))?;
        if bytes.len() + part.len() > LONGEST {
            return Err(unreadable(format!("EC2's answer is longer than {LONGEST} bytes")));
        }
        bytes.extend_from_slice(&part);
    }
    String::from_utf8(bytes).map_err(|_| unreadable("EC2's answer is no text".to_owned()))
}

#[derive(Deserialize)]
struct Interfaces {
    #[serde(rename = "networkInterfaceSet")]
    set: Set,
}

#[derive(Deserialize)]
struct Set {
    #[serde(rename = "item", default)]
    items: Vec<Interface>,
}

#[derive(Deserialize)]
struct Interface {
    association: Option<Association>,
}

#[derive(Deserialize)]
struct Association {
    #[serde(rename = "publicIp")]
    public_ip: Option<String>,
}

fn public_address(body: &str) -> Result<Option<IpAddr>, CallError> {
    let read: Interfaces = quick_xml::de::from_str(body).map_err(|error| {
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
struct Refusal {
    #[serde(rename = "Errors")]
    errors: Errors,
    #[serde(rename = "RequestID")]
    request_id: Option<String>,
}

#[derive(Deserialize)]
struct Errors {
    #[serde(rename = "Error", default)]
    errors: Vec<Error>,
}

#[derive(Deserialize)]
struct Error {
    #[serde(rename = "Code", default)]
    code: String,
    #[serde(rename = "Message", default)]
    message: String,
}

fn refusal(status: u16, body: &str) -> CallError {
    let read: Option<Refusal> = quick_xml::de::from_str(body).ok();
    let request_id = read.as_ref().and_then(|read| read.request_id.clone());
    let error = read.and_then(|read| read.errors.errors.into_iter().next());
    let (code, message) = error.map(|error| (error.code, error.message)).unwrap_or_default();
    let code = if code.is_empty() { format!("HTTP status {status}") } else { code };
    CallError::Answered { code, message, status, request_id }
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

    #[test]
    fn a_refusal_keeps_ec2s_own_words() {
        let body = "<?xml version=\"1.0\"?><Response><Errors><Error><Code>UnauthorizedOperation</Code>\
                    <Message>no &lt;right&gt;</Message></Error></Errors><RequestID>r-1</RequestID></Response>";
        assert_eq!(refusal(403, body).to_string(), "UnauthorizedOperation: no <right>");
        assert_eq!(refusal(403, body).request_id(), Some("r-1"));
        for odd in ["", "<html>Bad Gateway</html>", "<Response><Errors/></Response>"] {
            let error = refusal(502, odd);
            assert_eq!(error.to_string(), "HTTP status 502: ");
            assert!(error.is_transient());
        }
    }

    #[test]
    fn an_endpoint_is_a_url_with_a_host() {
        assert_eq!(host("http://[::1]:4000/"), Some("[::1]:4000".to_owned()));
        assert_eq!(host("https://ec2.eu-west-1.api.aws"), Some("ec2.eu-west-1.api.aws".to_owned()));
        for odd in ["", "nonsense", "http://", "ftp://ec2", "http://a b"] {
            assert_eq!(host(odd), None, "{odd}");
        }
    }
}
