//! Client tokens: the same RunTask sent twice starts its tasks once.
//!
//! Source: Amazon ECS API Reference, "Ensuring idempotency": a token belongs to its cluster and is
//! remembered for 24 hours.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::Value;

/// How long a token is remembered.
pub const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);
/// Longest token. Source: Amazon ECS API Reference, `RunTask`, `clientToken`.
pub const MAX_TOKEN: usize = 64;

/// The tokens of one cluster.
#[derive(Debug, Default)]
pub struct ClientTokens(BTreeMap<String, ClientTokenUse>);

#[derive(Debug)]
struct ClientTokenUse {
    parameters: Value,
    tasks: Vec<String>,
    at: SystemTime,
}

/// What is known of a request's token.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientTokenStatus {
    /// It is new.
    Never,
    /// The same request started these tasks.
    Same(Vec<String>),
    /// Another request started these tasks.
    Other(Vec<String>),
}

impl ClientTokens {
    /// Looks a token up.
    pub fn seen(&mut self, token: &str, parameters: &Value, now: SystemTime) -> ClientTokenStatus {
        self.0.retain(|_, used| used.at + TOKEN_LIFE > now);
        match self.0.get(token) {
            None => ClientTokenStatus::Never,
            Some(used) if used.parameters == *parameters => {
                ClientTokenStatus::Same(used.tasks.clone())
            }
            Some(used) => ClientTokenStatus::Other(used.tasks.clone()),
        }
    }

    /// Remembers what a request started; `tasks` are their ids.
    pub fn remember(
        &mut self,
        token: String,
        parameters: Value,
        tasks: Vec<String>,
        now: SystemTime,
    ) {
        self.0.insert(token, ClientTokenUse { parameters, tasks, at: now });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_is_remembered_with_its_parameters_for_24_hours() {
        let mut tokens = ClientTokens::default();
        let start = SystemTime::UNIX_EPOCH;
        let (one, two) = (json!({"count": 1}), json!({"count": 2}));
        assert_eq!(tokens.seen("t", &one, start), ClientTokenStatus::Never);
        tokens.remember("t".to_owned(), one.clone(), vec!["a".to_owned()], start);
        let late = start + TOKEN_LIFE - Duration::from_secs(1);
        assert_eq!(tokens.seen("t", &one, late), ClientTokenStatus::Same(vec!["a".to_owned()]));
        assert_eq!(tokens.seen("t", &two, late), ClientTokenStatus::Other(vec!["a".to_owned()]));
        assert_eq!(tokens.seen("other", &one, late), ClientTokenStatus::Never);
        assert_eq!(tokens.seen("t", &two, start + TOKEN_LIFE), ClientTokenStatus::Never);
    }
}
