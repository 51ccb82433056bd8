//! What a rule is: words that announce a secret, the shape that follows, and what tells a secret from a
//! placeholder. The tables of rules are beside this module.

use regex::bytes::{Regex, RegexBuilder};

/// Where a rule is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RuleScope {
    /// In every file: its words and its alphabet are rare enough, also in binary files.
    Everywhere,
    /// In text only.
    Text,
}

/// A check that a regular expression cannot make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueCheck {
    /// The shape is enough.
    None,
    /// Base64 of `user:password`.
    Login,
    /// A password that a person would not write into an example: letters and digits.
    Password,
    /// The same, at a host that can exist.
    UrlPassword,
    /// A JSON Web Token that is no sample.
    WebToken,
    /// Small letters, capitals and digits.
    Mixed,
    /// The body of a private key follows. The secret is all of the key.
    KeyBody,
}

/// One rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct SecretRule {
    /// Its name, which waivers and reports use.
    pub id: &'static str,
    /// Each match begins with one of these; [`SecretRule::first_words`] says how.
    pub words: &'static [&'static str],
    /// What matches, from the first byte of the word. The first group is the secret; without a group it is
    /// all of it.
    pub shape: &'static str,
    /// Least entropy of the secret, in bits for each byte.
    pub entropy: f64,
    /// Where it is used.
    pub scope: RuleScope,
    /// What else is looked at.
    pub check: ValueCheck,
}

impl SecretRule {
    /// A token whose prefix says whose it is. Each of `words` must end with a space that is not looked for: a
    /// compiler puts the texts of a program side by side, so without it the prefix and the text that
    /// happens to follow would be a token in our own binary.
    pub const fn token(
        id: &'static str,
        words: &'static [&'static str],
        shape: &'static str,
    ) -> Self {
        let mut at = 0;
        while at < words.len() {
            let word = words[at].as_bytes();
            assert!(word[word.len() - 1] == b' ', "a word of a token ends with a space");
            at += 1;
        }
        let (scope, check) = (RuleScope::Everywhere, ValueCheck::None);
        Self { id, words, shape, entropy: 3.0, scope, check }
    }

    /// A secret that is one only for what stands around it.
    pub const fn context(
        id: &'static str,
        words: &'static [&'static str],
        shape: &'static str,
        check: ValueCheck,
    ) -> Self {
        Self { id, words, shape, entropy: 3.0, scope: RuleScope::Text, check }
    }

    /// What a match begins with, exactly.
    pub fn first_words(&self) -> impl Iterator<Item = &'static str> {
        let is_token = self.scope == RuleScope::Everywhere;
        self.words.iter().map(move |word| if is_token { word.trim_end() } else { word })
    }

    /// The compiled shape.
    pub fn compiled(&self) -> Regex {
        RegexBuilder::new(&format!(r"\A(?:{})", self.shape))
            .unicode(false)
            .build()
            .expect("a test compiles every rule")
    }
}

/// Shannon's entropy of these bytes, in bits for each byte.
pub(super) fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in value {
        counts[usize::from(*byte)] += 1;
    }
    let all = f64::from(u32::try_from(value.len()).unwrap_or(u32::MAX)).max(1.0);
    let share = |count: &u32| f64::from(*count) / all;
    counts.iter().filter(|count| **count > 0).map(share).map(|part| -part * part.log2()).sum()
}

/// What documentation writes instead of a secret.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    const SAMPLES: [&str; 12] = [
        "example",
        "xxxxx",
        "placeholder",
        "changeme",
        "redacted",
        "password",
        "passw0rd",
        "your_",
        "your-",
        "abcdefghij",
        "1234567890",
        // The signature of the token that jwt.io shows to everybody.
        "sflkxwrjsmekkf2qt4fwpmejf36pok6yjv_adqssw5c",
    ];
    let small = value.to_ascii_lowercase();
    SAMPLES.iter().any(|sample| small.windows(sample.len()).any(|part| part == sample.as_bytes()))
}
