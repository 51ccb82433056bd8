use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use axum::http::Request;

use super::super::credentials::AccessKeyPair;
use super::*;

const BODY: &[u8] = b"{\"cluster\":\"ci\"}";

/// What a client signs with, and when.
struct SignatureTestClient {
    key: &'static str,
    secret: String,
    token: Option<String>,
    region: &'static str,
    service: &'static str,
    at: SystemTime,
}

impl Default for SignatureTestClient {
    fn default() -> Self {
        Self {
            key: "test",
            secret: "test".to_owned(),
            token: None,
            region: "eu-west-1",
            service: "ecs",
            at: now(),
        }
    }
}

fn now() -> SystemTime {
    timestamp::parse("20261121T120000Z").expect("a time")
}

/// A request that the signer of the AWS SDK signed.
fn signed(client: &SignatureTestClient) -> Request<Vec<u8>> {
    let identity =
        Credentials::new(client.key, client.secret.clone(), client.token.clone(), None, "a test")
            .into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(client.region)
        .name(client.service)
        .time(client.at)
        .settings(SigningSettings::default())
        .build()
        .expect("complete parameters")
        .into();
    let mut request = Request::post("http://127.0.0.1:4000/?b=2&a=1")
        .header("host", "127.0.0.1:4000")
        .header("x-amz-target", "AmazonEC2ContainerServiceV20141113.ListTasks")
        .header("content-type", "application/x-amz-json-1.1")
        .body(BODY.to_vec())
        .expect("a request");
    let headers: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.to_str().expect("text").to_owned()))
        .collect();
    let signable = SignableRequest::new(
        "POST",
        request.uri().to_string(),
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())),
        SignableBody::Bytes(BODY),
    )
    .expect("a signable request");
    let (instructions, _) = sign(signable, &params).expect("a signature").into_parts();
    instructions.apply_to_request_http1x(&mut request);
    request
}

fn keyring() -> AcceptedKeys {
    AcceptedKeys::new(&AccessKeyPair::new("test", "test"))
}

/// Both clocks show this.
fn at(time: SystemTime) -> SignatureTimes {
    SignatureTimes { signing: time, expiry: time }
}

fn judge(request: &Request<Vec<u8>>, keys: &AcceptedKeys) -> Result<String, String> {
    let signed = UnverifiedRequest {
        method: request.method(),
        uri: request.uri(),
        headers: request.headers(),
        body: request.body(),
    };
    verify(&signed, "ecs", keys, at(now()))
        .map(|signer| signer.region)
        .map_err(|refusal| refusal.code + ": " + &refusal.message)
}

#[test]
fn a_request_signed_by_the_sdk_is_accepted_for_its_region() {
    assert_eq!(
        judge(&signed(&SignatureTestClient::default()), &keyring()),
        Ok("eu-west-1".to_owned())
    );
}

#[test]
fn another_secret_region_service_or_body_breaks_the_signature() {
    let wrong_secret =
        SignatureTestClient { secret: "Test".to_owned(), ..SignatureTestClient::default() };
    let error = judge(&signed(&wrong_secret), &keyring()).unwrap_err();
    assert!(error.starts_with("InvalidSignatureException: The request signature we"), "{error}");

    let wrong_service = SignatureTestClient { service: "ec2", ..SignatureTestClient::default() };
    insta::assert_snapshot!(
        judge(&signed(&wrong_service), &keyring()).unwrap_err(),
        @"InvalidSignatureException: Credential should be scoped to correct service: 'ecs'."
    );
    let wrong_region = SignatureTestClient { region: "nowhere", ..SignatureTestClient::default() };
    insta::assert_snapshot!(
        judge(&signed(&wrong_region), &keyring()).unwrap_err(),
        @"InvalidSignatureException: Credential should be scoped to a valid Region, not 'nowhere'."
    );
    let mut changed = signed(&SignatureTestClient::default());
    changed.body_mut().push(b' ');
    assert!(judge(&changed, &keyring()).unwrap_err().starts_with("InvalidSignature"));
    let mut changed = signed(&SignatureTestClient::default());
    let stop = "AmazonEC2ContainerServiceV20141113.StopTask".parse().expect("a header");
    changed.headers_mut().insert("x-amz-target", stop);
    assert!(judge(&changed, &keyring()).unwrap_err().starts_with("InvalidSignature"));
}

