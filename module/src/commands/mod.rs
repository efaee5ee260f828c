//! The commands. Each describes itself beside its handler.

mod check;

use crate::redis::{RegisterError, Registrar};

/// Registers every command.
pub(crate) fn register(registrar: &Registrar) -> Result<(), RegisterError> {
    registrar.add::<check::Check>()?;
    registrar.add::<check::Peek>()
}
