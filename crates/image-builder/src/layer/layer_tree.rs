//! The files of several layers as one tree: each layer is applied over the ones before it, as an engine would
//! do it, and what the tree holds then is one layer that does the same to the layers below.
//!
//! It knows headers and places of contents, not contents. Layers come in the order of
//! [`LayerIndex`]: within a folder whiteouts first, hard links last.
//!
//! Source: OCI image format specification 1.1, "Image Layer Filesystem Changeset".

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::layer_index::{IndexedMember, LayerIndex, order, plain};
use super::tar_reader::TarMember;

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Marks of aufs itself, which engines skip.
const AUFS: &[u8] = b".wh..wh.";

/// The content of a file: which spooled layer has it, and where. Several paths may have it.
#[derive(Clone, Debug)]
struct FileContent {
    member: TarMember,
    source: usize,
    offset: u64,
}

#[derive(Clone, Debug)]
enum TreeNode {
    Folder(TarMember),
    /// A number in the list of contents.
    File(usize),
    /// A symbolic link, device or FIFO.
    Other(TarMember),
    /// Hides what lower layers have here.
    Whiteout(TarMember),
}

/// Finds a file of the layers below by its path.
pub(super) type LowerFiles<'a> = dyn FnMut(&[u8]) -> io::Result<Option<LowerFile>> + 'a;

/// What a layer below has at a path.
#[derive(Clone, Debug)]
pub(super) enum LowerFile {
    /// A file.
    Content { member: TarMember, source: usize, offset: u64 },
    /// A symbolic link, device or FIFO.
    Other(TarMember),
}

/// The tree.
#[derive(Debug, Default)]
pub(super) struct LayerTree {
    nodes: BTreeMap<Vec<u8>, TreeNode>,
    contents: Vec<FileContent>,
    /// Folders that hide what lower layers have in them.
    opaque: BTreeSet<Vec<u8>>,
}

/// One member of the merged layer.
#[derive(Debug)]
pub(super) struct MergedMember {
    pub member: TarMember,
    /// Which spooled layer has the content, and where.
    pub content: Option<(usize, u64)>,
}

impl LayerTree {
    /// Applies a layer. `source` names its file. `lower` is asked for targets of hard links that no layer of
    /// the tree has.
    pub(super) fn apply(
        &mut self,
        layer: &LayerIndex,
        source: usize,
        lower: &mut LowerFiles<'_>,
    ) -> io::Result<()> {
        layer.members().iter().try_for_each(|indexed| self.apply_member(indexed, source, lower))
    }

    /// What a path has, for a tree that lies above this one.
    pub(super) fn file(&self, path: &[u8]) -> Option<LowerFile> {
        match self.nodes.get(path)? {
            TreeNode::File(number) => {
                let FileContent { member, source, offset } = self.contents[*number].clone();
                Some(LowerFile::Content { member, source, offset })
            }
            TreeNode::Other(member) => Some(LowerFile::Other(member.clone())),
            TreeNode::Folder(_) | TreeNode::Whiteout(_) => None,
        }
    }

