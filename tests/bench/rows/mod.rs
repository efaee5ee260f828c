//! What is measured, row by row. [`crate::figures`] says what is made of it.

mod http;
mod instructions;
mod redis;
mod stores;

use crate::bench::Bench;

/// One row's measurements, which it takes under its name.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut Bench, &str),
}

/// Rows by name, in the order in which they run. A name says what is compared.
pub(crate) const ROWS: &[Row] = &[
    Row { name: "check-100k", run: |bench, row| redis::check(bench, row, 100_000) },
    Row { name: "check-1m", run: |bench, row| redis::check(bench, row, 1_000_000) },
    Row { name: "check-short-lived", run: redis::short_lived },
    Row { name: "check-hot", run: redis::hot },
    Row { name: "peek", run: redis::peek },
    Row { name: "mcheck", run: redis::mcheck },
    Row { name: "lua-check", run: redis::lua_check },
    Row { name: "lua-mcheck", run: redis::lua_mcheck },
    Row { name: "instructions", run: instructions::run },
    Row {
        name: "http-memory",
        run: |bench, row| http::against_bare(bench, row, http::Over::Memory),
    },
    Row {
        name: "http-redis",
        run: |bench, row| http::against_bare(bench, row, http::Over::Module),
    },
    Row { name: "http-lua", run: |bench, row| http::against_bare(bench, row, http::Over::Lua) },
    Row {
        name: "http-batch-memory",
        run: |bench, row| http::batch(bench, row, http::Over::Memory),
    },
    Row { name: "http-batch-redis", run: |bench, row| http::batch(bench, row, http::Over::Module) },
    Row { name: "http-deny", run: http::deny },
    Row { name: "http-hot-memory", run: |bench, row| http::hot(bench, row, http::Over::Memory) },
    Row { name: "http-hot-redis", run: |bench, row| http::hot(bench, row, http::Over::Module) },
    Row { name: "http-get", run: http::get },
];
