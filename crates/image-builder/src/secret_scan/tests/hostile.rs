//! Input that was made to break a scan: it ends with a report or one clear error, in bounded memory.

use serde_json::json;

use super::sample_image::{
    config, entry, file, gzip, layout, saved, scanned, scanned_layer, seal, tar, zip, zstd,
};
use crate::event::ImageEvents;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::secret_scan::{ScanTarget, SecretScanner, SecretWaivers, SkipReason};

fn secret() -> String {
    format!("glpat-{}", "Zq8bT3mW9xKcV2nR7sLp")
}

#[tokio::test]
async fn a_bomb_is_searched_up_to_its_limit_and_told() {
    // 8 MiB of zeros in 8 KiB: more than 400 bytes for each.
    let bomb = gzip(&vec![0; 8 * 1024 * 1024]);
    let after = file("after.txt", secret());
    let layer = tar(&[file("bomb.gz", &bomb), file("bomb.zip", zip("a", &bomb)), after]);
    let report = scanned_layer(layer).await.unwrap();
    assert_eq!(report.skipped[&SkipReason::TooLarge], 1);
    assert_eq!(report.skipped[&SkipReason::PackedTwice], 1);
    assert_eq!(report.findings.len(), 1);
    assert!(report.bytes < 5 * 1024 * 1024, "{}", report.bytes);
}

#[tokio::test]
async fn a_tar_that_ends_in_a_file_is_an_error_and_no_clean_report() {
    let whole = tar(&[file("a.txt", vec![b'a'; 3000])]);
    for cut in [100, 600, 2000] {
        for layer in [whole[..cut].to_vec(), gzip(&whole[..cut]), zstd(&whole)[..20].to_vec()] {
            if cut == 100 && layer.len() == 100 {
                // So little is no tar; its bytes are searched as one file.
                let report = scanned_layer(layer).await.unwrap();
                assert_eq!(report.skipped[&SkipReason::NotTar], 1);
                continue;
            }
            let result = scanned_layer(layer).await;
            let is_short = cut == 100 && result.is_ok();
            assert!(is_short || result.unwrap_err().exit_code() == 2);
        }
    }
}

#[tokio::test]
async fn damaged_packed_files_do_not_end_a_scan() {
    let mut cut = gzip(format!("{} {}", secret(), "x ".repeat(9000)).as_bytes());
    cut.truncate(cut.len() - 12);
    let layer = tar(&[
        file("cut.gz", &cut),
        file("not.xz", b"\xfd7zXZ\0 and nothing more of xz here"),
        file("not.zst", b"\x28\xb5\x2f\xfd nor of zstd"),
        file("not.zip", b"PK\x03\x04 short"),
        file("after.txt", secret()),
    ]);
    let report = scanned_layer(layer).await.unwrap();
    assert_eq!(report.skipped[&SkipReason::Damaged], 4);
    let paths: Vec<_> = report.findings.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["after.txt", "cut.gz!"]);
}

#[tokio::test]
async fn an_image_with_127_layers_is_searched_whole() {
    let folder = tempfile::tempdir().unwrap();
    let layer = |at| tar(&[file(&format!("{at}.txt"), format!("glpat-{at:03}Zq8bT3mW9xKcV2nR7"))]);
    let layers: Vec<_> = (0..127).map(layer).collect();
    layout(folder.path(), &config(&["COPY"; 127], &[], json!({})), &layers);
    let report = scanned(folder.path().to_owned()).await.unwrap();
    assert_eq!((report.layers, report.findings.len()), (127, 127));
    assert!(report.gate().unwrap_err().to_string().contains("and 97 more"));
}

#[tokio::test]
async fn names_that_are_no_text_long_names_and_links_are_no_obstacle() {
    let long = format!("{}/file.txt", "d".repeat(150));
    let record = format!(" path={long}\n");
    let record = format!("{}{record}", record.len() + 3);
    let mut pax = entry(b"pax", b'x', "", record.len());
    pax.extend_from_slice(record.as_bytes());
    pax.resize(pax.len().next_multiple_of(512), 0);
    let mut invalid = file("zz.txt", secret());
    invalid[..2].copy_from_slice(b"\xff\n");
    seal(&mut invalid[..512]);
    let layer = tar(&[
        pax,
        file("short", secret()),
        entry(b"loop", b'2', "loop", 0),
        entry(b"device", b'3', "", 0),
        entry(b"up", b'1', "../../../etc/shadow", 0),
        invalid,
    ]);
    let report = scanned_layer(layer).await.unwrap();
    let paths: Vec<_> = report.findings.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, [r"\xff\n.txt", &long]);
}

#[tokio::test]
async fn layers_that_are_empty_missing_or_no_tar_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let layers = [Vec::new(), secret().into_bytes(), tar(&[])];
    layout(folder.path(), &config(&["A", "B", "C"], &[], json!({})), &layers);
    std::fs::remove_file(folder.path().join("blobs/sha256/layer2")).unwrap();
    let report = scanned(folder.path().to_owned()).await.unwrap();
    assert_eq!(report.skipped[&SkipReason::MissingLayer], 1);
    assert_eq!(report.skipped[&SkipReason::NotTar], 1);
    assert_eq!(report.findings[0].layer, Some(2));
}

#[tokio::test]
async fn bytes_after_the_end_of_a_layer_are_searched() {
    let mut layer = tar(&[file("a", "a")]);
    layer.extend_from_slice(secret().as_bytes());
    let report = scanned_layer(layer).await.unwrap();
    assert_eq!(report.findings[0].path, "(bytes after the end of the tar)");
}

#[tokio::test]
async fn what_is_no_image_is_one_error_with_a_next_step() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file.tar");
    for content in [Vec::new(), b"hello".to_vec(), tar(&[])] {
        std::fs::write(&file, &content).unwrap();
        let error = scanned(file.clone()).await.unwrap_err();
        assert!(matches!(error, ImageFailure::Unusable { .. }), "{error}");
    }
    for given in ["", "/nowhere", &folder.path().display().to_string()] {
        assert_eq!(ScanTarget::of(given).unwrap_err().exit_code(), 2);
    }
    assert_eq!(ScanTarget::of("ci:1").unwrap(), ScanTarget::EngineImage("ci:1".into()));
}

#[tokio::test]
async fn a_digest_cannot_lead_out_of_the_layout() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), secret()).unwrap();
    let layout = folder.path().join("layout");
    std::fs::create_dir(&layout).unwrap();
    let index = json!({ "manifests": [{ "digest": "sha256:../../../secret" }] });
    std::fs::write(layout.join("index.json"), index.to_string()).unwrap();
    assert!(scanned(layout).await.is_err());
}

#[tokio::test]
async fn a_scan_that_is_asked_to_stop_ends_as_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tar");
    let image = saved(&config(&["A"], &[], json!({})), &[tar(&[file("a", "a")])]);
    std::fs::write(&path, image).unwrap();
    let (run, cancel) = ImageRun::new(ImageEvents::nobody(), fargate_mask::SharedMasker::default());
    cancel.cancel();
    let target = ScanTarget::Archive(path);
    let waivers = SecretWaivers::default();
    let error = SecretScanner::new().scan_image(&target, None, &waivers, &run).await.unwrap_err();
    assert_eq!(error.exit_code(), 130);
}
