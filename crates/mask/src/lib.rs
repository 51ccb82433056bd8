//! Keeps the secrets that this process knows out of all texts that it prints or logs. The words of
//! AWS, of a container's log, of a server or of a person may repeat one.
//!
//! A job's own output never comes here: it passes through, and gitlab-runner masks it. A secret
//! that nobody announced is not found. Foreign text is masked when it arrives, before it is cut,
//! and again when it is written.

mod forms;
mod masker;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use fargate_model::text::escape_within;
use zeroize::Zeroizing;

pub use masker::{MASK, SecretMasker};

/// Shortest secret that is masked, in bytes. A shorter one would also appear in ordinary words.
///
/// Source: GitLab documentation, "Mask a CI/CD variable": a masked value has at least 8 characters.
pub const SHORTEST: usize = 8;
/// Bytes of a secret that are searched for. A text that begins like a longer secret counts as that
/// secret.
const LONGEST: usize = 4096;

/// What each line costs at least, in bytes.
const COST: usize = 128;

/// The secrets that were learned so far, and what finds them. Clones share both, so that a secret which
/// one part of a program learns is masked by every other part.
#[derive(Clone, Default)]
pub struct SharedMasker {
    known: Arc<Mutex<KnownSecrets>>,
}

#[derive(Default)]
struct KnownSecrets {
    secrets: Vec<Zeroizing<Vec<u8>>>,
    /// Finds the secrets above; none since one was added.
    masker: Option<Arc<SecretMasker>>,
}

impl fmt::Debug for SharedMasker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedMasker")
    }
}

fn is_armour(line: &str) -> bool {
    (line.starts_with("-----BEGIN ") || line.starts_with("-----END ")) && line.ends_with("-----")
}

impl SharedMasker {
    /// From now on `secret` is masked, and each of its lines, because texts repeat single lines. The
    /// first and the last line of a key in PEM are not secret.
    pub fn remember(&self, secret: &str) {
        let mut room = usize::MAX;
        self.remember_within(secret, &mut room);
    }

    /// The same for a password as it stands in a URL, and as its user writes it.
    pub fn remember_of_url(&self, password: &str) {
        self.remember(password);
        let escaped = password.replace('+', "%2B");
        let parsed = url::form_urlencoded::parse(escaped.as_bytes());
        parsed.for_each(|(plain, _)| self.remember(&plain));
    }

    /// The same for each line for which there is `room`, in bytes: neither many small lines nor a few
    /// long ones may cost this process its memory. False if something was left out.
    pub fn remember_within(&self, secret: &str, room: &mut usize) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = true;
        for line in secret.lines().map(str::trim) {
            if line.len() < SHORTEST || is_armour(line) {
                continue;
            }
            let line = &line.as_bytes()[..line.len().min(LONGEST)];
            let cost = line.len().max(COST);
            if cost > *room {
                all = false;
                continue;
            }
            *room -= cost;
            if known.secrets.iter().all(|secret| secret.as_slice() != line) {
                known.secrets.push(Zeroizing::new(line.to_vec()));
                known.masker = None;
            }
        }
        all
    }

    fn masker(&self) -> Arc<SecretMasker> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let KnownSecrets { secrets, masker } = &mut *known;
        let made = || Arc::new(SecretMasker::of(secrets.iter().map(|secret| secret.as_slice())));
        Arc::clone(masker.get_or_insert_with(made))
    }

    /// `text` without any known secret.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.masker().text(text)
    }

    /// Masks all secrets, except where they lie within one of `ids`, which are our own names, for
    /// example of a task.
    #[must_use]
    pub fn text_beside<'a>(&self, text: &'a str, ids: &[&str]) -> Cow<'a, str> {
        self.masker().text_beside(text, ids)
    }

    /// The same for a text that came in pieces. A secret may lie across two of them.
    #[must_use]
    pub fn pieces(&self, pieces: &[String]) -> Vec<String> {
        self.masker().pieces(pieces)
    }

    /// Masks a foreign text, then cuts it in the middle to `limit` characters. In this order, because
    /// half a secret would not be found.
    #[must_use]
    pub fn within(&self, text: &str, limit: usize) -> String {
        escape_within(&self.text(text), limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_masked_line_by_line_from_then_on() {
        let masker = SharedMasker::default();
        let before = "the key canary-mask-line-one";
        assert_eq!(masker.text(before), before);
        masker.clone().remember(
            "-----BEGIN A KEY-----\n  canary-mask-line-one\ncanary-mask-line-two\nshort\n",
        );
        assert_eq!(masker.text(before), "the key [MASKED]");
        assert_eq!(masker.text("canary-mask-line-two, short"), "[MASKED], short");
        assert_eq!(masker.text("-----BEGIN A KEY-----"), "-----BEGIN A KEY-----");
    }

    #[test]
    fn a_text_is_masked_before_it_is_cut() {
        let masker = SharedMasker::default();
        masker.remember("canary-mask-before-the-cut");
        let said = format!("{} canary-mask-before-the-cut {}", "a".repeat(12), "b".repeat(40));
        let told = masker.within(&said, 40);
        assert!(!told.contains("canary") && told.contains("..."), "{told}");
    }
}
