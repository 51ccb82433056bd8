//! What a package manager wrote about what it installed: Debian's dpkg, Alpine's apk, npm and Python's
//! installers. It reads text, whatever stands in it, and opens no file.
//!
//! Source: dpkg-query(1), "Package: status file format"; Alpine's wiki, "Apk spec"; package.json of npm;
//! "Core metadata specifications" of Python packaging.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Longest name, version or licence that is taken, in bytes. Ours.
const LONGEST: usize = 300;

/// A kind of package, as a package URL names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PackageKind {
    /// Debian's, and those of its descendants.
    Debian,
    /// Alpine's.
    Alpine,
    /// npm's.
    Npm,
    /// Python's.
    Python,
}

impl PackageKind {
    /// The type in a package URL. Source: "Package URL Type Definitions".
    #[must_use]
    pub fn purl_type(self) -> &'static str {
        match self {
            Self::Debian => "deb",
            Self::Alpine => "apk",
            Self::Npm => "npm",
            Self::Python => "pypi",
        }
    }
}

/// One installed package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstalledPackage {
    /// Who installed it.
    pub kind: PackageKind,
    /// Its name; npm's with its scope.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The processor, as the package manager names it.
    pub architecture: Option<String>,
    /// Its licence, as the package says.
    pub license: Option<String>,
}

/// Which kind of metadata a path inside an image holds, if any. The path has no `/` in front.
#[must_use]
pub fn kind_of_path(path: &str) -> Option<PackageKind> {
    let (folder, file) = path.rsplit_once('/')?;
    let parent = || folder.rsplit('/').next().unwrap_or_default();
    match file {
        "status" if folder == "var/lib/dpkg" => Some(PackageKind::Debian),
        // Images without dpkg, such as distroless ones, have one file for each package.
        _ if folder == "var/lib/dpkg/status.d" && !file.ends_with(".md5sums") => {
            Some(PackageKind::Debian)
        }
        "installed" if matches!(folder, "lib/apk/db" | "usr/lib/apk/db") => {
            Some(PackageKind::Alpine)
        }
        "package.json" if is_node_module(folder) => Some(PackageKind::Npm),
        "METADATA" if parent().ends_with(".dist-info") => Some(PackageKind::Python),
        "PKG-INFO" if parent().ends_with(".egg-info") => Some(PackageKind::Python),
        _ => None,
    }
}

/// Whether a folder is a package in `node_modules`, and not a part of one.
fn is_node_module(folder: &str) -> bool {
    let mut parts = folder.rsplit('/');
    let (_, mut parent) = (parts.next(), parts.next());
    if parent.is_some_and(|scope| scope.starts_with('@')) {
        parent = parts.next();
    }
    parent == Some("node_modules")
}

/// The packages that a file of metadata tells of. What cannot be read is left out.
#[must_use]
pub fn packages_in(kind: PackageKind, bytes: &[u8]) -> Vec<InstalledPackage> {
    let text = String::from_utf8_lossy(bytes);
    match kind {
        PackageKind::Debian => paragraphs(&text).filter_map(|fields| debian(&fields)).collect(),
        PackageKind::Alpine => paragraphs(&text).filter_map(|fields| alpine(&fields)).collect(),
        PackageKind::Npm => npm(bytes).into_iter().collect(),
        // The fields end at the first empty line; a description follows.
        PackageKind::Python => {
            paragraphs(&text).next().and_then(|f| python(&f)).into_iter().collect()
        }
    }
}

type FieldMap<'a> = BTreeMap<&'a str, &'a str>;

/// Paragraphs of `Name: value` lines. Lines that go on with a blank are left out.
fn paragraphs(text: &str) -> impl Iterator<Item = FieldMap<'_>> {
    let mut lines = text.lines();
    std::iter::from_fn(move || {
        let mut fields = FieldMap::new();
        for line in lines.by_ref() {
            if line.trim().is_empty() {
                if fields.is_empty() { continue } else { return Some(fields) }
            }
            if let Some((name, value)) = line.split_once(':')
                && !line.starts_with([' ', '\t'])
            {
                fields.entry(name).or_insert(value.trim());
            }
        }
        (!fields.is_empty()).then_some(fields)
    })
}

fn package(
    kind: PackageKind,
    name: Option<&&str>,
    version: Option<&&str>,
) -> Option<InstalledPackage> {
    let (name, version) = (usable(name?)?, usable(version?)?);
    Some(InstalledPackage { kind, name, version, architecture: None, license: None })
}

fn usable(text: &str) -> Option<String> {
    let is_clean = !text.is_empty() && !text.contains(char::is_control) && text.len() <= LONGEST;
    is_clean.then(|| text.to_owned())
}

fn debian(fields: &FieldMap<'_>) -> Option<InstalledPackage> {
    // The list of installed packages says so; a file of `status.d` has no such field.
    let is_installed = |status: &&&str| status.split(' ').nth(2) == Some("installed");
    if fields.contains_key("Status") && fields.get("Status").filter(is_installed).is_none() {
        return None;
    }
    let found = package(PackageKind::Debian, fields.get("Package"), fields.get("Version"))?;
    let architecture = fields.get("Architecture").and_then(|text| usable(text));
    Some(InstalledPackage { architecture, ..found })
}

