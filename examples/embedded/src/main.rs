//! `embedded [HOST:PORT]`: listens on this bind address, by default 127.0.0.1:8002, with the user `alice@example.com`
//! whose password is `correct horse`. Users, sessions and the signing key are lost when the process ends.
#![expect(clippy::print_stdout, reason = "prints the bind address")]

use std::error::Error;

use actix_web::{App, HttpServer};
use auth_crypto::{KeyRing, RingOptions, SigningKey, generate_ed25519_pem};
use embedded::store::Store;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8002".to_owned());
    let store = Store::default();
    store.add_user("alice@example.com", bcrypt::hash("correct horse", bcrypt::DEFAULT_COST)?);
    let keys = KeyRing::new(SigningKey::from_pem(None, &generate_ed25519_pem()?)?, Vec::new(), RingOptions::default())?;
    let service = embedded::Service::new(store, keys)?;
    let server = HttpServer::new(move || App::new().configure(|config| service.configure(config))).bind(address)?;
    server.addrs().iter().for_each(|address| println!("Listening on  http://{address}"));
    Ok(server.run().await?)
}
