# One row of scripts/demo: each front's decisions for each caller, in a second of nginx's log.
{ n[$3, $NF == front1 ? 1 : 2, $4]++; failed += $4 == "failed" }
END {
  printf "%4d s  ", second
  split("alice bob jobs", callers)
  for (c = 1; c <= 3; c++) {
    for (f = 1; f <= 2; f++)
      printf "%s%5d%s%s%4d%s   ", green, n[callers[c], f, "allowed"], plain,
        red, n[callers[c], f, "denied"], plain
    printf "  "
  }
  print ""
  for (f = 1; f <= 2; f++)
    if (n["you", f, "allowed"] + n["you", f, "denied"])
      printf "        you, front %d: %d allowed, %d denied\n",
        f, n["you", f, "allowed"], n["you", f, "denied"]
  if (failed) printf "        %d not answered\n", failed
}
