//! Caches credentials for all clients of a process.
//!
//! It asks their source once, again shortly before they expire, and again if a service refuses
//! them. The SDK would keep them per client and until they expire, but the instance's metadata has
//! a rate limit.
//!
//! If a source gave credentials before and gives none now, it may give some a moment later: a
//! program that renews a file in place first empties it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{
    ProvideCredentials, Result, SharedCredentialsProvider, future,
};
use fargate_events::{JobEvent, emit};
use tokio::sync::Mutex;

use crate::call::CallError;
use crate::credential_error::as_passing;
use fargate_mask::SharedMasker;

/// Credentials that expire sooner than this are replaced.
const SPARE: Duration = Duration::from_secs(120);

/// The cached credentials of one source. Clones share them.
#[derive(Clone, Debug)]
pub struct CredentialCache {
    source: SharedCredentialsProvider,
    masker: SharedMasker,
    state: Arc<Mutex<CredentialCacheState>>,
}

#[derive(Debug, Default)]
struct CredentialCacheState {
    /// What the source gave last, unless a service refused it.
    credentials: Option<Credentials>,
    /// Whether the source ever gave any.
    has_given: bool,
}

impl CredentialCache {
    /// Makes a cache for `source`.
    pub fn new(source: SharedCredentialsProvider, masker: SharedMasker) -> Self {
        Self { source, masker, state: Arc::default() }
    }

    /// Forgets the credentials, because a service refused them. The next use asks the source.
    pub async fn forget(&self) {
        self.state.lock().await.credentials = None;
    }

    async fn credentials(&self) -> Result {
        let mut state = self.state.lock().await;
        let last_until = |spare| {
            let end = SystemTime::now() + spare;
            let kept = state.credentials.as_ref();
            kept.filter(|kept| kept.expiry().is_none_or(|expiry| expiry > end)).cloned()
        };
        if let Some(credentials) = last_until(SPARE) {
            return Ok(credentials);
        }
        match self.source.provide_credentials().await {
            Ok(credentials) => {
                self.masker.remember(credentials.secret_access_key());
                self.masker.remember(credentials.session_token().unwrap_or_default());
                *state = CredentialCacheState {
                    credentials: Some(credentials.clone()),
                    has_given: true,
                };
                Ok(credentials)
            }
            // The cached credentials may still work for a moment. The next call asks again.
            Err(error) if state.has_given => {
                let words = CallError::of_credentials(&error, &self.masker);
                emit(JobEvent::CredentialsNotRenewed { message: words.to_string() });
                last_until(Duration::ZERO).ok_or_else(|| as_passing(error))
            }
            Err(error) => Err(error),
        }
    }
}

impl ProvideCredentials for CredentialCache {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_credential_types::provider::error::CredentialsError;
    use fargate_model::cause::{CauseReport, FailureCause};

    use super::*;
    use crate::credential_error::NoCredentials;

    /// A source for tests. It gives credentials with this lifetime as often as it may, and counts.
    #[derive(Debug)]
    struct CountingCredentialSource {
        lifetime: Duration,
        most: usize,
        asked: Arc<AtomicUsize>,
    }

    impl ProvideCredentials for CountingCredentialSource {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            if self.asked.fetch_add(1, Ordering::Relaxed) >= self.most {
                let why = Box::new(CauseReport::new(FailureCause::CredentialsMissing));
                let error = NoCredentials { why, passing: false };
                let error = CredentialsError::provider_error(error);
                return future::ProvideCredentials::ready(Err(error));
            }
            let end = Some(SystemTime::now() + self.lifetime);
            future::ProvideCredentials::ready(Ok(Credentials::new("id", "s", None, end, "a test")))
        }
    }

    fn kept(lifetime: Duration, most: usize) -> (CredentialCache, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let source = CountingCredentialSource { lifetime, most, asked: Arc::clone(&asked) };
        (
            CredentialCache::new(SharedCredentialsProvider::new(source), SharedMasker::default()),
            asked,
        )
    }

    #[tokio::test]
    async fn the_source_is_asked_once_while_what_it_gave_lasts() {
        for (lifetime, count) in [(Duration::from_secs(3600), 1), (SPARE / 2, 3)] {
            let (kept, asked) = kept(lifetime, 9);
            for _ in 0..3 {
                kept.provide_credentials().await.unwrap();
            }
            assert_eq!(asked.load(Ordering::Relaxed), count);
        }
    }

    #[tokio::test]
    async fn what_is_refused_is_asked_for_anew() {
        let (kept, asked) = kept(Duration::from_secs(3600), 9);
        kept.provide_credentials().await.unwrap();
        kept.clone().forget().await;
        kept.provide_credentials().await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_source_that_fails_ends_nothing_that_is_still_good() {
        let (lasting, asked) = kept(SPARE / 2, 1);
        for _ in 0..3 {
            lasting.provide_credentials().await.unwrap();
        }
        assert_eq!(asked.load(Ordering::Relaxed), 3);
        let (over, _) = kept(Duration::ZERO, 1);
        over.provide_credentials().await.unwrap();
        assert!(over.provide_credentials().await.is_err());
    }

    #[tokio::test]
    async fn a_source_that_gave_credentials_once_may_give_them_again() {
        for (most, is_transient) in [(0, false), (1, true)] {
            let (kept, _) = kept(Duration::ZERO, most);
            for _ in 0..most {
                kept.provide_credentials().await.unwrap();
            }
            let error = kept.provide_credentials().await.unwrap_err();
            let call = CallError::of_credentials(&error, &SharedMasker::default());
            assert_eq!(call.is_transient(), is_transient, "{error:?}");
        }
    }
}
