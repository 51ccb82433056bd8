//! Merged layers do to the layers below what the single ones did, judged by a tree of files that knows
//! nothing of how they are merged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use fargate_config::ReproducibleBuild;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::layer_index::RewriteRules;
use super::super::merged_layer::MergedLayer;
use super::super::tar_reader::{TarMember, TarReader, skip_by_reading};
use super::super::tar_writer;

const RULES: RewriteRules =
    RewriteRules { latest_time: 1000, reproducible: ReproducibleBuild::Times };

type TestLayer = Vec<(TarMember, Vec<u8>)>;

fn member(path: &str, kind: u8) -> TarMember {
    TarMember { path: path.into(), kind, mode: 0o644, ..TarMember::default() }
}

fn file(path: &str, content: &str) -> (TarMember, Vec<u8>) {
    (TarMember { size: content.len() as u64, ..member(path, b'0') }, content.into())
}

fn folder(path: &str) -> (TarMember, Vec<u8>) {
    (TarMember { mode: 0o700, ..member(&format!("{path}/"), b'5') }, Vec::new())
}

fn link(path: &str, target: &str) -> (TarMember, Vec<u8>) {
    (TarMember { link: target.into(), ..member(path, b'1') }, Vec::new())
}

fn archive(layer: &TestLayer) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (member, content) in layer {
        tar_writer::write_header(&mut bytes, member).unwrap();
        bytes.extend_from_slice(content);
        tar_writer::pad(&mut bytes, content.len() as u64).unwrap();
    }
    tar_writer::finish(&mut bytes).unwrap();
    bytes
}

fn members(bytes: &[u8]) -> TestLayer {
    let mut reader = TarReader::new(bytes);
    let mut found = Vec::new();
    while let Some(member) = reader.next_by(skip_by_reading).unwrap() {
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut reader, &mut content).unwrap();
        found.push((member, content));
    }
    found
}

fn merged(base: &[TestLayer], own: &[TestLayer]) -> std::io::Result<Vec<u8>> {
    let place = tempfile::tempdir().unwrap();
    let spooled = |name: &str, layers: &[TestLayer]| -> Vec<PathBuf> {
        let spool = |(number, layer): (usize, &TestLayer)| {
            let path = place.path().join(format!("{name}-{number}"));
            std::fs::write(&path, archive(layer)).unwrap();
            path
        };
        layers.iter().enumerate().map(spool).collect()
    };
    let (base, own) = (spooled("base", base), spooled("own", own));
    let mut bytes = Vec::new();
    MergedLayer::read(&base, &own, RULES)?.write(&mut bytes, |_| Ok(()))?;
    Ok(bytes)
}

fn paths(bytes: &[u8]) -> Vec<String> {
    members(bytes).into_iter().map(|(member, _)| String::from_utf8(member.path).unwrap()).collect()
}

/// A file system as somebody sees it who looks at it: path, and what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct SeenTree(BTreeMap<String, SeenFile>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum SeenFile {
    Folder { mode: u64 },
    File { content: Vec<u8>, mode: u64, inode: u64 },
    Symlink { target: Vec<u8> },
}

impl SeenTree {
    fn remove(&mut self, path: &str, with_itself: bool) {
        let below = format!("{path}/");
        self.0.retain(|known, _| !(known.starts_with(&below) || with_itself && known == path));
    }

    /// Makes folders of the ancestors. Missing ones are made if `missing` says so.
    fn ancestors(&mut self, path: &str, missing: bool) {
        for (end, _) in path.match_indices('/') {
            let ancestor = &path[..end];
            let is_folder = matches!(self.0.get(ancestor), Some(SeenFile::Folder { .. }));
            if !is_folder && (missing || self.0.contains_key(ancestor)) {
                self.0.insert(ancestor.to_owned(), SeenFile::Folder { mode: 0o755 });
            }
        }
    }

