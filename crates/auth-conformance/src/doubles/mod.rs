//! Test doubles for the ports other than storage, and builders of test values. None of them protects anything.

mod builders;
mod clock;
mod events;
mod hasher;
mod mailer;
mod plain_secret;
mod ports;
mod randomness;
mod signer;

pub use builders::{
    BEGINNING, at, code_id, code_of, email, hash_of, login_email, mac, message_id, new_email, new_request, new_user,
    person_name, session_id, session_of, successor_of, user_of, username,
};
pub use clock::FixedClock;
pub use events::RecordedEvents;
pub use hasher::PlainHasher;
pub use mailer::RecordedMailer;
pub use plain_secret::PlainSecret;
pub use ports::memory_ports;
pub use randomness::SeededRandomness;
pub use signer::PlainSigner;
