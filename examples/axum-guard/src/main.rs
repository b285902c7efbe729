//! `axum-guard PUBLIC_KEY.pem [HOST:PORT]`: serves on this address, by default 127.0.0.1:8001, and accepts the tokens signed
//! with the private half of this key.
#![expect(clippy::print_stdout, reason = "prints the bind address")]

use std::error::Error;

use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: axum-guard PUBLIC_KEY.pem [HOST:PORT]")?;
    let address = std::env::args().nth(2).unwrap_or_else(|| "127.0.0.1:8001".to_owned());
    let verifier = axum_guard::verifier(&std::fs::read_to_string(path)?)?;
    let listener = TcpListener::bind(address).await?;
    println!("Listening on  http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, axum_guard::router(verifier)).await?)
}
