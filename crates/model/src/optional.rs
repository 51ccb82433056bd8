//! Waits that may never end, for a branch of a `select!` whose event may be out of the question.

/// Waits for `future`; without one it never returns.
pub async fn or_never<F: Future>(future: Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
