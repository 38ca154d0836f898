#!/bin/sh
# PID 1 of the Debian that QEMU boots: mounts cgroup v2 alone, runs the cases, powers off.
# Lines that begin with CGROUP are for run.mjs, which judges by them.
export PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C

mount -t proc proc /proc
mount -t sysfs sys /sys
[ -c /dev/null ] || mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup

finish() {
  echo "CGROUP-DONE $1"
  # Whatever the console still has to send.
  sync
  sleep 1
  echo o >/proc/sysrq-trigger
  while :; do sleep 60; done
}

. /etc/os-release
echo "CGROUP-UP $PRETTY_NAME $(cat /etc/debian_version), Linux $(uname -rv)"
echo "controllers: $(cat /sys/fs/cgroup/cgroup.controllers)"
echo "mounted: $(sed -n '/cgroup/p' /proc/self/mounts)"

cd /opt/ringvisor || finish "Ringvisor is not there"
node test/container/cgroup-v2/guest.mjs && finish ok
finish "a limit did not bite"