#[test]
fn an_unknown_key_is_told_from_a_wrong_signature() {
    let unknown = SignatureTestClient { key: "AKIAUNKNOWN", ..SignatureTestClient::default() };
    insta::assert_snapshot!(
        judge(&signed(&unknown), &keyring()).unwrap_err(),
        @"InvalidClientTokenId: The security token included in the request is invalid."
    );
}

#[test]
fn a_request_without_a_signature_or_with_half_of_one_is_refused() {
    let mut request = signed(&SignatureTestClient::default());
    request.headers_mut().remove("authorization");
    insta::assert_snapshot!(
        judge(&request, &keyring()).unwrap_err(),
        @"MissingAuthenticationTokenException: Missing Authentication Token"
    );
    let mut with = |text: &str| {
        request.headers_mut().insert("authorization", text.parse().expect("a header"));
        judge(&request, &keyring()).unwrap_err()
    };
    insta::assert_snapshot!(
        with("AWS4-HMAC-SHA256 Credential=a/20261121/eu-west-1/ecs/aws4_request, SignedHeaders=host"),
        @"IncompleteSignatureException: Authorization header requires 'Signature' parameter."
    );
    insta::assert_snapshot!(
        with("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00"),
        @"IncompleteSignatureException: Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."
    );
    assert!(with("Basic dGVzdDp0ZXN0").starts_with("IncompleteSignatureException"));
}

#[test]
fn a_clock_may_be_five_minutes_off_and_no_more() {
    let at = |at| {
        judge(&signed(&SignatureTestClient { at, ..SignatureTestClient::default() }), &keyring())
    };
    let (near, far) = (Duration::from_secs(299), Duration::from_secs(301));
    assert!(at(now() - near).is_ok() && at(now() + near).is_ok());
    insta::assert_snapshot!(
        at(now() - far).unwrap_err(),
        @"InvalidSignatureException: Signature expired: 20261121T115459Z is now earlier than 20261121T115500Z (20261121T120000Z - 5 min.)"
    );
    insta::assert_snapshot!(
        at(now() + far).unwrap_err(),
        @"InvalidSignatureException: Signature not yet current: 20261121T120501Z is still later than 20261121T120500Z (20261121T120000Z + 5 min.)"
    );
}

#[test]
fn session_credentials_need_their_token_and_end() {
    let keys = keyring();
    let issued = keys.issue(CallerPrincipal::User, now(), Duration::from_secs(60));
    let key: &'static str = Box::leak(issued.access_key_id.clone().into_boxed_str());
    let with = |token| SignatureTestClient {
        key,
        secret: issued.secret_access_key.clone(),
        token,
        ..SignatureTestClient::default()
    };
    let request = signed(&with(Some(issued.session_token.clone())));
    assert!(judge(&request, &keys).is_ok());
    for wrong in [None, Some("another".to_owned())] {
        let error = judge(&signed(&with(wrong)), &keys).unwrap_err();
        assert!(error.starts_with("InvalidClientTokenId"), "{error}");
    }
    let signed = UnverifiedRequest {
        method: request.method(),
        uri: request.uri(),
        headers: request.headers(),
        body: request.body(),
    };
    let late = now() + Duration::from_secs(61);
    assert_eq!(verify(&signed, "ecs", &keys, at(late)).unwrap_err().code, "ExpiredTokenException");
}

#[test]
fn a_header_that_counts_must_be_signed() {
    let mut request = signed(&SignatureTestClient::default());
    request.headers_mut().insert("x-amz-security-token", "x".parse().expect("a header"));
    assert!(judge(&request, &keyring()).unwrap_err().starts_with("InvalidClientTokenId"));
    request.headers_mut().remove("x-amz-security-token");
    request.headers_mut().insert("x-amz-other", "x".parse().expect("a header"));
    insta::assert_snapshot!(
        judge(&request, &keyring()).unwrap_err(),
        @"InvalidSignatureException: 'x-amz-other' must be a 'SignedHeader' in the AWS Authorization."
    );
}
