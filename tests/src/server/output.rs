//! Captures the output of a server process while it runs.
#![expect(clippy::expect_used, reason = "a poisoned lock fails the test")]

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::PATIENCE;

/// An output stream of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Standard error.
    Log,
    /// Standard output.
    Stdout,
}

/// The captured output of a server.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    state: Mutex<OutputState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct OutputState {
    texts: [String; 2],
    ended: [bool; 2],
    is_closing: [bool; 2],
    address: Option<SocketAddr>,
}

impl Outputs {
    /// Captures a stream on a new thread.
    pub(super) fn capture(self: &Arc<Self>, stream: Stream, output: impl Read + Send + 'static) {
        let outputs = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                let mut state = outputs.lock();
                state.address = state.address.or_else(|| address_in(stream, &line));
                state.texts[stream as usize].push_str(&line);
                state.texts[stream as usize].push('\n');
                outputs.changed.notify_all();
                if state.is_closing[stream as usize] {
                    break;
                }
            }
            outputs.lock().ended[stream as usize] = true;
            outputs.changed.notify_all();
        });
    }

    /// Closes a stream after the next line that is written to it.
    pub(super) fn close(&self, stream: Stream) {
        self.lock().is_closing[stream as usize] = true;
    }

    /// Returns whether the stream has ended.
    pub(super) fn has_ended(&self, stream: Stream) -> bool {
        self.lock().ended[stream as usize]
    }

    fn lock(&self) -> MutexGuard<'_, OutputState> {
        self.state.lock().expect("a lock")
    }

    pub(super) fn wait_for_address(&self) -> Option<SocketAddr> {
        self.wait_while(|state| state.address.is_none() && state.ended != [true, true]).address
    }

    pub(super) fn wait_for_end(&self) {
        drop(self.wait_while(|state| state.ended != [true, true]));
    }

    fn wait_while(&self, is_pending: impl FnMut(&mut OutputState) -> bool) -> MutexGuard<'_, OutputState> {
        self.changed.wait_timeout_while(self.lock(), PATIENCE, is_pending).expect("a lock").0
    }

    pub(super) fn text(&self, stream: Stream) -> String {
        self.lock().texts[stream as usize].clone()
    }
}

/// Returns the bind address if this line contains it, as a JSON record or as plain text.
fn address_in(stream: Stream, line: &str) -> Option<SocketAddr> {
    let (before, after) = match stream {
        Stream::Log if line.contains(r#""message":"listening""#) => (r#""address":""#, '"'),
        Stream::Log => return None,
        Stream::Stdout => ("Listening on  http://", ' '),
    };
    line.split_once(before)?.1.split(after).next()?.parse().ok()
}
