set -e
i=0
while [ $i -lt "$(scaled 4)" ]; do
  i=$((i + 1))
  for file in float integer main memory system text; do gcc -O2 -g0 -c -DTIMES=$i -o $file.o /bench/$file.c; done
  gcc -static -Wl,--build-id=none -o program *.o
  $BB md5sum *.o program
done
gcc -O2 -S -fno-asynchronous-unwind-tables -o - /bench/integer.c
