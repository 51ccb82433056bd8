//! Secrets that are known only by what stands around them: private keys, logins in files of tools, passwords
//! in URLs. They are looked for in text, because binary files contain the same words by chance.

use super::secret_rule::{SecretRule, ValueCheck};

/// The name of the rule for private keys.
pub(super) const PRIVATE_KEY: &str = "private-key";
/// What a private key in PEM begins with.
pub(super) const KEY_HEAD: &str = "-----BEGIN ";

/// All of them.
pub(super) const CONTEXT_RULES: &[SecretRule] = &[
    SecretRule::context(
        PRIVATE_KEY,
        &[KEY_HEAD],
        r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----",
        ValueCheck::KeyBody,
    ),
    SecretRule::context(
        "putty-private-key",
        &["PuTTY-User-Key-File-"],
        r"PuTTY-User-Key-File-[23]: [^\r\n]{1,80}[\s\S]+?Private-Lines: [0-9]+\s+([0-9A-Za-z+/=\s]{64,})",
        ValueCheck::None,
    ),
    SecretRule::context(
        "aws-secret-key",
        &[
            "aws_secret_access_key",
            "AWS_SECRET_ACCESS_KEY",
            "SecretAccessKey",
            "secretAccessKey",
            "aws_secret_key",
        ],
        r#"[A-Za-z_]{14,21}["']?[ \t]{0,8}(?:=>|[=:])[ \t]{0,8}["']?([0-9A-Za-z/+]{40})(?:[^0-9A-Za-z/+=]|\z)"#,
        ValueCheck::Mixed,
    ),
    SecretRule::context(
        "aws-secret-key-beside-id",
        &["AKIA"],
        r"AKIA[A-Z2-7]{16}(?:[^0-9A-Za-z/+][\s\S]{0,120}?)?[^0-9A-Za-z/+]([0-9A-Za-z/+]{40})(?:[^0-9A-Za-z/+=]|\z)",
        ValueCheck::Mixed,
    ),
    SecretRule::context(
        "docker-login",
        &["\"auth\""],
        r#""auth"\s{0,20}:\s{0,20}"([0-9A-Za-z+/]{8,}={0,2})""#,
        ValueCheck::Login,
    ),
    SecretRule::context(
        "docker-identity-token",
        &["\"identitytoken\""],
        r#""identitytoken"\s{0,20}:\s{0,20}"([^"\s]{16,})""#,
        ValueCheck::None,
    ),
    SecretRule::context(
        "npm-auth-token",
        &["_authToken"],
        r#"_authToken[ \t]{0,4}=[ \t]{0,4}"?([0-9A-Za-z._~+/=-]{16,})"#,
        ValueCheck::None,
    ),
    SecretRule::context(
        "npm-password",
        &["/:_password", "\n_password"],
        r#"(?:/:|\n)_password[ \t]{0,4}=[ \t]{0,4}"?([0-9A-Za-z+/]{8,}={0,2})(?:["\s]|\z)"#,
        ValueCheck::Mixed,
    ),
    SecretRule::context(
        "npm-auth",
        &["/:_auth", "\n_auth"],
        r#"(?:/:|\n)_auth[ \t]{0,4}=[ \t]{0,4}"?([0-9A-Za-z+/]{8,}={0,2})(?:["\s]|\z)"#,
        ValueCheck::Login,
    ),
    SecretRule::context(
        "url-password",
        &["://"],
        r#"://[^\s:/@"'<>\[\]{}()$%*\\|,;?#&`]{0,64}:([^\s:/@"'<>\[\]{}()\\|,;?#&$*`]{8,200})@[0-9A-Za-z]"#,
        ValueCheck::UrlPassword,
    ),
    SecretRule::context(
        "netrc-password",
        &["machine ", "machine\t"],
        r"machine\s{1,8}[\w.:-]{1,255}\s{1,8}login\s{1,8}\S{1,200}\s{1,8}password\s{1,8}(\S{6,200})",
        ValueCheck::Password,
    ),
    SecretRule::context(
        "json-web-token",
        &["eyJ"],
        r"eyJ[\w-]{14,}\.eyJ[\w-]{14,}\.[\w-]{16,}",
        ValueCheck::WebToken,
    ),
    SecretRule::context(
        "kubernetes-client-key",
        &["client-key-data:"],
        r#"client-key-data:\s{1,8}["']?([0-9A-Za-z+/=]{64,})"#,
        ValueCheck::None,
    ),
    SecretRule::context(
        "google-service-account",
        &["\"private_key_id\""],
        r#""private_key_id"\s{0,20}:\s{0,20}"([0-9a-f]{40})""#,
        ValueCheck::None,
    ),
];
