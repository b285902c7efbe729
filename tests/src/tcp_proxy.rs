//! A proxy in front of PostgreSQL that can stall or break connections while the database keeps running.
#![expect(clippy::expect_used, reason = "a test without its proxy has failed")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// What the proxy does with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyState {
    /// Forwards them.
    Forwarding,
    /// Keeps connections open and withholds all bytes.
    Stalled,
    /// Breaks all open connections and every new one.
    Broken,
}

/// A proxy on a free port of 127.0.0.1. It runs until the process ends.
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
    /// Starts a proxy to the server of this `postgres://` URL; returns it with a URL through the proxy.
    pub fn to(url: &str) -> (Self, String) {
        let (before, after) = url.split_once('@').expect("a user");
        let (authority, database) = after.split_once('/').expect("a database");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            state: Mutex::new(ProxyState::Forwarding),
            changed: Condvar::new(),
            open: Mutex::default(),
        });
        let (authority, url) = (authority.to_owned(), format!("{before}@127.0.0.1:{port}/{database}"));
        let proxy = Self { shared: shared.clone() };
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(&authority) else { continue };
                let mut open = shared.open.lock().expect("a lock");
                // Checked while `open` is locked: a concurrent switch to `Broken` comes before this check or finds the streams.
                if *shared.state.lock().expect("a lock") == ProxyState::Broken {
                    continue;
                }
                open.extend([&near, &far].into_iter().filter_map(|stream| stream.try_clone().ok()));
                drop(open);
                for (from, to) in [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))] {
                    let (Ok(from), Ok(to), shared) = (from, to, shared.clone()) else { continue };
                    std::thread::spawn(move || forward(from, to, &shared));
                }
            }
        });
        (proxy, url)
    }

    /// Changes the behaviour, of open connections too.
    pub fn set_state(&self, state: ProxyState) {
        *self.shared.state.lock().expect("a lock") = state;
        self.shared.changed.notify_all();
        if state == ProxyState::Broken {
            for stream in self.shared.open.lock().expect("a lock").drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, shared: &Shared) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let state = shared.state.lock().expect("a lock");
        drop(shared.changed.wait_while(state, |state| *state == ProxyState::Stalled).expect("a lock"));
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
