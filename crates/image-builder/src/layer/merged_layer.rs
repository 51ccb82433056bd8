//! Puts the layers above the base image together into one: `squash = "own"`. Nothing of what a later layer
//! deleted is in it, so it is smaller; the secret gate reads the layers as they were before.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::layer_index::{LayerIndex, RewriteRules, write_member};
use super::layer_tree::{LayerTree, LowerFile, MergedMember};
use super::tar_writer;
use crate::content_digest::{CHUNK, digest_of};

/// Changes whenever the same layers would be merged into other bytes.
const MERGE_VERSION: u32 = 1;

/// The merged layer.
pub(super) struct MergedLayer {
    members: Vec<MergedMember>,
    files: Vec<PathBuf>,
    newest: i64,
}

impl MergedLayer {
    /// Merges `own`, the lowest first. `base` are the layers below, which are only read where a hard link leads
    /// into them. Both are spooled files.
    pub(super) fn read(base: &[PathBuf], own: &[PathBuf], rules: RewriteRules) -> io::Result<Self> {
        let files = [base, own].concat();
        let mut below: Option<LayerTree> = None;
        let mut lower = |path: &[u8]| -> io::Result<Option<LowerFile>> {
            if below.is_none() {
                let mut tree = LayerTree::default();
                for (number, file) in base.iter().enumerate() {
                    tree.apply(&LayerIndex::read(file, rules)?, number, &mut |_| Ok(None))?;
                }
                below = Some(tree);
            }
            Ok(below.as_ref().and_then(|tree| tree.file(path)))
        };
        let (mut tree, mut newest) = (LayerTree::default(), i64::MIN);
        for (number, file) in own.iter().enumerate() {
            let index = LayerIndex::read(file, rules)?;
            newest = newest.max(index.newest());
            tree.apply(&index, base.len() + number, &mut lower)?;
        }
        Ok(Self { members: tree.into_members(), files, newest })
    }

    /// The newest time in the layers that were merged, as they were: seconds since 1970.
    pub(super) fn newest(&self) -> i64 {
        self.newest
    }

    /// Bytes of all files.
    pub(super) fn content_bytes(&self) -> u64 {
        self.members.iter().map(|merged| merged.member.size).sum()
    }

    /// Writes the layer. `told` gets the number of bytes of each piece of content.
    pub(super) fn write(
        &self,
        to: &mut impl Write,
        mut told: impl FnMut(u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK];
        let mut files: Vec<Option<File>> = self.files.iter().map(|_| None).collect();
        for MergedMember { member, content } in &self.members {
            match content {
                Some((source, offset)) if member.size > 0 => {
                    let file = match &mut files[*source] {
                        Some(file) => file,
                        closed => closed.insert(File::open(&self.files[*source])?),
                    };
                    file.seek(SeekFrom::Start(*offset))?;
                    write_member(to, member, file, &mut buffer, &mut told)?;
                }
                _ => tar_writer::write_header(to, member)?,
            }
        }
        tar_writer::finish(to)
    }
}

/// Whether merging the layers above the `base` lowest ones changes anything.
pub(super) fn merges(base: Option<usize>, count: usize) -> Option<usize> {
    base.filter(|base| base + 1 < count)
}

/// What the layers of the result are made of: each its `diff_id`, and the merged one a text that names all of
/// its own.
pub(super) fn source_ids(diff_ids: &[String], base: Option<usize>) -> Vec<String> {
    let Some(base) = merges(base, diff_ids.len()) else { return diff_ids.to_vec() };
    let own = digest_of(diff_ids[base..].join(" ").as_bytes());
    [&diff_ids[..base], &[format!("merged-{MERGE_VERSION}-{own}")]].concat()
}
