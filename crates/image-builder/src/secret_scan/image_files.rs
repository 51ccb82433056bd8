//! The files of an image: a folder in the OCI image layout, or a tar as `docker save` and other tools write it.
//! Layers of a tar are read from where they stand in it; nothing is unpacked to the disk.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::file_search::readable;
use super::image_metadata::{
    BlobReference, ImageContent, LARGEST_METADATA, OciDocument, SavedImage,
};
use crate::layer::tar_reader::TarReader;

/// Most files of a tar, and most manifests of a layout.
const MOST_FILES: usize = 100_000;
/// Most links that are followed from one name.
const MOST_LINKS: usize = 8;

/// Where the files are.
#[derive(Debug)]
pub(super) enum ImageFiles {
    /// In a folder.
    Folder(PathBuf),
    /// In a tar: for each name where its content begins, and its size.
    Archive { file: PathBuf, places: BTreeMap<String, (u64, u64)>, links: BTreeMap<String, String> },
}

impl ImageFiles {
    /// Looks through a tar. Contents are passed over.
    pub fn of_archive(path: &Path) -> io::Result<Self> {
        let mut members = TarReader::of_any_tar(BufReader::new(File::open(path)?));
        let (mut places, mut links) = (BTreeMap::new(), BTreeMap::new());
        let pass_over = |file: &mut BufReader<File>, count: u64| {
            file.seek_relative(i64::try_from(count).map_err(io::Error::other)?)
        };
        while let Some(member) = members.next_by(pass_over)? {
            let name = readable(&member.path);
            if member.is_file() {
                places.insert(name, (members.position(), member.size));
            } else if member.is_link() {
                links.insert(name.clone(), link_target(&name, &readable(&member.link)));
            }
            if places.len() + links.len() > MOST_FILES {
                return Err(io::Error::other(format!("it has more than {MOST_FILES} files")));
            }
        }
        Ok(Self::Archive { file: path.to_owned(), places, links })
    }

    /// Opens a file, and tells its size; none if it is not there.
    pub fn open(&self, name: &str) -> io::Result<Option<(Box<dyn Read + Send>, u64)>> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                // A pipe would never open.
                if !path.symlink_metadata().is_ok_and(|found| found.is_file()) {
                    return Ok(None);
                }
                let file = File::open(path)?;
                let size = file.metadata()?.len();
                Ok(Some((Box::new(file), size)))
            }
            Self::Archive { file, places, links } => {
                let mut name = name;
                for _ in 0..MOST_LINKS {
                    let Some(target) = links.get(name) else { break };
                    name = target;
                }
                let Some((start, size)) = places.get(name) else { return Ok(None) };
                let mut file = File::open(file)?;
                file.seek(SeekFrom::Start(*start))?;
                Ok(Some((Box::new(file.take(*size)), *size)))
            }
        }
    }

    /// The content of a file with metadata; none if it is not there.
    pub fn metadata<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        let Some((file, size)) = self.open(name)? else { return Ok(None) };
        if size > LARGEST_METADATA {
            let what = format!("{name} has {size} bytes; {LARGEST_METADATA} are allowed");
            return Err(io::Error::other(what));
        }
        let mut text = Vec::new();
        file.take(LARGEST_METADATA).read_to_end(&mut text)?;
        let read = serde_json::from_slice(&text);
        read.map(Some)
            .map_err(|error| io::Error::other(format!("{name} is not as expected: {error}")))
    }

    /// The images that are here; none if this is neither a layout nor an archive of images.
    pub fn images(&self) -> io::Result<Option<Vec<ImageContent>>> {
        if let Some(saved) = self.metadata::<Vec<SavedImage>>("manifest.json")? {
            return Ok(Some(saved.into_iter().map(ImageContent::from).collect()));
        }
        let Some(index) = self.metadata::<OciDocument>("index.json")? else { return Ok(None) };
        self.images_of(index).map(Some)
    }

    /// Follows an index to its manifests.
    fn images_of(&self, index: OciDocument) -> io::Result<Vec<ImageContent>> {
        let (mut images, mut seen) = (Vec::new(), BTreeSet::new());
        let mut waiting = VecDeque::from([index]);
        while let Some(document) = waiting.pop_front() {
            let layers: Vec<_> = document.layers.iter().filter_map(BlobReference::file).collect();
            if let Some(config) = document.config.as_ref().and_then(BlobReference::file) {
                images.push(ImageContent { config, layers });
            }
            for name in document.manifests.iter().filter_map(BlobReference::file) {
                if seen.len() < MOST_FILES && seen.insert(name.clone()) {
                    waiting.extend(self.metadata::<OciDocument>(&name)?);
                }
            }
        }
        Ok(images)
    }
}

/// Where a link leads, as a name in the same tar.
pub(super) fn link_target(name: &str, link: &str) -> String {
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            ".." => {
                parts.pop();
            }
            "." | "" => {}
            part => parts.push(part),
        }
    }
    // A hard link names its target from the root of the tar.
    parts.join("/")
}
