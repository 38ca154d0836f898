#!/bin/sh
# PID 1 of the Debian that QEMU boots: loads kvm_amd, says what is what, tries KVM, runs Ringvisor, powers off.
# Lines that begin with NESTED are for run.mjs, which judges by them. The kernel hands over what stands behind
# "--" on its command line: whether the probe is the end.
export PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C

mount -t proc proc /proc
mount -t sysfs sys /sys
[ -c /dev/null ] || mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp

finish() {
  echo "NESTED-DONE $1"
  # Whatever the console still has to send.
  sync
  sleep 1
  echo o >/proc/sysrq-trigger
  while :; do sleep 60; done
}

. /etc/os-release
echo "NESTED-UP $PRETTY_NAME $(cat /etc/debian_version), Linux $(uname -rv)"
echo "processor: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) of them"
echo "memory: $(sed -n 's/^MemTotal: *//p' /proc/meminfo)"
echo "node: $(node --version)"

depmod && modprobe kvm_amd || finish "kvm_amd does not load"
dmesg | sed -n 's/^\[[^]]*\] //; /^SVM:\|^kvm:/p' | sed 's/^/dmesg: /'
lsmod | sed -n '/kvm/s/^/lsmod: /p'
echo "nested paging: $(cat /sys/module/kvm_amd/parameters/npt)"
[ -c /dev/kvm ] || finish "there is no /dev/kvm"
echo "NESTED-KVM-AMD"

/opt/probe || finish "the probe failed"
echo "NESTED-PROBE"

cd /opt/ringvisor || finish "Ringvisor is not there"
[ "$1" = probe ] && finish ok
node test/nested/guest.mjs && finish ok
finish "Ringvisor failed"
