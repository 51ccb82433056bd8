//! Small images, made in memory.

use std::io::Write;
use std::path::{Path, PathBuf};

use fargate_mask::SharedMasker;
use serde_json::{Value, json};

use crate::event::ImageEvents;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::secret_scan::{ScanTarget, SecretScanReport, SecretScanner, SecretWaivers};

/// One entry of a tar in the form of ustar.
pub fn entry(name: &[u8], kind: u8, link: &str, size: usize) -> Vec<u8> {
    let mut head = vec![0; 512];
    head[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
    head[100..108].copy_from_slice(b"0000644\0");
    head[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    head[156] = kind;
    head[157..157 + link.len()].copy_from_slice(link.as_bytes());
    head[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut head);
    head
}

/// Writes the sum of a head.
pub fn seal(head: &mut [u8]) {
    head[148..156].copy_from_slice(b"        ");
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// A file in a tar.
pub fn file(name: &str, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut tar = entry(name.as_bytes(), b'0', "", content.len());
    tar.extend_from_slice(content);
    tar.resize(tar.len().next_multiple_of(512), 0);
    tar
}

/// A tar of these entries.
pub fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut tar = entries.concat();
    tar.extend_from_slice(&[0; 1024]);
    tar
}

/// `content` packed by gzip.
pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(content).unwrap();
    packer.finish().unwrap()
}

/// `content` packed by zstd.
pub fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 3).unwrap()
}

/// A zip with one packed file, as tools write it to a pipe: its sizes stand behind it.
pub fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(content).unwrap();
    let packed = packer.finish().unwrap();
    let mut zip = b"PK\x03\x04\x14\0\x08\0\x08\0\0\0\0\0".to_vec();
    zip.extend_from_slice(&[0; 12]);
    zip.extend_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
    zip.extend_from_slice(&[0; 2]);
    zip.extend_from_slice(name.as_bytes());
    zip.extend_from_slice(&packed);
    zip.extend_from_slice(b"PK\x07\x08");
    zip.extend_from_slice(&[0; 12]);
    zip.extend_from_slice(b"PK\x01\x02");
    zip
}

/// The configuration of an image whose layers these instructions made.
pub fn config(instructions: &[&str], env: &[&str], labels: Value) -> Value {
    let history: Vec<_> = instructions.iter().map(|text| json!({ "created_by": text })).collect();
    json!({ "config": { "Env": env, "Labels": labels }, "history": history })
}

/// Writes a folder in the OCI image layout.
pub fn layout(folder: &Path, config: &Value, layers: &[Vec<u8>]) {
    let blobs = folder.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let blob = |name: &str, content: &[u8]| {
        std::fs::write(blobs.join(name), content).unwrap();
        json!({ "digest": format!("sha256:{name}"), "size": content.len() })
    };
    let number = |(at, layer): (usize, &Vec<u8>)| blob(&format!("layer{at}"), layer);
    let layers: Vec<_> = layers.iter().enumerate().map(number).collect();
    let config = blob("config", config.to_string().as_bytes());
    let manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers });
    let manifest = blob("manifest", manifest.to_string().as_bytes());
    std::fs::write(folder.join("index.json"), json!({ "manifests": [manifest] }).to_string())
        .unwrap();
}

/// An archive as `docker save` writes it, its list of layers last.
pub fn saved(config: &Value, layers: &[Vec<u8>]) -> Vec<u8> {
    let names: Vec<_> = (0..layers.len()).map(|at| format!("layer{at}/layer.tar")).collect();
    let mut entries: Vec<_> =
        names.iter().zip(layers).map(|(name, layer)| file(name, layer)).collect();
    entries.push(file("config.json", config.to_string()));
    let list = json!([{ "Config": "config.json", "Layers": names }]);
    entries.push(file("manifest.json", list.to_string()));
    tar(&entries)
}

/// A run that nobody stops.
pub fn run() -> ImageRun {
    ImageRun::new(ImageEvents::nobody(), SharedMasker::default()).0
}

/// Scans a folder or a file.
pub async fn scanned(path: PathBuf) -> Result<SecretScanReport, ImageFailure> {
    let target = ScanTarget::of(&path.display().to_string())?;
    let waivers = SecretWaivers::default();
    SecretScanner::new().scan_image(&target, None, &waivers, &run()).await
}

/// Scans one layer.
pub async fn scanned_layer(layer: Vec<u8>) -> Result<SecretScanReport, ImageFailure> {
    let folder = tempfile::tempdir().unwrap();
    layout(folder.path(), &config(&["COPY . /"], &[], json!({})), &[layer]);
    scanned(folder.path().to_owned()).await
}
