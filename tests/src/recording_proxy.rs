//! Stands before a server and notes what clients send to it as their login. It changes nothing.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// The proxy. Its threads end with the connections of its clients.
pub struct RecordingProxy {
    place: SocketAddr,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl RecordingProxy {
    /// Listens before the server at `server`.
    ///
    /// # Panics
    ///
    /// If this machine has no free port.
    #[must_use]
    pub fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let place = listener.local_addr().expect("a place");
        let seen = Arc::<Mutex<Vec<u8>>>::default();
        let (server, noted) = (server.to_owned(), Arc::clone(&seen));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, noted) = (server.clone(), Arc::clone(&noted));
                std::thread::spawn(move || forward(&client, &server, &noted));
            }
        });
        Self { place, seen }
    }

    /// Host and port.
    #[must_use]
    pub fn host(&self) -> String {
        self.place.to_string()
    }

    /// Each different value of the header `Authorization` that a client sent.
    #[must_use]
    pub fn logins(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&seen);
        let value = |line: &str| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("authorization").then(|| value.trim().to_owned())
        };
        let mut logins: Vec<String> = text.lines().filter_map(value).collect();
        logins.sort();
        logins.dedup();
        logins
    }
}

/// Passes bytes on both ways until either side ends.
fn forward(client: &TcpStream, server: &str, noted: &Mutex<Vec<u8>>) {
    let Ok(server) = TcpStream::connect(server) else { return };
    std::thread::scope(|scope| {
        scope.spawn(|| pass(&server, client, |_| {}));
        pass(client, &server, |bytes| {
            noted.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        });
    });
}

fn pass(mut from: &TcpStream, mut to: &TcpStream, note: impl Fn(&[u8])) {
    let mut buffer = [0; 16 * 1024];
    let mut pass = || -> io::Result<()> {
        loop {
            match from.read(&mut buffer)? {
                0 => return Ok(()),
                count => {
                    note(&buffer[..count]);
                    to.write_all(&buffer[..count])?;
                }
            }
        }
    };
    // A connection that broke has ended like one that was closed.
    let _ = pass();
    let _ = to.shutdown(Shutdown::Write);
}
