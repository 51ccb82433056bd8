//! Waits until an SSH server answers at one of several addresses. It reads no more than the server's first
//! line, and leaves that in the connection for whoever logs in.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

use fargate_config::JobTimeouts;
use fargate_model::text::escape_within;
use futures_util::future::select_all;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::phase_problem::PhaseProblem;
use crate::engine::ImageEngine;
use crate::failure::ImageFailure;

/// How much of a server's first words is looked at, in bytes.
const FIRST_WORDS: usize = 512;
/// Between two looks at first words that are not whole.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Dials until a server answers.
pub(super) struct BannerDial<'a> {
    addresses: &'a [SocketAddr],
    timeouts: &'a JobTimeouts,
    /// Why the last try at each address brought nothing.
    met: RefCell<Vec<BannerMiss>>,
}

/// Why one try brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum BannerMiss {
    /// It was not tried yet.
    Untried,
    /// Nobody listens there.
    Refused,
    /// There is no way there, or nothing comes back.
    NoWay(String),
    /// Somebody answers, but no SSH server.
    NoBanner(String),
}

impl<'a> BannerDial<'a> {
    pub(super) fn new(addresses: &'a [SocketAddr], timeouts: &'a JobTimeouts) -> Self {
        let met = RefCell::new(vec![BannerMiss::Untried; addresses.len()]);
        Self { addresses, timeouts, met }
    }

    /// The first address that answers, the connection, and the server's name for itself.
    pub(super) async fn first(&self) -> (SocketAddr, TcpStream, String) {
        if self.addresses.is_empty() {
            // The container has ended already, and its phase tells so.
            return std::future::pending().await;
        }
        let dials = (0..self.addresses.len()).map(|number| Box::pin(self.dial(number)));
        select_all(dials).await.0
    }

    async fn dial(&self, number: usize) -> (SocketAddr, TcpStream, String) {
        let address = self.addresses[number];
        loop {
            match self.once(address).await {
                Ok((stream, server)) => return (address, stream, server),
                Err(miss) => self.met.borrow_mut()[number] = miss,
            }
            sleep(self.timeouts.connect_retry_pause).await;
        }
    }

    async fn once(&self, address: SocketAddr) -> Result<(TcpStream, String), BannerMiss> {
        let stream = match timeout(self.timeouts.connect_attempt, TcpStream::connect(address)).await
        {
            Err(_) => return Err(BannerMiss::NoWay("no answer".to_owned())),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                return Err(BannerMiss::Refused);
            }
            Ok(Err(error)) => return Err(BannerMiss::NoWay(error.to_string())),
            Ok(Ok(stream)) => stream,
        };
        let _ = stream.set_nodelay(true);
        let deadline = Instant::now() + self.timeouts.ssh_handshake;
        let mut first = [0; FIRST_WORDS];
        loop {
            let read = match tokio::time::timeout_at(deadline, stream.peek(&mut first)).await {
                Err(_) => return Err(BannerMiss::NoBanner("it said nothing".to_owned())),
                Ok(Err(error)) => return Err(BannerMiss::NoBanner(error.to_string())),
                Ok(Ok(0)) => {
                    return Err(BannerMiss::NoBanner("it closed the connection".to_owned()));
                }
                Ok(Ok(read)) => &first[..read],
            };
            if let Some(server) = server_name(read) {
                return Ok((stream, server));
            }
            if read.len() == FIRST_WORDS || Instant::now() >= deadline {
                let said = escape_within(&String::from_utf8_lossy(read), 60);
                return Err(BannerMiss::NoBanner(format!("it said \"{said}\"")));
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    fn words(&self) -> String {
        let met = self.met.borrow();
        let tries = self.addresses.iter().zip(met.iter()).map(|(address, miss)| match miss {
            BannerMiss::Untried => format!("{address} was not tried"),
            BannerMiss::Refused => format!("nobody listens at {address}"),
            BannerMiss::NoWay(how) => format!("{address}: {how}"),
            BannerMiss::NoBanner(how) => format!("{address} answers, but is no SSH server: {how}"),
        });
        tries.collect::<Vec<_>>().join("; ")
    }

    /// No packet came back from any address.
    fn is_unreachable(&self) -> bool {
        self.met.borrow().iter().all(|miss| matches!(miss, BannerMiss::NoWay(_)))
    }
}

/// Why no banner came from a container that still runs. If nothing can be reached on another host, that is
/// no fault of the image.
pub(super) fn no_banner(
    dial: &BannerDial<'_>,
    engine: &ImageEngine,
    what: String,
    hint: String,
) -> PhaseProblem {
    let words = dial.words();
    if engine.is_local() || !dial.is_unreachable() {
        let hint = match words.contains("nobody listens") {
            true => {
                "let the entry point start the agent or sshd, at the port of `ssh.port`".to_owned()
            }
            false => hint,
        };
        return PhaseProblem::image(format!("{what}; {words}"), hint);
    }
    PhaseProblem::Other(ImageFailure::EngineUnusable {
        what: format!(
            "smoke test on the Docker Engine at {}: its containers cannot be reached from this host ({words}); no \
             port is published on another host, because everybody there could reach it",
            engine.facts().address
        ),
        hint: "run the command on the engine's own host (`DOCKER_HOST=unix:///var/run/docker.sock`), or route the \
               engine's network `bridge` to this host"
            .to_owned(),
    })
}

/// The name of the server, once its line is whole. Other lines may come before it.
///
/// Source: RFC 4253, 4.2.
fn server_name(said: &[u8]) -> Option<String> {
    let mut lines = said.split_inclusive(|b| *b == b'\n').filter(|line| line.ends_with(b"\n"));
    let line = lines.find(|line| line.starts_with(b"SSH-"))?;
    Some(escape_within(String::from_utf8_lossy(line).trim_end(), 80))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_server_is_named_by_its_whole_line_wherever_it_stands() {
        assert_eq!(server_name(b"SSH-2.0-a\r\n").as_deref(), Some("SSH-2.0-a"));
        assert_eq!(server_name(b"hello\r\nSSH-2.0-b\r\nx").as_deref(), Some("SSH-2.0-b"));
        for other in [&b"SSH-2.0-a"[..], b"HTTP/1.1 400 Bad\r\n", b""] {
            assert_eq!(server_name(other), None);
        }
    }

    #[tokio::test]
    async fn who_talks_otherwise_or_hangs_up_is_passed_over_for_who_answers() {
        let (web, ssh) = (
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
        );
        let addresses = [web.local_addr().unwrap(), ssh.local_addr().unwrap()];
        let timeouts = JobTimeouts::default();
        let dial = BannerDial::new(&addresses, &timeouts);
        let serve = async {
            loop {
                let (mut stream, _) = web.accept().await.unwrap();
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
                drop(stream);
                let (closed, _) = ssh.accept().await.unwrap();
                drop(closed);
                let (mut stream, _) = ssh.accept().await.unwrap();
                stream.write_all(b"SSH-2.0-x\r\n").await.unwrap();
            }
        };
        let (address, stream, server) = tokio::select! {
            first = dial.first() => first,
            () = serve => unreachable!(),
        };
        assert_eq!((address, server.as_str()), (addresses[1], "SSH-2.0-x"));
        let mut line = [0; 11];
        assert_eq!(stream.peek(&mut line).await.unwrap(), 11);
        assert!(!dial.is_unreachable());
    }
}
