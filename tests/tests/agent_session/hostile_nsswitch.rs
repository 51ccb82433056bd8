//! The static agent serves in an image whose settings for the look-up of users and hosts name
//! libraries that the agent cannot load.

use std::fs;

use fargate_tests::{CheckedHost, agent, have};
use tokio::process::Command;

use crate::openssh_client::DebugLogin;
use crate::{quiet_address, second_agent};

#[tokio::test]
async fn a_hostile_nsswitch_does_not_keep_it_from_serving() {
    if !have("bwrap") || !have("ssh") {
        return;
    }
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let state = job.state().expect("a state file");
    let hostile = "passwd: systemd no_such_module\ngroup: no_such_module\n\
                   hosts: no_such_module resolve\nshadow: no_such_module\n";
    let nsswitch = site.folder().join("nsswitch.conf");
    fs::write(&nsswitch, hostile).expect("a writable folder");
    let mut command = Command::new("bwrap");
    command
        .args(["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"])
        .args(["--unshare-pid", "--as-pid-1", "--die-with-parent"])
        .args(["--ro-bind".as_ref(), nsswitch.as_os_str(), "/etc/nsswitch.conf".as_ref()])
        .args(["--ro-bind".as_ref(), agent().as_os_str(), "/tmp/agent".as_ref()])
        // The agent has no PATH, as in an image that sets none.
        .args(["--unsetenv", "PATH", "--", "/tmp/agent"]);
    let (mut other, _) = second_agent(&site, &job, command).await;
    let (host, port) = quiet_address(&site);
    let look = "tail -n 1 /etc/nsswitch.conf; echo $HOME; whoami; exit 0";
    let ended = job.run(look).await.with_code(0);
    assert!(ended.out().starts_with("shadow: no_such_module\n/"), "{}", ended.out());
    let text = |name: &str| state[name].as_str().expect("a text").to_owned();
    let keys = (text("client_key"), text("host_key"));
    let ssh = DebugLogin::with(&site, &job, &keys.0, &keys.1, host, &port);
    let ended = ssh.start(&[], &["echo by hand; exit 4"]).ended().await.with_code(4);
    assert_eq!(ended.out(), "by hand\n");
    assert!(other.try_wait().expect("a child of ours").is_none(), "the agent still runs");
    other.kill().await.expect("a child of ours");
    job.change_state(|changed| changed["address"] = state["address"].clone());
    site.close().await;
}
