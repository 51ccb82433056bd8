//! A profile's folders in memory hold what their size says and no more.

use fargate_tests::{TestEngine, skip};
use toml::{Table, Value};

use crate::{engine, host_with, job_with_keys};

/// Fills the folder to its size, and one MiB beyond it.
const SCRIPT: &str = "stat -f -c %T /scratch
head -c 7340032 /dev/zero > /scratch/fits && echo fits
LC_ALL=C head -c 2097152 /dev/zero 2>&1 > /scratch/more | grep -o 'No space left on device'
rm /scratch/fits && head -c 7340032 /dev/zero > /scratch/again && echo again
";

async fn holds_its_size(engine: Option<&TestEngine>) {
    let host = host_with(engine).await;
    if let Some(notice) = host.cloud().notice() {
        skip(notice);
        return host.close().await;
    }
    let folder = Table::from_iter([
        ("path".to_owned(), Value::from("/scratch")),
        ("size_mib".to_owned(), Value::from(8)),
    ]);
    host.set("profile.keys.tmpfs", Value::from(vec![Value::Table(folder)]));
    let job = job_with_keys(&host);
    job.prepare().await.passed();
    let said = job.run(format!("{SCRIPT}rm /scratch/more\n")).await.with_code(0);
    assert_eq!(said.out(), "tmpfs\nfits\nNo space left on device\nagain\n");
    job.cleanup().await.passed();
    host.close().await;
}

#[tokio::test]
async fn a_write_beyond_the_size_of_a_folder_in_memory_fails() {
    holds_its_size(None).await;
}

#[tokio::test]
async fn a_write_beyond_the_size_of_a_folder_in_memory_fails_in_a_container_too() {
    let Some(engine) = engine() else { return };
    holds_its_size(Some(engine)).await;
}