    fn apply_member(
        &mut self,
        indexed: &IndexedMember,
        source: usize,
        lower: &mut LowerFiles<'_>,
    ) -> io::Result<()> {
        let member = &indexed.member;
        let path = plain(&member.path);
        let (folder, name) = split(path);
        let hides = name.starts_with(WHITEOUT);
        if name.starts_with(AUFS) && name != OPAQUE || hides && self.is_whited_out(folder) {
            return Ok(());
        }
        if name == OPAQUE {
            self.require_folders(folder);
            self.remove_below(folder);
            self.opaque.insert(folder.to_vec());
            return Ok(());
        }
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            let path = join(folder, hidden);
            self.require_folders(folder);
            self.replace(&path, TreeNode::Whiteout(member.clone()));
            return Ok(());
        }
        self.require_folders(folder);
        match member.kind {
            b'5' => self.folder(path, member.clone()),
            b'1' => {
                let node = self.link_target(member, lower)?;
                self.replace(path, node);
            }
            b'0' => {
                let content =
                    FileContent { member: member.clone(), source, offset: indexed.content };
                self.contents.push(content);
                self.replace(path, TreeNode::File(self.contents.len() - 1));
            }
            _ => self.replace(path, TreeNode::Other(member.clone())),
        }
        Ok(())
    }

    /// What a hard link leads to now. A later layer that replaces its target leaves it as it is.
    fn link_target(
        &mut self,
        link: &TarMember,
        lower: &mut LowerFiles<'_>,
    ) -> io::Result<TreeNode> {
        let target = plain(&link.link);
        let renamed =
            |member: TarMember| TreeNode::Other(TarMember { path: link.path.clone(), ..member });
        match self.nodes.get(target) {
            Some(TreeNode::File(number)) => return Ok(TreeNode::File(*number)),
            Some(TreeNode::Other(member)) => return Ok(renamed(member.clone())),
            Some(TreeNode::Folder(_) | TreeNode::Whiteout(_)) => {}
            None => match lower(target)? {
                Some(LowerFile::Content { member, source, offset }) => {
                    self.contents.push(FileContent { member, source, offset });
                    return Ok(TreeNode::File(self.contents.len() - 1));
                }
                Some(LowerFile::Other(member)) => return Ok(renamed(member)),
                None => {}
            },
        }
        let shown =
            |bytes: &[u8]| fargate_model::text::escape_within(&String::from_utf8_lossy(bytes), 120);
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "the hard link {} leads to {}, which no layer has",
                shown(&link.path),
                shown(target)
            ),
        ))
    }

    fn folder(&mut self, path: &[u8], member: TarMember) {
        match self.nodes.get_mut(path) {
            Some(TreeNode::Folder(former)) => *former = member,
            None => drop(self.nodes.insert(path.to_vec(), TreeNode::Folder(member))),
            // What was no folder hid what lower layers have there, and still does.
            Some(_) => {
                self.nodes.insert(path.to_vec(), TreeNode::Folder(member));
                self.opaque.insert(path.to_vec());
            }
        }
    }

    /// Whether a folder, or one above it, was deleted and did not come again.
    fn is_whited_out(&self, folder: &[u8]) -> bool {
        let ends = folder.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at);
        let is_gone = |path: &[u8]| matches!(self.nodes.get(path), Some(TreeNode::Whiteout(_)));
        { ends }.any(|end| is_gone(&folder[..end])) || is_gone(folder)
    }

    /// Makes a folder of `path` and of each ancestor, where it is something else.
    fn require_folders(&mut self, path: &[u8]) {
        let ends = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at);
        let own = (!path.is_empty()).then_some(path.len());
        for end in ends.chain(own) {
            let ancestor = &path[..end];
            match self.nodes.get(ancestor) {
                None | Some(TreeNode::Folder(_)) => {}
                Some(_) => {
                    let mut name = ancestor.to_vec();
                    name.push(b'/');
                    let made =
                        TarMember { path: name, kind: b'5', mode: 0o755, ..TarMember::default() };
                    self.folder(ancestor, made);
                }
            }
        }
    }

    fn replace(&mut self, path: &[u8], node: TreeNode) {
        self.remove_below(path);
        self.opaque.remove(path);
        self.nodes.insert(path.to_vec(), node);
    }

    /// Removes everything that is in a folder.
    fn remove_below(&mut self, folder: &[u8]) {
        if folder.is_empty() {
            self.nodes.retain(|path, _| path.is_empty());
            self.opaque.clear();
            return;
        }
        // `/` and the byte behind it: what is in between begins with the folder's path.
        let bounds = [folder, b"/"].concat()..[folder, b"0"].concat();
        let nodes: Vec<_> =
            self.nodes.range(bounds.clone()).map(|(path, _)| path.clone()).collect();
        let opaque: BTreeSet<_> = self.opaque.range(bounds).cloned().collect();
        nodes.iter().for_each(|path| drop(self.nodes.remove(path)));
        self.opaque.retain(|path| !opaque.contains(path));
    }

    /// The members of the layer that does to lower layers what all applied ones did.
    pub(super) fn into_members(self) -> Vec<MergedMember> {
        let mut sorted: Vec<_> =
            self.nodes.iter().filter_map(|(path, node)| self.member(path, node)).collect();
        sorted.extend(self.opaque.iter().map(|folder| {
            let path = join(folder, OPAQUE);
            (TarMember { path, kind: b'0', ..TarMember::default() }, None)
        }));
        sorted.sort_by_cached_key(|(member, _)| order(member));
        let mut first_paths: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        let (mut members, mut links) = (Vec::new(), Vec::new());
        for (member, number) in sorted {
            let Some(number) = number else {
                members.push(MergedMember { member, content: None });
                continue;
            };
            if let Some(first) = first_paths.get(&number) {
                let link = TarMember { link: first.clone(), kind: b'1', size: 0, ..member };
                links.push(MergedMember { member: link, content: None });
            } else {
                first_paths.insert(number, member.path.clone());
                let FileContent { source, offset, .. } = self.contents[number];
                members.push(MergedMember { member, content: Some((source, offset)) });
            }
        }
        members.extend(links);
        members
    }

    /// The member of a path, and the number of its content.
    fn member(&self, path: &[u8], node: &TreeNode) -> Option<(TarMember, Option<usize>)> {
        match node {
            TreeNode::File(number) => {
                let member =
                    TarMember { path: path.to_vec(), ..self.contents[*number].member.clone() };
                Some((member, Some(*number)))
            }
            TreeNode::Folder(member) | TreeNode::Other(member) => Some((member.clone(), None)),
            TreeNode::Whiteout(member) => (!self.is_hidden(path)).then(|| (member.clone(), None)),
        }
    }

    /// Whether a folder above the path hides it anyway.
    fn is_hidden(&self, path: &[u8]) -> bool {
        let ends = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at);
        self.opaque.contains(&b""[..]) || { ends }.any(|end| self.opaque.contains(&path[..end]))
    }
}

/// The folder of a path, and its last part.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

#[cfg(test)]
#[path = "layer_tree_tests.rs"]
mod tests;
