//! `fargate-agent --health`: whether the agent of this container answers, for the health check of a task
//! definition.
//!
//! It connects to the agent's own port and reads the first bytes of an SSH server. It does not log in, so it
//! counts as no client, and the agent's idle time goes on.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use crate::settings;

/// How long the answer may take. A health check of ECS has 5 s if nobody says otherwise.
const WITHIN: Duration = Duration::from_secs(4);
/// What every SSH server says first. Source: RFC 4253, section 4.2.
const GREETING: &[u8; 4] = b"SSH-";

/// Exits with 0 if the agent answers, else with 1 and one line.
pub fn run() -> ExitCode {
    match settings::listen_address().map_err(|error| error.to_string()).and_then(answers) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: the agent does not answer: {error}");
            ExitCode::FAILURE
        }
    }
}

fn answers(listen: SocketAddr) -> Result<(), String> {
    let mut address = listen;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    let told = |error: std::io::Error| format!("{address}: {error}");
    let mut stream = TcpStream::connect_timeout(&address, WITHIN).map_err(told)?;
    stream.set_read_timeout(Some(WITHIN)).map_err(told)?;
    let mut first = [0; 4];
    stream.read_exact(&mut first).map_err(told)?;
    if first == *GREETING { Ok(()) } else { Err(format!("{address} is no SSH server")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;

    #[test]
    fn only_an_ssh_server_is_healthy() {
        for (greeting, healthy) in [("SSH-2.0-x\r\n", true), ("HTTP/1.1 200", false), ("", false)] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let (mut stream, _) = listener.accept().unwrap();
                    stream.write_all(greeting.as_bytes()).unwrap();
                });
                assert_eq!(answers(address).is_ok(), healthy, "{greeting:?}");
            });
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(answers(free).is_err());
    }
}
