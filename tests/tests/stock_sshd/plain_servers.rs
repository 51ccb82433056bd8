//! The servers themselves, without the product: a plain `ssh` can log in to each kind. If one of
//! these tests fails, the other tests of that server prove nothing.

use std::fs;
use std::net::TcpStream;

use aws_sdk_ecs::types::{ContainerOverride, KeyValuePair, LaunchType, TaskOverride};
use fargate_tests::{CheckedHost, SshdSetup, until};

/// Each kind of server, by the name that a failure shows.
pub fn kinds() -> Vec<(&'static str, SshdSetup)> {
    let group14 = "diffie-hellman-group14-sha256";
    vec![
        ("openssh", SshdSetup::open_ssh()),
        ("openssh-as-fast-as-it-gets", SshdSetup::open_ssh().line("UseDNS no")),
        ("old-openssh-rsa", SshdSetup::old_open_ssh(group14, "rsa")),
        ("old-openssh-ecdsa", SshdSetup::old_open_ssh("ecdh-sha2-nistp256", "ecdsa")),
        ("dropbear", SshdSetup::dropbear()),
        ("openssh-dash", SshdSetup::open_ssh().login("root", "/bin/dash")),
        ("openssh-busybox", SshdSetup::open_ssh().login("root", "/run/shells/ash")),
        ("openssh-ci", SshdSetup::open_ssh().login("ci", "/bin/bash")),
        ("openssh-ci-sh", SshdSetup::open_ssh().login("ci", "/bin/sh")),
        ("openssh-full-disk", SshdSetup::open_ssh().full_disk()),
        ("dropbear-full-disk", SshdSetup::dropbear().full_disk()),
        ("dropbear-ci-busybox", SshdSetup::dropbear().login("ci", "/run/shells/ash")),
    ]
}

/// Starts a task of `family` as the product would, without the product.
async fn start(site: &CheckedHost, family: &str, public_key: &str) {
    let key = KeyValuePair::builder().name("SSH_PUBLIC_KEY").value(public_key).build();
    let container = ContainerOverride::builder().name("job").environment(key).build();
    let network = aws_sdk_ecs::types::AwsVpcConfiguration::builder()
        .subnets("subnet-0a1b2c3d4e5f60718")
        .security_groups("sg-0c3d4e5f60718293b")
        .build()
        .expect("it has subnets");
    site.ecs()
        .run_task()
        .cluster("ci")
        .task_definition(family)
        .launch_type(LaunchType::Fargate)
        .network_configuration(
            aws_sdk_ecs::types::NetworkConfiguration::builder()
                .awsvpc_configuration(network)
                .build(),
        )
        .overrides(TaskOverride::builder().container_overrides(container).build())
        .send()
        .await
        .expect("a task that the cloud takes");
}

#[tokio::test]
async fn each_kind_lets_a_plain_client_in() {
    if !SshdSetup::can_run() || !fargate_tests::have("ssh") {
        return;
    }
    let site = CheckedHost::open().await;
    let folder = site.folder().join("runner");
    fs::create_dir_all(&folder).expect("a writable folder");
    let job = site.job();
    let key = folder.join("key").display().to_string();
    let made = ["-q", "-t", "ed25519", "-N", "", "-f", &key];
    job.start_other("ssh-keygen", &made).ended().await.passed();
    let public = fs::read_to_string(format!("{key}.pub")).expect("a public key");
    let endpoint = site.cloud().endpoint();
    let port = endpoint.trim_end_matches('/').rsplit(':').next().expect("a port").to_owned();
    for (name, server) in kinds() {
        let family = server.register(site.cloud(), name).await;
        start(&site, &family, public.trim()).await;
        let task = || site.cloud().tasks().pop().expect("the newest task");
        until("it has an address", || task().address.is_some()).await;
        let address = task().address.expect("just seen").to_string();
        let place = format!("{address}:{port}");
        let log = || {
            let log = task().containers[0].log.clone();
            log.and_then(|log| fs::read_to_string(log).ok()).unwrap_or_default()
        };
        until(&format!("{name} listens: {}", log()), || TcpStream::connect(&place).is_ok()).await;
        let user = if name.contains("-ci") { "ci" } else { "root" };
        let target = format!("{user}@{address}");
        let words = ["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"];
        let words = words.into_iter().chain(["-o", "UserKnownHostsFile=/dev/null", "-i", &key]);
        let script = "echo $0 $(id -un) ${SSH_PUBLIC_KEY:-none}; \
                      (echo room >/tmp/room) 2>/dev/null && echo room; exit 7";
        let words: Vec<_> = words.chain(["-p", &port, &target, script]).collect();
        let ended = job.start_other("ssh", &words).ended().await;
        assert_eq!(ended.code, 7, "{name}: {} {}", ended.all(), log());
        let shell = match name {
            "openssh-dash" => "dash",
            "openssh-ci-sh" => "sh",
            _ if name.ends_with("busybox") => "ash",
            _ => "bash",
        };
        let room = if name.ends_with("full-disk") { "" } else { "room\n" };
        assert_eq!(ended.out(), format!("{shell} {user} none\n{room}"), "{name}");
        let stop = site.ecs().stop_task().cluster("ci").task(task().arn);
        stop.send().await.expect("a task that can be stopped");
    }
    site.close().await;
}
