# The totals of scripts/demo: what both fronts admitted, beside what one limit admits in that time.
# Exits with 1 if they admitted more.
{
  start = $1 - $2
  if (!($3 in first) || start < first[$3]) first[$3] = start
  if ($1 > last[$3]) last[$3] = $1
  n[$3, $NF == front1 ? 1 : 2, $4]++
}
function caller(name, capacity, rate, written,    time, most, front) {
  time = last[name] - first[name] + 0.002 # the log is in milliseconds
  most = capacity + rate * time
  for (f = 1; f <= 2; f++) front[f] = n[name, f, "allowed"] + 0
  printf "%-6s %-9s one limit admits %.1f in %.1f s; ", name, written, most, time
  printf "admitted by front 1: %d, front 2: %d, both: %d\n", front[1], front[2], front[1] + front[2]
  if (front[1] + front[2] > most) broken = 1
}
END {
  caller("alice", 5, 5, "5, 5/s")
  caller("bob", 20, 20 / 86400, "20, 20/d")
  caller("jobs", 30, 30, "30, 30/s")
  if (degraded) printf "%d checks were decided without Redis, by each front alone.\n", degraded
  if (broken) print "BROKEN: two fronts together admitted more than one limit admits."
  else print "Two fronts together admitted no more than one limit admits."
  exit broken
}
