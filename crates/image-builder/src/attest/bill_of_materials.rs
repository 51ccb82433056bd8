//! The list of what is in an image, in CycloneDX 1.5 JSON. The same image gives the same bytes: the serial
//! number comes from the image's digest, and there is no time in it.
//!
//! Source: "CycloneDX v1.5 JSON Reference"; "Package URL specification" for the names.

use std::fmt::Write;

use fargate_image_manifest::ImageDigest;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::layer_packages::{DistributionRelease, LayerPackages};
use super::package_metadata::{InstalledPackage, PackageKind};

/// The kind of the list.
pub const SBOM_TYPE: &str = "application/vnd.cyclonedx+json";

/// The image that a list or a provenance is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestedImage {
    /// Registry and repository, without tag and digest.
    pub repository: String,
    /// The digest of its manifest.
    pub digest: ImageDigest,
    /// The processor: `x86_64` or `arm64`.
    pub architecture: String,
}

/// Writes the list.
#[must_use]
pub fn bill_of_materials(image: &AttestedImage, found: &LayerPackages) -> Vec<u8> {
    let release = found.distribution();
    let components = found.packages().into_iter().map(|package| component(&package, release));
    let system = release.map(|release| {
        json!({
            "type": "operating-system",
            "bom-ref": format!("os:{}", release.id),
            "name": release.id,
            "version": release.version.as_deref().unwrap_or_default(),
        })
    });
    let purl = image_purl(image);
    let list = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": format!("urn:uuid:{}", uuid_of(&image.digest)),
        "version": 1,
        "metadata": {
            "tools": { "components": [{
                "type": "application",
                "name": "fargate-runner",
                "version": env!("CARGO_PKG_VERSION"),
            }] },
            "component": {
                "type": "container",
                "bom-ref": purl,
                "name": image.repository,
                "version": image.digest,
                "purl": purl,
            },
        },
        "components": system.into_iter().chain(components).collect::<Vec<_>>(),
    });
    let mut text = list.to_string();
    text.push('\n');
    text.into_bytes()
}

fn component(package: &InstalledPackage, release: Option<&DistributionRelease>) -> Value {
    let purl = package_purl(package, release);
    let mut component = json!({
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "purl": purl,
    });
    if let Some(license) = &package.license {
        component["licenses"] = json!([{ "license": { "name": license } }]);
    }
    component
}

fn package_purl(package: &InstalledPackage, release: Option<&DistributionRelease>) -> String {
    let of_system = matches!(package.kind, PackageKind::Debian | PackageKind::Alpine);
    // Python's names are one whatever the case and whether `-` or `_` stands in them.
    let name = match package.kind {
        PackageKind::Python => package.name.to_ascii_lowercase().replace('_', "-"),
        _ => package.name.clone(),
    };
    let space = match (package.kind, release) {
        (PackageKind::Debian, None) => "debian",
        (PackageKind::Alpine, None) => "alpine",
        (_, Some(release)) if of_system => &release.id,
        _ => "",
    };
    let mut purl = format!("pkg:{}/", package.kind.purl_type());
    let parts = [space].into_iter().filter(|space| !space.is_empty()).chain(name.split('/'));
    purl += &parts.map(percent_encoded).collect::<Vec<_>>().join("/");
    let _ = write!(purl, "@{}", percent_encoded(&package.version));
    let architecture = package.architecture.as_deref().map(|name| format!("arch={name}"));
    let distribution = release.filter(|_| of_system).map(|DistributionRelease { id, version }| {
        version.as_ref().map_or(format!("distro={id}"), |version| format!("distro={id}-{version}"))
    });
    let qualifiers: Vec<_> = architecture.into_iter().chain(distribution).collect();
    if !qualifiers.is_empty() {
        let _ = write!(purl, "?{}", qualifiers.join("&"));
    }
    purl
}

fn image_purl(image: &AttestedImage) -> String {
    let name = image.repository.rsplit('/').next().unwrap_or_default();
    format!(
        "pkg:oci/{}@{}?arch={}&repository_url={}",
        percent_encoded(name),
        percent_encoded(image.digest.as_str()),
        image.architecture,
        percent_encoded(&image.repository),
    )
}

/// As a package URL has it: everything but letters, digits, `.`, `-`, `_` and `~`.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b".-_~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A UUID of version 8, from the digest. Source: RFC 9562, section 5.8.
fn uuid_of(image: &ImageDigest) -> String {
    let hash = digest(&SHA256, format!("sbom of {image}").as_bytes());
    let mut bytes: [u8; 16] = hash.as_ref()[..16].try_into().expect("a hash has 32 bytes");
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::super::oci_artifact::sha256_of;
    use super::*;

    fn package(kind: PackageKind, name: &str, version: &str) -> InstalledPackage {
        let architecture = (kind == PackageKind::Debian).then(|| "amd64".to_owned());
        InstalledPackage {
            kind,
            name: name.into(),
            version: version.into(),
            architecture,
            license: None,
        }
    }

    #[test]
    fn packages_are_named_as_the_package_url_specification_does() {
        let release = DistributionRelease { id: "debian".into(), version: Some("12".into()) };
        let purl =
            |kind, name, version| package_purl(&package(kind, name, version), Some(&release));
        for (purl, expected) in [
            (
                purl(PackageKind::Debian, "libstdc++6", "1:2+b1"),
                "pkg:deb/debian/libstdc%2B%2B6@1%3A2%2Bb1?arch=amd64&distro=debian-12",
            ),
            (purl(PackageKind::Npm, "@types/node", "20.1.0"), "pkg:npm/%40types/node@20.1.0"),
            (purl(PackageKind::Python, "Ruamel_Yaml", "0.1"), "pkg:pypi/ruamel-yaml@0.1"),
        ] {
            assert_eq!(purl, expected);
        }
        let alone = package_purl(&package(PackageKind::Alpine, "musl", "1.2.5-r0"), None);
        assert_eq!(alone, "pkg:apk/alpine/musl@1.2.5-r0");
    }

    #[test]
    fn the_same_image_gives_the_same_list_and_another_one_another_serial_number() {
        let image = |bytes: &[u8]| AttestedImage {
            repository: "r.example/team/ci".into(),
            digest: sha256_of(bytes),
            architecture: "x86_64".into(),
        };
        let list = |image: &AttestedImage| bill_of_materials(image, &LayerPackages::default());
        assert_eq!(list(&image(b"1")), list(&image(b"1")));
        let read = |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).unwrap();
        let (one, two) = (read(list(&image(b"1"))), read(list(&image(b"2"))));
        assert_eq!(one["specVersion"], "1.5");
        assert_ne!(one["serialNumber"], two["serialNumber"]);
        let purl = one["metadata"]["component"]["purl"].as_str().unwrap();
        assert!(purl.starts_with("pkg:oci/ci@sha256%3A"), "{purl}");
        assert!(purl.ends_with("&repository_url=r.example%2Fteam%2Fci"), "{purl}");
    }
}
