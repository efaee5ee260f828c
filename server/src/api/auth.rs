//! What the sender of a request may do.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header::AUTHORIZATION, web::Data};

use super::Problem;
use crate::{
    access::{Grant, Role, Tokens},
    limiter::{CheckRequest, LimitSource},
    reload::Reloadable,
};

/// The tokens in force; where there are none, everybody may do everything.
pub type Access = Option<Arc<Reloadable<Tokens>>>;

// === impl Grant ===

impl Grant {
    /// [`Problem::Role`] unless the grant includes what `role` may do.
    pub(super) fn needs(&self, role: Role) -> Result<(), Problem> {
        if self.includes(role) { Ok(()) } else { Err(Problem::Role) }
    }

    /// Whether this may be asked: about this key, and with a limit of its own.
    pub(super) fn allows(&self, question: &CheckRequest<'_>) -> Result<(), Problem> {
        if !self.owns(&question.key) {
            return Err(Problem::Prefix);
        }
        if matches!(question.policy, LimitSource::Inline(_)) && !self.includes(Role::Admin) {
            return Err(Problem::Role);
        }
        Ok(())
    }

    /// That of the sender of `request`.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Problem> {
        // Without tokens the data is there all the same; were it not, nobody would get in.
        match request.app_data::<Data<Access>>().map(|access| access.as_ref()) {
            Some(None) => Ok(Self::all()),
            Some(Some(tokens)) => of(request, &tokens.get()),
            None => Err(Problem::Unauthorized),
        }
    }
}

impl FromRequest for Grant {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

fn of(request: &HttpRequest, tokens: &Tokens) -> Result<Grant, Problem> {
    let header = request.headers().get(AUTHORIZATION).ok_or(Problem::Unauthorized)?;
    let token = match header.as_bytes().split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => token,
        _ => return Err(Problem::Unauthorized),
    };
    tokens.grant(token.trim_ascii()).cloned().ok_or(Problem::Unauthorized)
}
