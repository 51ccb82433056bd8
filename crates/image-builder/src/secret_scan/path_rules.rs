//! Files that hold secrets by their place or name. An empty file is none, and neither is a public key.

/// The rule for a file with this path, relative to the root of the image and without a leading slash.
pub(super) fn path_rule(path: &str) -> Option<&'static str> {
    let path = path.trim_start_matches("./").trim_start_matches('/');
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let parent = folder.rsplit_once('/').map_or(folder, |(_, parent)| parent);
    let small = name.to_ascii_lowercase();
    by_name(name, &small, parent).or_else(|| by_folder(path, folder, parent, name))
}

fn by_name(name: &str, small: &str, parent: &str) -> Option<&'static str> {
    let is_public = small.ends_with(".pub");
    let ending = small.rsplit_once('.').map_or("", |(_, ending)| ending);
    match small {
        ".netrc" | "_netrc" => return Some("netrc-file"),
        ".git-credentials" => return Some("git-credentials-file"),
        ".pypirc" => return Some("pypirc-file"),
        ".pgpass" | ".my.cnf" | ".mylogin.cnf" => return Some("database-login-file"),
        ".vault-token" => return Some("vault-token-file"),
        ".dockercfg" => return Some("docker-login-file"),
        ".htpasswd" => return Some("password-file"),
        _ => {}
    }
    if name.starts_with("ssh_host_") && name.ends_with("_key") {
        return Some("ssh-host-key-file");
    }
    if parent == ".ssh" && name.starts_with("id_") && !is_public {
        return Some("ssh-key-file");
    }
    if name.starts_with('.') && name.ends_with("_history") {
        return Some("history-file");
    }
    if small == ".env" || small.starts_with(".env.") {
        let is_sample = ["example", "sample", "template", "dist", "defaults", "schema"];
        return (!is_sample.contains(&ending)).then_some("env-file");
    }
    match ending {
        "p12" | "pfx" | "jks" | "keystore" | "bcfks" => Some("key-store-file"),
        "kdbx" | "kdb" => Some("password-store-file"),
        "ppk" => Some("ssh-key-file"),
        "tfstate" => Some("terraform-state-file"),
        "keytab" => Some("kerberos-key-file"),
        _ => None,
    }
}

fn by_folder(path: &str, folder: &str, parent: &str, name: &str) -> Option<&'static str> {
    let ends = |end: &str| folder == end || folder.ends_with(&format!("/{end}"));
    match (parent, name) {
        (".aws", "credentials") => return Some("aws-credentials-file"),
        (".kube", "config") => return Some("kubernetes-config-file"),
        (".cargo", "credentials" | "credentials.toml") => return Some("cargo-credentials-file"),
        (".gem", "credentials") => return Some("gem-credentials-file"),
        (".terraform.d", "credentials.tfrc.json") => return Some("terraform-login-file"),
        (".azure", "accessTokens.json" | "msal_token_cache.json") => {
            return Some("azure-login-file");
        }
        (".composer", "auth.json") => return Some("composer-login-file"),
        _ => {}
    }
    let is_gcloud = name == "application_default_credentials.json" || name == "credentials.db";
    match () {
        () if ends(".config/gcloud") && is_gcloud => Some("gcloud-login-file"),
        () if ends(".config/gh") && name == "hosts.yml" => Some("github-login-file"),
        () if ends(".config/glab-cli") && name == "config.yml" => Some("gitlab-login-file"),
        () if ends(".gnupg/private-keys-v1.d") => Some("gnupg-key-file"),
        () if ends("etc/kubernetes") && name == "admin.conf" => Some("kubernetes-config-file"),
        // Secrets that a builder or a platform mounted, and that a copy of the tree has kept.
        () if path.starts_with("run/secrets/") || path.starts_with("var/run/secrets/") => {
            Some("mounted-secret-file")
        }
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_with_secrets_are_known_by_their_place() {
        for (path, rule) in [
            ("root/.ssh/id_ed25519", "ssh-key-file"),
            ("./etc/ssh/ssh_host_rsa_key", "ssh-host-key-file"),
            ("/home/ci/.aws/credentials", "aws-credentials-file"),
            ("srv/app/.env", "env-file"),
            ("srv/app/.env.production", "env-file"),
            ("root/.bash_history", "history-file"),
            ("root/.config/gcloud/credentials.db", "gcloud-login-file"),
            ("opt/Server.P12", "key-store-file"),
            ("run/secrets/npm", "mounted-secret-file"),
        ] {
            assert_eq!(path_rule(path), Some(rule), "{path}");
        }
    }

    #[test]
    fn public_keys_samples_and_ordinary_files_are_left_alone() {
        for path in [
            "root/.ssh/id_ed25519.pub",
            "root/.ssh/known_hosts",
            "etc/ssh/ssh_host_rsa_key.pub",
            "app/.env.example",
            "usr/bin/env",
            "usr/share/bash_history",
            "credentials",
            "",
        ] {
            assert_eq!(path_rule(path), None, "{path}");
        }
    }
}
