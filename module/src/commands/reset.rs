//! `RL.RESET key [key ...]`: deletes buckets, so that they are full again. Replies their number. A
//! key that holds anything else is left alone and not counted.

use crate::error::CommandError;
use crate::redis::{Access, Argument, Call, Command, Description, Key, Keys};

pub(crate) struct Reset;

impl Command for Reset {
    const DESCRIPTION: Description = Description {
        name: c"rl.reset",
        summary: c"Deletes buckets, and only buckets.",
        complexity: c"O(N) where N is the number of keys",
        access: Access::Delete,
        keys: Keys::Every,
        arity: -2,
        arguments: &[Argument::keys(c"key")],
    };

    fn run(call: &Call<'_>) -> Result<(), CommandError> {
        if call.args().is_empty() {
            return Err(CommandError::Arity);
        }
        let mut deleted = 0i64;
        for &name in call.args() {
            let key = Key::open_to_write(call, name)?;
            if let Ok(Some(_)) = key.bucket() {
                key.delete();
                deleted = deleted.saturating_add(1);
            }
        }
        call.reply_integer(deleted);
        Ok(())
    }
}