    /// Applies a layer. A link without a target is left out, and its number is given.
    fn apply(&mut self, layer: &TestLayer, next_inode: &mut u64) -> Vec<usize> {
        let path_of = |member: &TarMember| {
            String::from_utf8(member.path.clone()).unwrap().trim_end_matches('/').to_owned()
        };
        let hides = |path: &str| path.rsplit('/').next().unwrap().starts_with(".wh.");
        for path in layer.iter().map(|(member, _)| path_of(member)).filter(|path| hides(path)) {
            self.ancestors(&path, false);
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
            match name.strip_prefix(".wh.").unwrap() {
                ".wh..opq" => self.remove(parent, false),
                name if parent.is_empty() => self.remove(name, true),
                name => self.remove(&format!("{parent}/{name}"), true),
            }
        }
        let mut order: Vec<usize> = (0..layer.len()).collect();
        order.sort_by_key(|at| (layer[*at].0.kind == b'1', path_of(&layer[*at].0)));
        let mut dangling = Vec::new();
        for at in order {
            let (member, content) = &layer[at];
            let path = path_of(member);
            if hides(&path) {
                continue;
            }
            let seen = match member.kind {
                b'5' => {
                    self.ancestors(&path, true);
                    if !matches!(self.0.get(&path), Some(SeenFile::Folder { .. })) {
                        self.remove(&path, true);
                    }
                    SeenFile::Folder { mode: member.mode }
                }
                b'1' => {
                    let target = String::from_utf8(member.link.clone()).unwrap();
                    match self.0.get(&target) {
                        Some(SeenFile::Folder { .. }) | None => {
                            dangling.push(at);
                            continue;
                        }
                        Some(other) => other.clone(),
                    }
                }
                b'2' => SeenFile::Symlink { target: member.link.clone() },
                _ => {
                    *next_inode += 1;
                    let (content, mode) = (content.clone(), member.mode);
                    SeenFile::File { content, mode, inode: *next_inode }
                }
            };
            if member.kind != b'5' {
                self.ancestors(&path, true);
                self.remove(&path, true);
            }
            self.0.insert(path, seen);
        }
        dangling
    }

    /// The same without numbers of inodes; and which paths of `inodes` share one.
    fn compared(&self, first_own: u64, paths: &BTreeSet<String>) -> (Self, Vec<Vec<String>>) {
        let mut plain = self.clone();
        let mut groups = BTreeMap::<u64, Vec<String>>::new();
        for (path, seen) in &mut plain.0 {
            if let SeenFile::File { inode, .. } = seen {
                if *inode > first_own && paths.contains(path) {
                    groups.entry(*inode).or_default().push(path.clone());
                }
                *inode = 0;
            }
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort();
        (plain, groups)
    }
}

/// Kind and path of each member, for messages.
fn names(layers: &[TestLayer]) -> Vec<Vec<String>> {
    let name = |(member, _): &(TarMember, Vec<u8>)| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        format!("{} {} {}", char::from(member.kind), text(&member.path), text(&member.link))
    };
    layers.iter().map(|layer| layer.iter().map(name).collect()).collect()
}

fn check(base: &[TestLayer], own: &[TestLayer]) -> Vec<u8> {
    let (mut one_by_one, mut inodes) = (SeenTree::default(), 0);
    for layer in base {
        assert_eq!(one_by_one.apply(layer, &mut inodes), [] as [usize; 0]);
    }
    let (mut at_once, mut merged_inodes, first_own) = (one_by_one.clone(), inodes, inodes);
    for layer in own {
        assert_eq!(one_by_one.apply(layer, &mut inodes), [] as [usize; 0]);
    }
    let bytes = merged(base, own).unwrap();
    assert_eq!(at_once.apply(&members(&bytes), &mut merged_inodes), [] as [usize; 0]);
    // Which files are linked counts for those that the own layers brought: links into the base are copies.
    let own_files = one_by_one.0.iter().filter_map(|(path, seen)| match seen {
        SeenFile::File { inode, .. } if *inode > first_own => Some(path.clone()),
        _ => None,
    });
    let own_files: BTreeSet<_> = own_files.collect();
    assert_eq!(
        at_once.compared(first_own, &own_files),
        one_by_one.compared(first_own, &own_files),
        "base {:?}, own {:?}",
        names(base),
        names(own)
    );
    bytes
}

#[test]
fn what_a_later_layer_deletes_is_not_in_the_merged_one_and_stays_hidden_below() {
    let base = [vec![file("a/base", "1"), file("secret", "base")]];
    let own = [
        vec![file("a/secret", "x"), file("a/kept", "2")],
        vec![file("a/.wh.secret", ""), file(".wh.secret", "")],
    ];
    assert_eq!(paths(&check(&base, &own)), [".wh.secret", "a/.wh.secret", "a/kept"]);
}

#[test]
fn a_folder_that_replaces_a_file_or_was_deleted_before_shows_nothing_of_the_base() {
    let base = [vec![folder("a"), file("a/base", "1"), folder("b"), file("b/base", "1")]];
    let own = [
        vec![file("a", "a file now"), file(".wh.b", "")],
        vec![folder("a"), file("a/new", "2"), folder("b"), file("b/new", "3")],
    ];
    let expected = ["a/", "a/.wh..wh..opq", "a/new", "b/", "b/.wh..wh..opq", "b/new"];
    assert_eq!(paths(&check(&base, &own)), expected);
}

#[test]
fn an_opaque_folder_hides_former_layers_and_not_its_own() {
    let base = [vec![folder("a"), file("a/base", "1")]];
    let own = [
        vec![folder("a"), file("a/one", "1"), file("a/.wh.base", "")],
        vec![folder("a"), file("a/.wh..wh..opq", ""), file("a/two", "2")],
    ];
    assert_eq!(paths(&check(&base, &own)), ["a/", "a/.wh..wh..opq", "a/two"]);
}

