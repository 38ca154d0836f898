# Busybox at work: text, compression, sorting, digests, processes. Sourced by the shell image's /init, or run
# natively by `busybox sh` with BB, DIR and XZ set. Prints the same lines as guestbench; CPU in steps of 10 ms.
BB=${BB:-/bin/busybox}
DIR=${DIR:-/tmp}
XZ=${XZ:-/data.xz}
cd "$DIR" || exit 1

now() { read -r NOW _ < /proc/uptime; }
# This shell and the children that it waited for.
cpu() { read -r _ _ _ _ _ _ _ _ _ _ _ _ _ CU CS CCU CCS _ < /proc/$$/stat; CPU=$((CU + CS + CCU + CCS)); }
go() { echo "GO $1"; NAME=$1; cpu; C0=$CPU; now; T0=$NOW; }
end() {
  now
  cpu
  $BB awk -v n="$NAME" -v a="$T0" -v b="$NOW" -v c="$1" -v d=$((CPU - C0)) \
    'BEGIN { printf "BENCH %s %.2f %s\nCPU %s %.2f\n", n, b - a, c, n, d / 100 }'
}
sum() { $BB md5sum | $BB cut -c1-16; }
zeroes() { $BB dd if=/dev/zero bs=65536 count=1024 2>/dev/null; }

go sh_gen_awk
$BB awk 'BEGIN {
  x = 42
  for (i = 0; i < 200000; i++) {
    x = (x * 16807) % 2147483647
    y = (x * 48271) % 2147483647
    printf "%010d line %06d key%05d %s tail\n", y, i, x % 99991, (x % 3) ? "alpha-beta" : "gamma"
  }
}' > d.txt
end "$($BB wc -c < d.txt)"
go sh_gzip9
$BB head -c 8388608 d.txt | $BB gzip -9 > d.gz
end "$($BB wc -c < d.gz)"
go sh_gunzip
$BB gzip -dc d.gz > d.out
end "$(sum < d.out)"
if [ -f "$XZ" ]; then
  go sh_unxz
  $BB unxz -c "$XZ" > d.out
  end "$(sum < d.out)"
fi
go sh_sort
$BB sort d.txt > d.srt
end "$(sum < d.srt)"
go sh_awkloop
V=$($BB awk 'BEGIN { s = 0; for (i = 0; i < 2000000; i++) s = (s * 31 + i) % 1000003; print s }')
end "$V"
go sh_grep
V=$($BB grep -c 'key[0-9]*7 .*-b[e]ta' d.txt)
end "$V"
go sh_md5
V=$(zeroes | sum)
end "$V"
go sh_sha256
V=$(zeroes | $BB sha256sum | $BB cut -c1-16)
end "$V"
go sh_spawn
i=0
while [ $i -lt 200 ]; do
  $BB true
  i=$((i + 1))
done
end $i
$BB rm -f d.txt d.gz d.out d.srt
