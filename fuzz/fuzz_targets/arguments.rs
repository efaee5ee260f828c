//! Parses any list of words with the module's own argument parser, without a server.

#![no_main]

#[path = "../../module/src/args.rs"]
#[allow(dead_code)]
mod args;
#[path = "../../module/src/error.rs"]
#[allow(dead_code)]
mod error;

/// The part of the server interface that the parser uses.
mod redis {
    #[derive(Clone, Copy)]
    pub(crate) struct Arg<'a>(pub(crate) &'a [u8]);

    pub(crate) struct Call<'a>(pub(crate) &'a [Arg<'a>]);

    impl<'a> Arg<'a> {
        pub(crate) fn bytes(self) -> &'a [u8] {
            self.0
        }
    }

    impl<'a> Call<'a> {
        pub(crate) fn args(&self) -> &'a [Arg<'a>] {
            self.0
        }
    }
}

use args::CheckArgs;
use libfuzzer_sys::fuzz_target;
use redis::{Arg, Call};

// Words are separated by spaces, so that plain text can serve as a corpus.
fuzz_target!(|line: &[u8]| {
    let words: Vec<_> = line.split(|byte| *byte == b' ').map(Arg).collect();
    let call = Call(&words);
    let one = CheckArgs::one(&call);
    let amount = CheckArgs::amount(&call);
    let several = CheckArgs::several(&call);
    assert_eq!(amount.is_ok(), words.len() == 4 && several.is_ok());
    if let (Ok(one), Ok(amount)) = (&one, &amount) {
        assert!(one.limit == amount.limit && one.cost == amount.cost);
    }
    match several {
        Ok(checks) => assert_eq!(checks.len() * 4, words.len()),
        Err(error) => {
            let (code, text) = error.parts();
            assert!(code.len() + text.len() < 250);
        }
    }
});
