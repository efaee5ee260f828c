//! The commands. Each describes itself beside its handler.

mod amount;
mod check;
#[cfg(feature = "panic-command")]
mod panic;
mod reset;
mod several;

use crate::redis::{RegisterError, Registrar};

/// Registers every command.
pub(crate) fn register(registrar: &Registrar) -> Result<(), RegisterError> {
    #[cfg(feature = "panic-command")]
    registrar.add::<panic::Panic>()?;
    registrar.add::<check::Check>()?;
    registrar.add::<check::Peek>()?;
    registrar.add::<several::MCheck>()?;
    registrar.add::<several::CheckAll>()?;
    registrar.add::<amount::Take>()?;
    registrar.add::<amount::Refund>()?;
    registrar.add::<amount::Charge>()?;
    registrar.add::<reset::Reset>()
}
