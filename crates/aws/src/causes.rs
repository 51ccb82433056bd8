//! What the causes of an error say: the first one of a type, a connection that was not made, a
//! certificate that is not trusted. What follows from it is decided elsewhere.

use std::error::Error;

use fargate_model::text::error_chain;

/// The error and all its causes, outermost first. The cause inside an I/O error is included, which
/// its `source` would skip.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<std::io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    })
}

/// The first cause of this type.
pub fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// Whether no connection was made. Nothing is sent without one.
pub fn was_not_connected(error: &(dyn Error + 'static)) -> bool {
    find::<hyper_util::client::legacy::Error>(error)
        .is_some_and(hyper_util::client::legacy::Error::is_connect)
        // The HTTP client has no public type for this error.
        || error_chain(error).contains("connect timeout")
}

/// Why the server's certificate is not trusted, if that is the cause.
pub fn untrusted(error: &(dyn Error + 'static)) -> Option<String> {
    match find::<rustls::Error>(error)? {
        refusal @ rustls::Error::InvalidCertificate(_) => Some(refusal.to_string()),
        _ => None,
    }
}
