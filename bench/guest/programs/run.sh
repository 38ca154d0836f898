# Runs /bench/PROGRAM.sh RUNS times (BENCH_PROGRAM, BENCH_RUNS, BENCH_SCALE), in a guest or a chroot, as the other
# benchmarks do: lines GO, BENCH with a digest of what it printed, CPU.
BB=/bin/busybox
export PATH=/usr/bin:/bin LC_ALL=C HOME=/root BENCH_SCALE PYTHONPYCACHEPREFIX=/tmp/pycache PYTHONHASHSEED=0

now() { read -r NOW _ < /proc/uptime; }
# This shell and the children that it waited for.
cpu() { read -r _ _ _ _ _ _ _ _ _ _ _ _ _ CU CS CCU CCS _ < /proc/$$/stat; CPU=$((CU + CS + CCU + CCS)); }

# The work N, at least 1, at this scale.
scaled() { $BB awk -v n="$1" -v s="$BENCH_SCALE" 'BEGIN { v = int(n * s + 0.5); print v < 1 ? 1 : v }'; }

run=1
while [ $run -le "$BENCH_RUNS" ]; do
  $BB mkdir -p /tmp/work
  cd /tmp/work || exit 1
  name=$BENCH_PROGRAM-$run
  echo "GO $name"
  cpu; c0=$CPU; now; t0=$NOW
  (. /bench/workload.sh) > ../output 2> ../errors
  status=$?
  check=$($BB md5sum < ../output | $BB cut -c1-16)
  [ $status = 0 ] || check=status-$status
  now; cpu
  $BB awk -v n="$name" -v a="$t0" -v b="$NOW" -v c="$check" -v d=$((CPU - c0)) \
    'BEGIN { printf "BENCH %s %.2f %s\nCPU %s %.2f\n", n, b - a, c, n, d / 100 }'
  [ $status = 0 ] || $BB tail -n 5 ../errors
  [ "$BENCH_SHOW" != 1 ] || $BB cat ../output
  cd /
  $BB rm -rf /tmp/work
  run=$((run + 1))
done
