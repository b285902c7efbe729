//! A proxy in front of PostgreSQL that can fall silent or break, while the database goes on.
#![expect(clippy::expect_used, reason = "a test that cannot have its proxy has failed")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// What the proxy does with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyState {
    /// Forwards them.
    Forwards,
    /// Keeps connections open and holds all bytes back.
    Silent,
    /// Breaks all connections, and new ones at once.
    Broken,
}

/// A proxy on a free port of 127.0.0.1. It forwards until the end of the process.
#[derive(Debug)]
pub struct TcpProxy {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<ProxyState>,
    changed: Condvar,
    open: Mutex<Vec<TcpStream>>,
}

impl TcpProxy {
    /// A proxy to the server of this `postgres://` URL, and a URL that leads through it.
    pub fn to(url: &str) -> (Self, String) {
        let (before, after) = url.split_once('@').expect("a user");
        let (place, database) = after.split_once('/').expect("a database");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            state: Mutex::new(ProxyState::Forwards),
            changed: Condvar::new(),
            open: Mutex::default(),
        });
        let (place, url) = (place.to_owned(), format!("{before}@127.0.0.1:{port}/{database}"));
        let proxy = Self { shared: shared.clone() };
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(&place) else { continue };
                let mut open = shared.open.lock().expect("a lock");
                // Under the lock: what breaks all connections comes before this one, or finds it.
                if *shared.state.lock().expect("a lock") == ProxyState::Broken {
                    continue;
                }
                open.extend([&near, &far].into_iter().filter_map(|stream| stream.try_clone().ok()));
                drop(open);
                for (from, to) in [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))] {
                    let (Ok(from), Ok(to), shared) = (from, to, shared.clone()) else { continue };
                    std::thread::spawn(move || carry(from, to, &shared));
                }
            }
        });
        (proxy, url)
    }

    /// Changes what it does, for connections that are open too.
    pub fn becomes(&self, state: ProxyState) {
        *self.shared.state.lock().expect("a lock") = state;
        self.shared.changed.notify_all();
        if state == ProxyState::Broken {
            for stream in self.shared.open.lock().expect("a lock").drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, shared: &Shared) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let state = shared.state.lock().expect("a lock");
        drop(shared.changed.wait_while(state, |state| *state == ProxyState::Silent).expect("a lock"));
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
