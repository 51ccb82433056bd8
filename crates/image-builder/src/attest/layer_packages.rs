//! Finds the packages of an image in the layers of its OCI layout. It reads each layer once, from the lowest
//! to the uppermost, and takes the files that the finished image has: a file that a later layer replaced or
//! removed does not count.
//!
//! It unpacks nothing to disk and follows no link.
//!
//! Source: OCI image specification, "Image Layer Filesystem Changeset", for whiteouts.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::package_metadata::{InstalledPackage, kind_of_path, packages_in};

/// Largest file of metadata that is read, in bytes. That of a Debian with 2,000 packages has 2 MB.
const LARGEST_FILE: u64 = 32 * 1024 * 1024;
/// Most packages that one image may have. Ours.
const MOST_PACKAGES: usize = 200_000;
const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";
const OS_RELEASE: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];

/// What is known of the files of an image.
#[derive(Debug, Default)]
pub struct LayerPackages {
    found: BTreeMap<String, FoundMetadata>,
    count: usize,
    /// Files of metadata that were too large, and what came after too many packages.
    pub skipped: Vec<String>,
}

#[derive(Debug)]
enum FoundMetadata {
    Packages(Vec<InstalledPackage>),
    Distribution(DistributionRelease),
}

/// The distribution of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistributionRelease {
    /// `ID` of `os-release`, such as `debian`.
    pub id: String,
    /// `VERSION_ID`, such as `12`.
    pub version: Option<String>,
}

impl LayerPackages {
    /// Reads one layer more. `media_type` says how it is compressed.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is no such layer.
    pub fn read_layer(&mut self, media_type: &str, path: &Path) -> io::Result<()> {
        let file = BufReader::new(File::open(path)?);
        match media_type {
            _ if media_type.ends_with("+zstd") => self.read_tar(zstd::Decoder::with_buffer(file)?),
            _ if media_type.ends_with("gzip") => {
                self.read_tar(flate2::bufread::MultiGzDecoder::new(file))
            }
            _ if media_type.ends_with("tar") => self.read_tar(file),
            _ => Err(io::Error::other("it is no layer of a known kind")),
        }
    }

    fn read_tar(&mut self, layer: impl Read) -> io::Result<()> {
        // A whiteout counts for the layers below, wherever it stands in its own layer.
        let mut of_layer: Vec<(String, FoundMetadata)> = Vec::new();
        let mut archive = tar::Archive::new(layer);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let Some(path) = plain_path(&entry.path_bytes()) else { continue };
            let name = path.rsplit('/').next().unwrap_or_default();
            let folder = &path[..path.len() - name.len()];
            if name == OPAQUE {
                self.remove_below(folder);
            } else if let Some(removed) = name.strip_prefix(WHITEOUT) {
                self.remove(&format!("{folder}{removed}"));
            } else if !entry.header().entry_type().is_dir() {
                // Whatever replaces the file: its former content is gone.
                self.remove(&path);
                let size = entry.size();
                of_layer.extend(self.metadata(&path, size, &mut entry)?.map(|found| (path, found)));
            }
        }
        self.found.extend(of_layer);
        Ok(())
    }

    fn metadata(
        &mut self,
        path: &str,
        size: u64,
        content: &mut impl Read,
    ) -> io::Result<Option<FoundMetadata>> {
        let is_release = OS_RELEASE.contains(&path);
        let kind = kind_of_path(path);
        if kind.is_none() && !is_release {
            return Ok(None);
        }
        if size > LARGEST_FILE || self.count > MOST_PACKAGES {
            self.skipped.push(path.to_owned());
            return Ok(None);
        }
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        Ok(kind.map_or_else(
            || distribution(&bytes).map(FoundMetadata::Distribution),
            |kind| {
                let packages = packages_in(kind, &bytes);
                self.count += packages.len();
                Some(FoundMetadata::Packages(packages))
            },
        ))
    }

    fn remove(&mut self, path: &str) {
        self.found.remove(path);
        self.remove_below(&format!("{path}/"));
    }

    fn remove_below(&mut self, folder: &str) {
        let below = self.found.range(folder.to_owned()..).map(|(path, _)| path);
        let below: Vec<_> = below.take_while(|path| path.starts_with(folder)).cloned().collect();
        for path in below {
            self.found.remove(&path);
        }
    }

    /// The packages, sorted, each once.
    #[must_use]
    pub fn packages(&self) -> Vec<InstalledPackage> {
        let packages = self.found.values().filter_map(|found| match found {
            FoundMetadata::Packages(packages) => Some(packages),
            FoundMetadata::Distribution(_) => None,
        });
        let mut packages: Vec<_> = packages.flatten().cloned().collect();
        packages.sort();
        packages.dedup();
        packages
    }

    /// The distribution, if the image tells it.
    #[must_use]
    pub fn distribution(&self) -> Option<&DistributionRelease> {
        OS_RELEASE.iter().find_map(|path| match self.found.get(*path)? {
            FoundMetadata::Distribution(release) => Some(release),
            FoundMetadata::Packages(_) => None,
        })
    }
}

