//! The caller of a request, and what its token permits.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header::AUTHORIZATION, web::Data};

use super::problem::Problem;
use crate::{
    access::{Grant, Role, Tokens},
    limiter::{CheckRequest, LimitSource},
    reload::Reloadable,
};

/// The tokens in force. If there is no token file, every caller may do everything.
pub type Access = Option<Arc<Reloadable<Tokens>>>;

/// The caller of a request, by its grant.
pub(super) struct Caller {
    grant: Grant,
    /// The generation of the tokens that the grant is from.
    generation: Option<u64>,
}

// === impl Caller ===

impl Caller {
    /// The caller that sent `request`; [`Problem::Unauthorized`] without a valid token.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Problem> {
        // `Access` is set on every listener. If it were missing, all callers would be refused.
        match request.app_data::<Data<Access>>().map(|access| access.as_ref()) {
            Some(None) => Ok(Self { grant: Grant::all(), generation: None }),
            Some(Some(tokens)) => {
                // Read first: tokens that are newer than it are looked at once more.
                let generation = Some(tokens.generation());
                Ok(Self { grant: grant(request, &tokens.get())?, generation })
            }
            None => Err(Problem::Unauthorized),
        }
    }

    /// Looks at the token again, once the body of `request` has been read: it may have been
    /// withdrawn while the body was awaited.
    pub(super) fn renew(&mut self, request: &HttpRequest, role: Role) -> Result<(), Problem> {
        let Some(generation) = self.generation else { return Ok(()) };
        let access = request.app_data::<Data<Access>>().and_then(|access| access.as_ref().as_ref());
        if access.is_none_or(|tokens| tokens.generation() != generation) {
            *self = Self::of(request)?;
            self.require_role(role)?;
        }
        Ok(())
    }

    /// [`Problem::MissingRole`] unless the grant includes `role`.
    pub(super) fn require_role(&self, role: Role) -> Result<(), Problem> {
        if self.grant.includes(role) { Ok(()) } else { Err(Problem::MissingRole) }
    }

    /// [`Problem::OutsidePrefix`] unless the grant covers every key.
    pub(super) fn require_every_key(&self) -> Result<(), Problem> {
        if self.has_every_key() { Ok(()) } else { Err(Problem::OutsidePrefix) }
    }

    /// Whether the grant covers every key.
    pub(super) fn has_every_key(&self) -> bool {
        self.grant.prefix().is_none()
    }

    /// Requires of the key the prefix of the grant, which the limiter looks for;
    /// [`Problem::MissingRole`] for an inline limit without the role `admin`.
    pub(super) fn authorize<'c>(&'c self, check: &mut CheckRequest<'c>) -> Result<(), Problem> {
        check.prefix = self.grant.prefix();
        if matches!(check.source, LimitSource::Inline(_)) {
            self.require_role(Role::Admin)?;
        }
        Ok(())
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

/// The grant of the bearer token (RFC 6750) in a request.
///
/// Of several `Authorization` headers none counts: one of them may come from the client of a proxy,
/// and another from the proxy. An empty token is never valid.
fn grant(request: &HttpRequest, tokens: &Tokens) -> Result<Grant, Problem> {
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let (Some(header), None) = (headers.next(), headers.next()) else {
        return Err(Problem::Unauthorized);
    };
    let token = match header.as_bytes().split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => token.trim_ascii(),
        _ => return Err(Problem::Unauthorized),
    };
    if token.is_empty() {
        return Err(Problem::Unauthorized);
    }
    tokens.grant(token).cloned().ok_or(Problem::Unauthorized)
}
