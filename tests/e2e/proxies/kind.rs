//! The proxies of the page, and how to start each of them.

use rl_tests::ProxyProgram;

/// A proxy of the page.
pub(super) struct Kind {
    pub(super) program: ProxyProgram,
    /// The page's files, by name.
    pub(super) files: &'static [&'static str],
    /// A file that the page leaves to the installation: its name and text.
    pub(super) main_file: Option<(&'static str, &'static str)>,
    /// Whether allowed answers have the `RateLimit` header.
    pub(super) has_rate_limit: bool,
    /// Whether a client that waits for `100 Continue` is denied before it sends its body.
    pub(super) spares_uploads: bool,
    /// The status that a client gets when the front does not answer.
    pub(super) closed_status: u16,
    /// The status that a client gets when the front refuses the proxy's request with 404.
    pub(super) refused_status: u16,
    /// A change of the page's files after which the proxy itself answers 403 to the client
    /// 127.0.0.9: a text that occurs once in them, and its replacement.
    pub(super) forbids: (&'static str, &'static str),
}

pub(super) const NGINX: Kind = Kind {
    program: ProxyProgram {
        name: "nginx",
        variable: None,
        arguments: &["-p", ".", "-c", "nginx.conf"],
    },
    files: &["app.conf"],
    // One process, so that it can be killed.
    main_file: Some((
        "nginx.conf",
        "daemon off; master_process off; pid pid; error_log stderr; events {}
        http {
            access_log off; client_body_temp_path body; proxy_temp_path proxy;
            fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
            include app.conf;
        }",
    )),
    has_rate_limit: true,
    spares_uploads: false,
    closed_status: 503,
    refused_status: 503,
    forbids: ("auth_request /rl;", "auth_request /rl; deny 127.0.0.9; location /body/ { root .; }"),
};

pub(super) const CADDY: Kind = Kind {
    program: ProxyProgram {
        name: "caddy",
        variable: None,
        arguments: &["run", "--adapter", "caddyfile", "--config", "Caddyfile"],
    },
    files: &["app.caddy"],
    main_file: Some(("Caddyfile", "{\n\tadmin off\n}\nimport app.caddy\n")),
    has_rate_limit: true,
    spares_uploads: true,
    closed_status: 503,
    refused_status: 503,
    forbids: (
        "\troute {",
        "\t@banned remote_ip 127.0.0.9\n\thandle @banned {\n\t\terror 403\n\t}\n\troute {",
    ),
};

pub(super) const HAPROXY: Kind = Kind {
    program: ProxyProgram { name: "haproxy", variable: None, arguments: &["-f", "haproxy.cfg"] },
    files: &["haproxy.cfg", "rl.lua"],
    main_file: None,
    has_rate_limit: true,
    spares_uploads: true,
    closed_status: 503,
    refused_status: 503,
    forbids: (
        "http-request lua.rl_check\n",
        "http-request deny if { src 127.0.0.9 }\n    http-request lua.rl_check\n",
    ),
};

pub(super) const TRAEFIK: Kind = Kind {
    program: ProxyProgram {
        name: "traefik",
        variable: Some("RL_TRAEFIK"),
        arguments: &["--configfile=traefik.yml"],
    },
    files: &["traefik.yml", "dynamic.yml"],
    main_file: None,
    has_rate_limit: false,
    spares_uploads: true,
    closed_status: 500,
    refused_status: 404,
    forbids: (
        "[rl]\n  middlewares:\n",
        r#"[own, rl]
  middlewares:
    own: {ipAllowList: {sourceRange: ["127.0.0.0/29", "127.0.0.250"]}}
"#,
    ),
};

pub(super) const ENVOY: Kind = Kind {
    program: ProxyProgram {
        name: "envoy",
        variable: Some("RL_ENVOY"),
        arguments: &["-c", "envoy.yaml", "--disable-hot-restart", "--concurrency", "1"],
    },
    files: &["envoy.yaml"],
    main_file: None,
    has_rate_limit: true,
    spares_uploads: false,
    closed_status: 503,
    refused_status: 404,
    forbids: (
        "          - name: envoy.filters.http.ext_authz\n",
        r#"          - name: envoy.filters.http.rbac
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
              rules:
                action: DENY
                policies:
                  own:
                    permissions: [{any: true}]
                    principals: [{direct_remote_ip: {address_prefix: 127.0.0.9, prefix_len: 32}}]
          - name: envoy.filters.http.ext_authz
"#,
    ),
};
