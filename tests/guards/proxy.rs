//! A way to PostgreSQL that can be cut, or fall silent, while the database goes on.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// What becomes of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Carries,
    /// Connections stay open, and nothing comes through.
    Silent,
    /// Connections break, and new ones too.
    Cut,
}

/// The way.
pub(crate) struct Proxy {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// To the server of this URL; a URL that goes this way.
    pub(crate) fn to(url: &str) -> (Self, String) {
        let (before, after) = url.split_once('@').expect("a user");
        let (place, database) = after.split_once('/').expect("a database");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared =
            Arc::new(Shared { state: Mutex::new(State::Carries), changed: Condvar::new(), open: Mutex::default() });
        let (place, url) = (place.to_owned(), format!("{before}@127.0.0.1:{port}/{database}"));
        let proxy = Self { shared: shared.clone() };
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let state = *shared.state.lock().expect("a lock");
                let Ok(far) = TcpStream::connect(&place) else { continue };
                if state == State::Cut {
                    continue;
                }
                let mut open = shared.open.lock().expect("a lock");
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

    pub(crate) fn becomes(&self, state: State) {
        *self.shared.state.lock().expect("a lock") = state;
        self.shared.changed.notify_all();
        if state == State::Cut {
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
        drop(shared.changed.wait_while(state, |state| *state == State::Silent).expect("a lock"));
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
