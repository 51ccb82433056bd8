//! What handlers take out of a request: who sends it, what its path and its query name, and whether a browser opens a
//! page. And how a name stands in a path.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};

use crate::ApiProblem;
use crate::access::RequestCaller;

/// A browser opens a page.
pub(crate) fn wants_page(method: &Method, path: &str, headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    matches!(*method, Method::GET | Method::HEAD)
        && !path.starts_with("/api/")
        && accept.is_some_and(|accept| accept.contains("text/html"))
}

/// A name as one part of a path.
pub(crate) fn path_segment(id: &str) -> String {
    form_urlencoded::byte_serialize(id.as_bytes()).collect::<String>().replace('+', "%20")
}

impl<S: Send + Sync> FromRequestParts<S> for RequestCaller {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiProblem> {
        parts.extensions.get::<Self>().cloned().ok_or(ApiProblem::NotSignedIn)
    }
}

/// What stands after `?`.
#[derive(Clone, Debug)]
pub(crate) struct RawQueryText(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for RawQueryText {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiProblem> {
        Ok(Self(parts.uri.query().unwrap_or_default().to_owned()))
    }
}

/// The part of the path that names one thing.
#[derive(Clone, Debug)]
pub(crate) struct NamedInPath(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for NamedInPath {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiProblem> {
        let named = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        let named = named.map_err(|_| {
            ApiProblem::bad_parameter("id", parts.uri.path(), "a name in UTF-8, percent-encoded")
        })?;
        Ok(Self(named.0))
    }
}
