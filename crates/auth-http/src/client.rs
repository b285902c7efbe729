//! Who is at the other end of a connection, also behind proxies.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, web};
use auth_core::token::ClientInfo;

use crate::app::App;

/// The address of the client of a request; `None` where there is no connection.
pub(crate) fn client_address(peer: Option<SocketAddr>, headers: &HeaderMap, app: Option<&App>) -> Option<IpAddr> {
    let peer = peer?.ip();
    Some(app.map_or(peer, |app| app.settings.trusted_proxies.client(peer, headers)))
}

/// What is known of the client of a request: its IP and `User-Agent`, for the session that begins with it.
pub fn client(request: &HttpRequest) -> ClientInfo {
    let app = request.app_data::<web::Data<App>>().map(|app| app.get_ref());
    let address = client_address(request.peer_addr(), request.headers(), app);
    let user_agent = request.headers().get(actix_web::http::header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    ClientInfo::new(address.map(|address| address.to_string()), user_agent)
}
