//! Everything that the service answers: the API, the pages, and what stands before both.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use crate::request_body::MAX_BODY;
use crate::request_guard::guard;
use crate::{ApiProblem, StatusService, pages, routes};

/// Everything that the service answers.
pub fn router(service: &Arc<StatusService>) -> Router {
    let (api, document) = routes::api().split_for_parts();
    let document = document.to_json().unwrap_or_default();
    let document = crate::answer_cache::CachedAnswer::new(document, "application/json");
    let serve_document = move |headers: axum::http::HeaderMap| {
        let response = document.respond(&headers);
        async move { response }
    };
    api.route("/openapi.json", get(serve_document))
        .merge(pages::routes())
        .fallback(pages::nothing_here)
        .method_not_allowed_fallback(async || ApiProblem::UnknownMethod)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(Arc::clone(service), guard))
        .with_state(Arc::clone(service))
}
