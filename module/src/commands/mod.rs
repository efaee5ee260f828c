//! The commands, one in each file: its description, then arguments, step and reply.

mod amount;
mod charge;
mod check;
mod checkall;
mod mcheck;
#[cfg(feature = "panic-command")]
mod panic;
mod peek;
mod refund;
mod reset;
mod syntax;
mod take;

use crate::redis::{RegisterError, Registrar};

/// Registers every command.
pub(crate) fn register(registrar: &Registrar) -> Result<(), RegisterError> {
    #[cfg(feature = "panic-command")]
    registrar.add::<panic::Panic>()?;
    registrar.add::<check::Check>()?;
    registrar.add::<peek::Peek>()?;
    registrar.add::<mcheck::MCheck>()?;
    registrar.add::<checkall::CheckAll>()?;
    registrar.add::<take::Take>()?;
    registrar.add::<refund::Refund>()?;
    registrar.add::<charge::Charge>()?;
    registrar.add::<reset::Reset>()
}
