//! What a person should know of `[serve]` that is allowed, and may not be meant: a proxy on this machine.
//!
//! Who comes through a proxy on this machine comes from this machine. The service tells such a request by the headers
//! that proxies add, but a plain proxy adds none.

use crate::config::RunnerConfig;
use crate::keyword::LocalAccess;
use crate::problem::ConfigProblem;

impl RunnerConfig {
    /// Whether people probably come through a proxy on this machine that signs nobody in, and are taken for
    /// somebody on this machine.
    #[must_use]
    pub fn serve_doubts(&self) -> Vec<ConfigProblem> {
        let serve = &self.serve;
        let is_named = !serve.allowed_hosts.is_empty() || !serve.allowed_origins.is_empty();
        let is_local = serve
            .listen
            .parse::<std::net::SocketAddr>()
            .is_ok_and(|address| address.ip().to_canonical().is_loopback());
        let signs_in = !serve.proxy_addresses.is_empty();
        if !is_named || !is_local || signs_in || serve.local_access == LocalAccess::Nobody {
            return Vec::new();
        }
        let line = self.document.top.value("serve").and_then(|table| table.place.line);
        let key = "serve.local_access".to_owned();
        let message = format!(
            "key `{key}` is \"{}\", and names of other machines are allowed: who comes through a proxy on this machine \
             that adds no `X-Forwarded-For` needs no token",
            serve.local_access
        );
        let hint = "`local_access = \"nobody\"` and `tokens`; or let the proxy sign people in, and name it in \
                    `proxy_addresses`";
        let (path, hint) = (self.document.path.clone(), Some(hint.to_owned()));
        vec![ConfigProblem { path, line, key: Some(key), message, hint }]
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::{UnknownKeyPolicy, parse};

    fn doubts(serve: &str) -> usize {
        let text = format!(
            "config_version = 1\n[serve]\n{serve}\n[defaults]\ncluster = \"ci\"\n\
             subnets = [\"subnet-0a1b2c3d\"]\nsecurity_groups = [\"sg-0a1b2c3d\"]\ntask_definition = \"ci\"\n"
        );
        let parsed = parse(&text, Path::new("config.toml"), UnknownKeyPolicy::Refuse);
        parsed.map_err(|error| error.to_string()).unwrap().config.serve_doubts().len()
    }

    #[test]
    fn a_proxy_on_this_machine_that_signs_nobody_in_is_doubted() {
        let named = "allowed_hosts = [\"ci.example.org\"]";
        assert_eq!(doubts(""), 0);
        assert_eq!(doubts(named), 1);
        assert_eq!(doubts(&format!("{named}\nlocal_access = \"nobody\"")), 0);
        assert_eq!(doubts(&format!("{named}\nproxy_addresses = [\"127.0.0.1\"]")), 0);
    }
}
