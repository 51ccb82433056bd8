//! What `serve` listens at, whom it lets in, and where it finds others.

use fargate_model::cause::FailureCause;

use super::value_refusal::{CheckResult, ValueRefusal};
use crate::settings::HOST_CONDITIONS;
use crate::unknown_key::nearest;

/// An address and a port, such as `127.0.0.1:9253` or `[::1]:9253`.
pub(crate) fn listen_address(given: &str) -> CheckResult<String> {
    match given.parse::<std::net::SocketAddr>() {
        Ok(_) => Ok(given.to_owned()),
        Err(_) => Err(ValueRefusal::new("an address and a port are expected")
            .hint("`listen = \"127.0.0.1:9253\"`")),
    }
}

/// The origin of a web site: scheme and host, without a path.
pub(crate) fn site(given: &str) -> CheckResult<String> {
    let host = given.strip_prefix("https://").or_else(|| given.strip_prefix("http://"));
    let is_site = host.is_some_and(|host| {
        !host.is_empty()
            && host
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'))
    });
    match is_site {
        true => Ok(given.to_ascii_lowercase()),
        false => Err(ValueRefusal::new("scheme and host of a site are expected, without a path")
            .hint("`\"https://portal.example.org\"`")),
    }
}

/// An address, or all addresses that begin with so many bits: `10.0.1.0/24`.
pub(crate) fn address_range(given: &str) -> CheckResult<String> {
    let (address, bits) = given.split_once('/').map_or((given, None), |(a, b)| (a, Some(b)));
    let is_range = address.parse::<std::net::IpAddr>().is_ok_and(|address| {
        let most = if address.is_ipv4() { 32 } else { 128 };
        bits.is_none_or(|bits| bits.parse::<u8>().is_ok_and(|bits| bits <= most))
    });
    match is_range {
        true => Ok(given.to_owned()),
        false => Err(ValueRefusal::new(
            "an address or a range of addresses is expected, such as `10.0.1.0/24`",
        )),
    }
}

/// The name of an HTTP header.
pub(crate) fn header_name(given: &str) -> CheckResult<String> {
    let is_name = !given.is_empty()
        && given.len() <= 100
        && given.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    match is_name {
        true => Ok(given.to_ascii_lowercase()),
        false => Err(ValueRefusal::new("letters, digits and `-` are allowed")),
    }
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn sha256(given: &str) -> CheckResult<String> {
    match given.len() == 64 && given.chars().all(|c| c.is_ascii_hexdigit()) {
        true => Ok(given.to_ascii_lowercase()),
        // What was given may be the token itself.
        false => Err(ValueRefusal::hidden("64 hexadecimal digits are expected")
            .hint("`fargate-runner serve token` prints them")),
    }
}

/// The URL of a PostgreSQL database. What was given may hold a password, so no message repeats it.
pub(crate) fn postgres_url(given: &str) -> CheckResult<String> {
    let rest =
        ["postgres://", "postgresql://"].iter().find_map(|scheme| given.strip_prefix(scheme));
    let is_url = |rest: &&str| !rest.is_empty() && !rest.contains(char::is_whitespace);
    let Some(rest) = rest.filter(is_url) else {
        return Err(ValueRefusal::hidden("the URL of a PostgreSQL database is expected")
            .hint("`url = \"postgres://USER@HOST/DATABASE\"`"));
    };
    let (server, _) = rest.split_once(['/', '?']).unwrap_or((rest, ""));
    let user = server.rsplit_once('@').map_or("", |(user, _)| user);
    if user.contains(':') || rest.contains("password=") {
        return Err(ValueRefusal::hidden("a password is not allowed here")
            .hint("put it into `~/.pgpass` or the variable `PGPASSWORD`"));
    }
    Ok(given.to_owned())
}

fn is_web_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        let is_plain = rest.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'<');
        !host.is_empty() && !host.contains('@') && is_plain
    })
}

/// The address at which gitlab-runner tells its own numbers.
pub(crate) fn metrics_url(given: &str) -> CheckResult<String> {
    match is_web_address(given) {
        true => Ok(given.to_owned()),
        false => Err(ValueRefusal::new("a web address without a login is expected")
            .hint("`\"http://127.0.0.1:9252/metrics\"`")),
    }
}

/// Where a runbook has a page for each cause.
pub(crate) fn runbook_url(given: &str) -> CheckResult<String> {
    match is_web_address(given) && given.contains("{cause}") {
        true => Ok(given.to_owned()),
        false => Err(ValueRefusal::new("a web address with `{cause}` in it is expected")
            .hint("`\"https://wiki.example.org/runbook/{cause}\"`")),
    }
}

/// What `notify.about` can name: a class of causes, a cause, or a condition of the host.
pub(crate) fn notice_subject(given: &str) -> CheckResult<String> {
    let entries = FailureCause::ALL.iter().map(|cause| cause.entry());
    let of_causes = entries.flat_map(|entry| [entry.class, entry.slug]);
    let known: Vec<&str> = of_causes.chain(HOST_CONDITIONS).collect();
    if known.contains(&given) {
        return Ok(given.to_owned());
    }
    let rule = "the class or the name of a cause is expected, or a condition of the host";
    let refusal = ValueRefusal::new(rule);
    Err(match nearest(given, known.into_iter()) {
        Some(nearest) => refusal.hint(format!("`\"{nearest}\"`")),
        None => refusal.hint("docs/runbook has a page for each cause"),
    })
}
