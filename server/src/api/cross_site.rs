//! Requests that a page of another site makes through its reader's browser.
//!
//! A page may send a `POST` with a text body to any address that the browser reaches, such as a
//! front on localhost or an intranet; only the response is kept from it. Browsers mark such
//! requests, and a page cannot remove the marks. Other programs send neither header.

use actix_web::{
    HttpRequest,
    http::header::{HOST, HeaderName, HeaderValue, ORIGIN},
};

use super::problem::Problem;

/// Whose page made a request (W3C Fetch Metadata). Sent over HTTPS and to localhost only.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// [`Problem::CrossSite`] if a browser marks the request as made by a page of another origin.
pub(super) fn refuse(request: &HttpRequest) -> Result<(), Problem> {
    let headers = request.headers();
    let is_own = match headers.get(SEC_FETCH_SITE) {
        // `none`: made by the reader, not by a page.
        Some(site) => matches!(site.as_bytes(), b"same-origin" | b"none"),
        None => headers.get(ORIGIN).is_none_or(|origin| is_origin(origin, headers.get(HOST))),
    };
    if is_own { Ok(()) } else { Err(Problem::CrossSite) }
}

/// Whether an origin (RFC 6454) is that of `host`. The scheme is not compared: TLS may end at a
/// proxy.
fn is_origin(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let (Ok(origin), Some(Ok(host))) = (origin.to_str(), host.map(HeaderValue::to_str)) else {
        return false;
    };
    origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::{Problem, refuse};

    #[test]
    fn requests_by_pages_of_other_origins_are_refused() {
        const SITE: &str = "sec-fetch-site";
        const ORIGIN: &str = "origin";
        for (headers, is_own) in [
            (&[][..], true),
            (&[(SITE, "same-origin")], true),
            (&[(SITE, "none")], true),
            (&[(SITE, "cross-site")], false),
            (&[(SITE, "same-site")], false),
            (&[(SITE, "")], false),
            (&[(ORIGIN, "http://rl:8080")], true),
            (&[(ORIGIN, "https://RL:8080")], true),
            (&[(ORIGIN, "http://rl")], false),
            (&[(ORIGIN, "http://rl:80801")], false),
            (&[(ORIGIN, "http://evil.example")], false),
            (&[(ORIGIN, "null")], false),
            (&[(ORIGIN, "")], false),
            // A proxy may replace the host: what the browser says of the site is more certain.
            (&[(SITE, "same-origin"), (ORIGIN, "https://rl.example")], true),
            (&[(SITE, "cross-site"), (ORIGIN, "http://rl:8080")], false),
        ] {
            let mut request = TestRequest::post().insert_header(("host", "rl:8080"));
            for header in headers {
                request = request.insert_header(*header);
            }
            let expected = if is_own { Ok(()) } else { Err(Problem::CrossSite) };
            assert_eq!(refuse(&request.to_http_request()), expected, "{headers:?}");
        }
    }
}
