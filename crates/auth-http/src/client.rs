//! The client of a request: client IP and `User-Agent`.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{HeaderMap, USER_AGENT};
use actix_web::{HttpRequest, web};
use auth_core::token::ClientInfo;

use crate::app::App;

/// Returns the client IP of a request; `None` if the request did not arrive over a connection, as in tests.
pub(crate) fn client_ip(peer: Option<SocketAddr>, headers: &HeaderMap, app: Option<&App>) -> Option<IpAddr> {
    let peer = peer?.ip();
    let Some(app) = app else { return Some(peer) };
    let proxies = &app.settings.trusted_proxies;
    // Logged only once, because any client can send the header.
    if proxies.ignores(peer, headers) && app.state.is_first_proxy_warning() {
        tracing::warn!(
            peer = %peer.to_canonical(),
            "X-Forwarded-For from a peer that is not a trusted proxy is ignored; if this is your proxy, add it to \
             server.trusted_proxies, otherwise all users behind it share one client IP and its limits"
        );
    }
    Some(proxies.client(peer, headers))
}

/// Returns the client IP and `User-Agent` of a request, to be stored with a session that the request starts.
pub fn client(request: &HttpRequest) -> ClientInfo {
    let app = request.app_data::<web::Data<App>>().map(|app| app.get_ref());
    let ip = client_ip(request.peer_addr(), request.headers(), app);
    let user_agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    ClientInfo::new(ip.map(|ip| ip.to_string()), user_agent)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use auth_conformance::TestService;

    use super::*;
    use crate::settings::TrustedProxies;

    #[test]
    fn an_untrusted_proxy_is_warned_about_once_per_application() {
        let tokens = TestService::builder().build().tokens;
        let trusted = TrustedProxies::parse(["10.0.0.0/8"]).unwrap();
        for (peer, forwarded, warned) in [
            ("192.0.2.1:80", Some("198.51.100.7"), true),
            ("192.0.2.1:80", None, false),
            ("10.0.0.1:80", Some("198.51.100.7"), false),
            ("[::ffff:10.0.0.1]:80", Some("198.51.100.7"), false),
            ("192.0.2.1:80", Some("198.51.100.7"), true),
        ] {
            let mut app = App::new(tokens.clone());
            app.settings.trusted_proxies = trusted.clone();
            let forwarded = forwarded.map(|ip| ("x-forwarded-for".parse().unwrap(), HeaderValue::from_static(ip)));
            client_ip(peer.parse().ok(), &HeaderMap::from_iter(forwarded), Some(&app));
            assert_eq!(!app.state.is_first_proxy_warning(), warned, "{peer}");
        }
    }
}