fn alpine(fields: &FieldMap<'_>) -> Option<InstalledPackage> {
    let found = package(PackageKind::Alpine, fields.get("P"), fields.get("V"))?;
    let architecture = fields.get("A").and_then(|text| usable(text));
    let license = fields.get("L").and_then(|text| usable(text));
    Some(InstalledPackage { architecture, license, ..found })
}

#[derive(Deserialize)]
struct NodePackage {
    name: String,
    version: String,
    #[serde(default)]
    license: serde_json::Value,
}

fn npm(bytes: &[u8]) -> Option<InstalledPackage> {
    let read: NodePackage = serde_json::from_slice(bytes).ok()?;
    let (name, version) = (read.name.as_str(), read.version.as_str());
    let found = package(PackageKind::Npm, Some(&name), Some(&version))?;
    Some(InstalledPackage { license: read.license.as_str().and_then(usable), ..found })
}

fn python(fields: &FieldMap<'_>) -> Option<InstalledPackage> {
    let found = package(PackageKind::Python, fields.get("Name"), fields.get("Version"))?;
    let license = fields.get("License-Expression").or_else(|| fields.get("License"));
    Some(InstalledPackage { license: license.and_then(|text| usable(text)), ..found })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: PackageKind, text: &str) -> Vec<String> {
        let show = |p: InstalledPackage| {
            let extra = [p.architecture, p.license].map(Option::unwrap_or_default).join("|");
            format!("{} {} {extra}", p.name, p.version)
        };
        packages_in(kind, text.as_bytes()).into_iter().map(show).collect()
    }

    #[test]
    fn dpkg_tells_of_installed_packages_and_not_of_removed_ones() {
        let status = "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2\n\
            Description: a shell\n Package: not-a-package\n .\n more\n\nPackage: gone\n\
            Status: deinstall ok config-files\nVersion: 1\n\n\n\nPackage: zlib1g\nStatus: install ok \
            installed\nArchitecture: amd64\nVersion: 1:1.2.13\n";
        assert_eq!(
            shown(PackageKind::Debian, status),
            ["bash 5.2 amd64|", "zlib1g 1:1.2.13 amd64|"]
        );
        let distroless = "Package: tzdata\nVersion: 2024a\n";
        assert_eq!(shown(PackageKind::Debian, distroless), ["tzdata 2024a |"]);
    }

    #[test]
    fn apk_npm_and_python_tell_their_names_versions_and_licences() {
        let installed =
            "C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\nF:lib\nR:ld.so\n\nP:busybox\nV:1.36\n";
        assert_eq!(
            shown(PackageKind::Alpine, installed),
            ["musl 1.2.5-r0 x86_64|MIT", "busybox 1.36 |"]
        );
        let json = r#"{"name":"@types/node","version":"20.1.0","license":"MIT"}"#;
        assert_eq!(shown(PackageKind::Npm, json), ["@types/node 20.1.0 |MIT"]);
        let metadata = "Metadata-Version: 2.1\nName: requests\nVersion: 2.32.0\nLicense: Apache-2.0\n\nName: no\n";
        assert_eq!(shown(PackageKind::Python, metadata), ["requests 2.32.0 |Apache-2.0"]);
    }

    #[test]
    fn odd_metadata_gives_nothing_and_never_a_panic() {
        let deep = "[".repeat(100_000);
        let long = format!("Package: {}\nVersion: 1\n", "a".repeat(LONGEST + 1));
        for odd in ["", "\n\n\n", ":", "Package:\nVersion: 1", "{}", "[]", &deep, &long, "\u{0}"] {
            for kind in
                [PackageKind::Debian, PackageKind::Alpine, PackageKind::Npm, PackageKind::Python]
            {
                assert!(packages_in(kind, odd.as_bytes()).is_empty(), "{odd:.40}");
            }
        }
    }

    #[test]
    fn only_paths_of_package_managers_hold_metadata() {
        for (path, kind) in [
            ("var/lib/dpkg/status", Some(PackageKind::Debian)),
            ("var/lib/dpkg/status.d/base", Some(PackageKind::Debian)),
            ("var/lib/dpkg/status.d/base.md5sums", None),
            ("lib/apk/db/installed", Some(PackageKind::Alpine)),
            ("usr/lib/node_modules/npm/package.json", Some(PackageKind::Npm)),
            ("app/node_modules/@types/node/package.json", Some(PackageKind::Npm)),
            ("app/node_modules/a/node_modules/b/package.json", Some(PackageKind::Npm)),
            ("app/node_modules/a/test/package.json", None),
            ("app/package.json", None),
            (
                "usr/lib/python3/dist-packages/six-1.16.0.egg-info/PKG-INFO",
                Some(PackageKind::Python),
            ),
            (
                "opt/venv/lib/python3.11/site-packages/a-1.dist-info/METADATA",
                Some(PackageKind::Python),
            ),
            ("status", None),
        ] {
            assert_eq!(kind_of_path(path), kind, "{path}");
        }
    }
}