#[test]
fn a_hard_link_keeps_the_content_that_a_later_layer_replaces_and_links_the_rest() {
    let own = [
        vec![file("a", "old"), link("b", "a"), link("c", "a")],
        vec![file("a", "new"), link("d", "b")],
    ];
    let bytes = check(&[], &own);
    let found = members(&bytes);
    let kinds: Vec<_> =
        found.iter().map(|(m, _)| (m.path.clone(), m.kind, m.link.clone())).collect();
    let expected = [("a", b'0', ""), ("b", b'0', ""), ("c", b'1', "b"), ("d", b'1', "b")];
    assert_eq!(kinds, expected.map(|(path, kind, link)| (path.into(), kind, link.into())));
}

#[test]
fn a_hard_link_into_the_base_becomes_a_copy_and_one_to_nothing_is_an_error() {
    let base = [vec![file("a", "base")], vec![file("b", "upper")]];
    let own = [vec![link("c", "b"), link("d", "a")], vec![file("b", "new")]];
    let bytes = check(&base, &own);
    let contents: Vec<_> = members(&bytes).into_iter().map(|(_, content)| content).collect();
    assert_eq!(contents, [b"new".to_vec(), b"upper".to_vec(), b"base".to_vec()]);
    let error = merged(&base, &[vec![link("c", "gone")]]).unwrap_err().to_string();
    assert_eq!(error, "the hard link c leads to gone, which no layer has");
}

#[test]
fn the_same_layers_give_the_same_bytes_whatever_the_order_of_their_members() {
    let mut own = [
        vec![folder("a"), file("a/x", "1"), link("z", "a/x"), file("b", "2")],
        vec![file(".wh.b", ""), file("c", "3")],
    ];
    let first = merged(&[], &own).unwrap();
    own.iter_mut().for_each(|layer| layer.reverse());
    assert_eq!(merged(&[], &own).unwrap(), first);
}

fn drawn_path() -> impl Strategy<Value = String> {
    vec(prop::sample::select(vec!["a", "b", "c"]), 1..=3).prop_map(|parts| parts.join("/"))
}

fn hiding(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((parent, name)) => format!("{parent}/.wh.{name}"),
        None => format!(".wh.{path}"),
    }
}

fn drawn_member() -> impl Strategy<Value = (TarMember, Vec<u8>)> {
    (drawn_path(), drawn_path(), 0..12_u8, "[a-z]{0,3}").prop_map(
        |(path, target, kind, content)| match kind {
            0..4 => file(&path, &content),
            4..7 => folder(&path),
            7 => {
                let link = target.into_bytes();
                (TarMember { link, ..member(&path, b'2') }, Vec::new())
            }
            8 => link(&path, &target),
            9..11 => file(&hiding(&path), ""),
            _ => file(&format!("{path}/.wh..wh..opq"), ""),
        },
    )
}

/// Layers that an engine could have made: one member for each path and for each folder above it, nothing
/// below what is no folder, and no link to nothing.
fn possible(layers: Vec<TestLayer>) -> Vec<TestLayer> {
    let (mut tree, mut inodes) = (SeenTree::default(), 0);
    let mut made = Vec::new();
    for mut layer in layers {
        let path = |member: &TarMember| {
            String::from_utf8(member.path.clone()).unwrap().trim_end_matches('/').to_owned()
        };
        let mut known = BTreeSet::new();
        layer.retain(|(member, _)| known.insert(path(member)));
        let solid: Vec<String> =
            layer.iter().filter(|(m, _)| m.kind != b'5').map(|(m, _)| path(m)).collect();
        layer.retain(|(member, _)| {
            let path = path(member);
            !solid.iter().any(|solid| path.starts_with(&format!("{solid}/")))
        });
        let has = |layer: &TestLayer, wanted: &str| {
            layer.iter().any(|(member, _)| path(member) == wanted)
        };
        for path in layer.iter().map(|(member, _)| path(member)).collect::<Vec<_>>() {
            for (end, _) in path.match_indices('/') {
                if !has(&layer, &path[..end]) {
                    layer.push(folder(&path[..end]));
                }
            }
        }
        loop {
            let dangling = tree.clone().apply(&layer, &mut inodes);
            let Some(at) = dangling.first() else { break };
            layer.remove(*at);
        }
        tree.apply(&layer, &mut inodes);
        made.push(layer);
    }
    made
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn merged_layers_do_what_the_single_ones_did(
        layers in vec(vec(drawn_member(), 0..8), 2..6),
        own in 1..5_usize,
    ) {
        let layers = possible(layers);
        let (base, own) = layers.split_at(layers.len().saturating_sub(own));
        let bytes = check(base, own);
        prop_assert_eq!(bytes, merged(base, own).unwrap());
    }
}
