//! The configurations of `docs/proxies.md`, each in a real proxy before a real front.
//!
//! They are run as they stand on the page, except for ports and folders.

mod away;
mod kind;
mod requests;
mod site;
mod unix;

use site::Fails;

/// Why the tests of a proxy are skipped.
const ABSENT: &str = "the proxy is not here: `scripts/test --servers` fetches it";

/// Tests that call a function with the kind of proxy, and are skipped where that is missing.
macro_rules! tests {
    ($kind:ident; $($name:ident: $run:expr;)+) => {
        $(
            #[test]
            fn $name() {
                if $kind.program.is_absent() {
                    skip!("{ABSENT}");
                }
                $run(&$kind);
            }
        )+
    };
}

/// The tests of one proxy.
macro_rules! proxy {
    ($module:ident, $kind:ident, $($fails:ident $name:ident),+) => {
        mod $module {
            use rl_tests::skip;

            use super::kind::$kind;
            use super::{ABSENT, Fails, away, requests};

            tests! {
                $kind;
                limits: requests::limits;
                passes_the_rest_untouched: requests::passes;
                keeps_its_connections_to_the_front: requests::keeps_connections;
                carries_uploads: requests::carries_uploads;
                leaves_other_refusals_as_they_are: requests::leaves_other_refusals;
                denies_without_closing: requests::denies_without_closing;
                with_an_unknown_policy: away::with_unknown_policy;
            }

            $(
                mod $name {
                    use super::{ABSENT, Fails, $kind, away, skip};

                    tests! {
                        $kind;
                        without_a_front: |kind| away::without_front(kind, Fails::$fails);
                        with_a_stuck_front: |kind| away::with_stuck_front(kind, Fails::$fails);
                    }
                }
            )+
        }
    };
}

proxy!(nginx, NGINX, Closed closed, Open open);
proxy!(caddy, CADDY, Closed closed, Open open);
proxy!(haproxy, HAPROXY, Closed closed, Open open);
proxy!(traefik, TRAEFIK, Closed closed);
proxy!(envoy, ENVOY, Closed closed, Open open);
