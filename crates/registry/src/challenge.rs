//! What a registry asks for when it refuses a request: HTTP Basic, or a token from a token service.
//!
//! Source: RFC 7235, and "Token Authentication Specification" of the Distribution project.

/// How to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginChallenge {
    /// User name and password with each request.
    Basic,
    /// A token of this service.
    Token {
        /// The URL of the token service.
        realm: String,
        /// The name of the registry at the token service.
        service: Option<String>,
    },
}

impl LoginChallenge {
    /// Reads the value of a `WWW-Authenticate` header; `None` for a scheme that is neither.
    pub fn parse(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service) = (None, None);
        for (name, value) in parameters(rest) {
            match name.to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value),
                "service" => service = Some(value),
                _ => {}
            }
        }
        Some(Self::Token { realm: realm?, service })
    }
}

/// `name="value", name=value`. A comma within quotation marks belongs to the value.
fn parameters(mut text: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    while let Some((name, rest)) = text.split_once('=') {
        let name = name.trim_matches([' ', ',', '\t']);
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].trim().to_owned(), &rest[end..])
            }
        };
        found.push((name, value));
        text = rest;
    }
    found
}

/// The value up to the closing quotation mark, and what follows.
fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_schemes_are_read_in_every_spelling() {
        let token = |realm: &str, service: Option<&str>| {
            let (realm, service) = (realm.to_owned(), service.map(str::to_owned));
            Some(LoginChallenge::Token { realm, service })
        };
        for (header, challenge) in [
            ("Basic realm=\"Registry\"", Some(LoginChallenge::Basic)),
            ("basic", Some(LoginChallenge::Basic)),
            (
                "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",\
                 scope=\"repository:a/b:pull,push\",error=\"invalid_token\"",
                token("https://auth.docker.io/token", Some("registry.docker.io")),
            ),
            ("bearer  Service=a, REALM=https://b/t", token("https://b/t", Some("a"))),
            ("Bearer service=\"a\"", None),
            ("Negotiate", None),
            ("", None),
        ] {
            assert_eq!(LoginChallenge::parse(header), challenge, "{header}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_header_panics(header in "(Bearer )?[ -~\u{e9}]{0,60}") {
            let _ = LoginChallenge::parse(&header);
        }
    }
}