/// The path without `./` and `/` in front; `None` if it is not UTF-8.
fn plain_path(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.trim_start_matches("./").trim_start_matches('/').trim_end_matches('/');
    (!text.is_empty()).then(|| text.to_owned())
}

fn distribution(bytes: &[u8]) -> Option<DistributionRelease> {
    let text = String::from_utf8_lossy(bytes);
    let value = |key: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        let value = value.trim().trim_matches(['"', '\'']);
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
        let fits = !value.is_empty() && value.len() < 60 && value.bytes().all(is_word);
        fits.then(|| value.to_owned())
    };
    Some(DistributionRelease { id: value("ID")?, version: value("VERSION_ID") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len().try_into().unwrap());
            header.set_mode(0o644);
            builder.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn names(found: &LayerPackages) -> Vec<String> {
        found.packages().into_iter().map(|p| format!("{} {}", p.name, p.version)).collect()
    }

    #[test]
    fn what_a_later_layer_replaces_or_removes_does_not_count() {
        let mut found = LayerPackages::default();
        let status = |version| format!("Package: bash\nVersion: {version}\n");
        let base = layer(&[
            ("./etc/os-release", "PRETTY_NAME=\"x\"\nID=debian\nVERSION_ID=\"12\"\n"),
            ("./var/lib/dpkg/status", &status(1)),
            ("a/node_modules/x/package.json", r#"{"name":"x","version":"1"}"#),
            ("b/node_modules/y/package.json", r#"{"name":"y","version":"1"}"#),
            ("c/node_modules/z/package.json", r#"{"name":"z","version":"1"}"#),
        ]);
        found.read_tar(&base[..]).unwrap();
        assert_eq!(names(&found), ["bash 1", "x 1", "y 1", "z 1"]);
        let above = layer(&[
            ("var/lib/dpkg/status", &status(2)),
            ("a/node_modules/.wh.x", ""),
            ("b/node_modules/w/package.json", r#"{"name":"w","version":"2"}"#),
            ("b/.wh..wh..opq", ""),
        ]);
        found.read_tar(&above[..]).unwrap();
        assert_eq!(names(&found), ["bash 2", "w 2", "z 1"]);
        let release = DistributionRelease { id: "debian".into(), version: Some("12".into()) };
        assert_eq!(found.distribution(), Some(&release));
    }

    #[test]
    fn each_compression_is_read_and_a_cut_layer_is_an_error() {
        use std::io::Write;

        let plain = layer(&[("lib/apk/db/installed", "P:musl\nV:1.2\n")]);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blob");
        for (kind, bytes) in [
            ("application/vnd.oci.image.layer.v1.tar", plain.clone()),
            ("application/vnd.oci.image.layer.v1.tar+gzip", gzip.finish().unwrap()),
            (
                "application/vnd.oci.image.layer.v1.tar+zstd",
                zstd::encode_all(&plain[..], 3).unwrap(),
            ),
        ] {
            std::fs::write(&path, &bytes).unwrap();
            let mut found = LayerPackages::default();
            found.read_layer(kind, &path).unwrap();
            assert_eq!(names(&found), ["musl 1.2"], "{kind}");
            std::fs::write(&path, &bytes[..bytes.len() / 4]).unwrap();
            assert!(LayerPackages::default().read_layer(kind, &path).is_err(), "{kind}");
        }
        assert!(LayerPackages::default().read_layer("text/html", &path).is_err());
    }
}
