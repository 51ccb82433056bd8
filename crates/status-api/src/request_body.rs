//! Reads the body of a change: a few fields, as a form or as JSON, within limits of size and time.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, header};
use serde::Deserialize;

use crate::ApiProblem;

/// Largest body of a request.
pub(crate) const MAX_BODY: usize = 16 * 1024;
/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(10);

/// The fields of a change. Each path says which it needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub(crate) struct ChangeBody {
    /// Why: everybody sees it. At most 200 characters count.
    pub(crate) note: String,
    /// The proof that a page of ours sends it; a header `X-CSRF-Token` does as well.
    pub(crate) csrf: String,
    /// The token of somebody who signs in.
    #[schema(ignore)]
    pub(crate) token: String,
    /// The page to go back to.
    #[schema(ignore)]
    pub(crate) back: String,
    /// The job whose task is meant.
    #[schema(ignore)]
    pub(crate) job: String,
}

/// Reads a body within the limits.
///
/// # Errors
///
/// Returns [`ApiProblem::LargeBody`] or [`ApiProblem::BadBody`].
pub(crate) async fn read(body: Body) -> Result<Bytes, ApiProblem> {
    match tokio::time::timeout(BODY_TIME, to_bytes(body, MAX_BODY)).await {
        Err(_) => Err(ApiProblem::BadBody(format!("it took more than {} s", BODY_TIME.as_secs()))),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => {
            let is_large = std::error::Error::source(&error)
                .is_some_and(|source| source.to_string().contains("limit"));
            Err(match is_large {
                true => ApiProblem::LargeBody(MAX_BODY),
                false => ApiProblem::BadBody("the connection was cut".to_owned()),
            })
        }
    }
}

/// Reads the fields. No body has none.
///
/// # Errors
///
/// As [`read`].
pub(crate) async fn fields(headers: &HeaderMap, body: Body) -> Result<ChangeBody, ApiProblem> {
    let bytes = read(body).await?;
    let media = headers.get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok());
    if bytes.is_empty() {
        return Ok(ChangeBody::default());
    }
    match media.map(|media| media.split(';').next().unwrap_or_default().trim()) {
        Some("application/x-www-form-urlencoded") => Ok(of_form(&bytes)),
        Some("application/json") => serde_json::from_slice(&bytes)
            .map_err(|error| ApiProblem::BadBody(format!("as JSON: {error}"))),
        _ => Err(ApiProblem::BadBody(
            "its media type is neither application/json nor application/x-www-form-urlencoded"
                .to_owned(),
        )),
    }
}

fn of_form(bytes: &[u8]) -> ChangeBody {
    let mut fields = ChangeBody::default();
    for (name, value) in form_urlencoded::parse(bytes) {
        let field = match &*name {
            "note" => &mut fields.note,
            "csrf" => &mut fields.csrf,
            "token" => &mut fields.token,
            "back" => &mut fields.back,
            "job" => &mut fields.job,
            _ => continue,
        };
        *field = value.into_owned();
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn given(media: &str, body: impl Into<Body>) -> Result<ChangeBody, ApiProblem> {
        let headers = [(header::CONTENT_TYPE, media.parse().unwrap())].into_iter().collect();
        fields(&headers, body.into()).await
    }

    #[tokio::test]
    async fn a_form_and_json_say_the_same() {
        let form = given("application/x-www-form-urlencoded", "note=new+disk&csrf=1&odd=2").await;
        let json =
            given("application/json; charset=utf-8", r#"{"note":"new disk","csrf":"1"}"#).await;
        assert_eq!(form.unwrap(), json.unwrap());
    }

    #[tokio::test]
    async fn a_body_that_is_large_or_something_else_is_refused() {
        let large = given("application/json", vec![b' '; MAX_BODY + 1]).await;
        assert_eq!(large.unwrap_err(), ApiProblem::LargeBody(MAX_BODY));
        for (media, body) in
            [("text/plain", "note=1"), ("application/json", "{"), ("application/json", "[1]")]
        {
            assert!(
                matches!(given(media, body).await, Err(ApiProblem::BadBody(_))),
                "{media} {body}"
            );
        }
    }
}
