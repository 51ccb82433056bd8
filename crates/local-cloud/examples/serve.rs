//! Serves a local cloud until it is interrupted, and prints its endpoint and its random keys: the smallest
//! program around the library, for use with any ECS client.
//!
//! `FARGATE_AGENT` names the agent. Tasks with a command of their own do not need it.

use std::path::PathBuf;

use fargate_local_cloud::{AccessKeyPair, CloudOptions, LocalCloud};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let agent =
        std::env::var_os("FARGATE_AGENT").map_or_else(|| "fargate-agent".into(), PathBuf::from);
    let cloud = LocalCloud::serve(CloudOptions::new(agent)).await?;
    if let Some(notice) = cloud.notice() {
        eprintln!("{notice}");
    }
    println!("{}", cloud.endpoint());
    if let Some(AccessKeyPair { access_key_id, secret_access_key, .. }) = cloud.drawn_keys() {
        println!("AWS_ACCESS_KEY_ID={access_key_id} AWS_SECRET_ACCESS_KEY={secret_access_key}");
    }
    tokio::signal::ctrl_c().await?;
    cloud.shutdown().await;
    Ok(())
}
