//! Credentials that all clients of a process share: their source is asked once, and again shortly
//! before they end. The SDK keeps them per client, and the instance's metadata has a rate limit.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{
    ProvideCredentials, Result, SharedCredentialsProvider, future,
};
use tokio::sync::Mutex;

use crate::mask;

/// Credentials that end sooner are replaced.
const SPARE: Duration = Duration::from_secs(120);

/// See the module.
#[derive(Debug)]
pub struct Kept {
    source: SharedCredentialsProvider,
    kept: Mutex<Option<Credentials>>,
}

impl Kept {
    /// Keeps what `source` gives.
    pub fn new(source: SharedCredentialsProvider) -> Self {
        Self { source, kept: Mutex::default() }
    }

    async fn credentials(&self) -> Result {
        let mut kept = self.kept.lock().await;
        if let Some(credentials) = kept.as_ref().filter(|kept| is_fresh(kept)) {
            return Ok(credentials.clone());
        }
        let credentials = self.source.provide_credentials().await?;
        mask::remember(credentials.secret_access_key());
        mask::remember(credentials.session_token().unwrap_or_default());
        *kept = Some(credentials.clone());
        Ok(credentials)
    }
}

fn is_fresh(credentials: &Credentials) -> bool {
    credentials.expiry().is_none_or(|end| end > SystemTime::now() + SPARE)
}

impl ProvideCredentials for Kept {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Gives credentials that last so long, and counts.
    #[derive(Debug)]
    struct Source(Duration, Arc<AtomicUsize>);

    impl ProvideCredentials for Source {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            self.1.fetch_add(1, Ordering::Relaxed);
            let end = Some(SystemTime::now() + self.0);
            future::ProvideCredentials::ready(Ok(Credentials::new("id", "s", None, end, "a test")))
        }
    }

    async fn asked(lifetime: Duration) -> usize {
        let count = Arc::new(AtomicUsize::new(0));
        let kept = Kept::new(SharedCredentialsProvider::new(Source(lifetime, count.clone())));
        for _ in 0..3 {
            kept.provide_credentials().await.unwrap();
        }
        count.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn the_source_is_asked_once_while_what_it_gave_lasts() {
        assert_eq!(asked(Duration::from_secs(3600)).await, 1);
        assert_eq!(asked(SPARE / 2).await, 3);
    }
}
