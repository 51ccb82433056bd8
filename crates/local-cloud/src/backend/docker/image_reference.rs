//! The name of an image as task definitions write it, taken apart as the engine wants it.

/// Where images are whose name begins with no host.
const HUB: &str = "docker.io";

/// A name without its tag or digest, and that tag or digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageName {
    pub name: String,
    /// A tag, or a digest such as `sha256:...`.
    pub version: String,
}

impl ImageName {
    /// Takes a name apart. What is wrong with it, the engine says.
    pub fn parse(image: &str) -> Self {
        if let Some((name, digest)) = image.split_once('@') {
            // A tag beside a digest decides nothing.
            let (name, _) = split_tag(name);
            return Self { name: name.to_owned(), version: digest.to_owned() };
        }
        let (name, tag) = split_tag(image);
        Self { name: name.to_owned(), version: tag.unwrap_or("latest").to_owned() }
    }

    /// Whether it names exactly one image.
    pub fn is_digest(&self) -> bool {
        self.version.contains(':')
    }

    /// As the engine finds it among its own.
    pub fn local(&self) -> String {
        let mark = if self.is_digest() { '@' } else { ':' };
        format!("{}{mark}{}", self.name, self.version)
    }

    /// With the host and the user that are left out for images of Docker Hub.
    pub fn full(&self) -> String {
        let first = self.name.split('/').next().unwrap_or_default();
        let has_host =
            self.name.contains('/') && (first.contains(['.', ':']) || first == "localhost");
        let mark = if self.is_digest() { '@' } else { ':' };
        let version = &self.version;
        match (has_host, self.name.contains('/')) {
            (true, _) => format!("{}{mark}{version}", self.name),
            (false, true) => format!("{HUB}/{}{mark}{version}", self.name),
            (false, false) => format!("{HUB}/library/{}{mark}{version}", self.name),
        }
    }

    /// The name as the engine writes it beside digests.
    pub fn short(&self) -> &str {
        let name = self.name.strip_prefix("docker.io/").unwrap_or(&self.name);
        name.strip_prefix("library/").unwrap_or(name)
    }
}

/// A colon behind the last slash begins a tag; one before it, a port.
fn split_tag(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_as_docker_does() {
        for (image, local, full, short) in [
            ("debian", "debian:latest", "docker.io/library/debian:latest", "debian"),
            ("acme/ci:1", "acme/ci:1", "docker.io/acme/ci:1", "acme/ci"),
            ("localhost/ci", "localhost/ci:latest", "localhost/ci:latest", "localhost/ci"),
            (
                "127.0.0.1:5000/ci:1",
                "127.0.0.1:5000/ci:1",
                "127.0.0.1:5000/ci:1",
                "127.0.0.1:5000/ci",
            ),
            (
                "r.example/ci:1@sha256:ab",
                "r.example/ci@sha256:ab",
                "r.example/ci@sha256:ab",
                "r.example/ci",
            ),
            (
                "docker.io/library/debian:12",
                "docker.io/library/debian:12",
                "docker.io/library/debian:12",
                "debian",
            ),
        ] {
            let name = ImageName::parse(image);
            assert_eq!((name.local().as_str(), name.full().as_str()), (local, full));
            assert_eq!(name.short(), short);
        }
    }
}
