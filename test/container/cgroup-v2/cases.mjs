// What is shown on cgroup v2. Each case runs in a container of its own, with busybox for a root file system.

const MIB = 1 << 20;
const NULL = { allow: true, type: "c", major: 1, minor: 3, access: "rwm" };

/**
 * @typedef Case
 * @property name part of the marker line
 * @property shows for the verdict
 * @property resources of the configuration
 * @property script for the container's shell
 * @property expect judges what `ringvisor oci run` gave: { code, output }, false for a limit that did not bite
 * @property control the same script without the resources must do this: the limit is what bites, nothing else
 */
export const CASES = [
  {
    name: "memory",
    shows: "memory.limit: a container that takes 200 MiB of 32 is killed",
    resources: { memory: { limit: 32 * MIB, swap: 32 * MIB } },
    script:
      "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory.swap.max; dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null; echo dd $?",
    expect: ({ output }) => output.includes(`${32 * MIB}\n`) && /^dd 137$/m.test(output),
    control: ({ output }) => /^dd 0$/m.test(output),
  },
  {
    name: "memory-reservation",
    shows: "memory.reservation and unified: memory.low, memory.high and cgroup.max.depth are set",
    resources: { memory: { reservation: 8 * MIB }, unified: { "memory.high": `${64 * MIB}`, "cgroup.max.depth": "3" } },
    script: "cd /sys/fs/cgroup; cat memory.low memory.high cgroup.max.depth",
    expect: ({ output }) => output === `${8 * MIB}\n${64 * MIB}\n3\n`,
    control: ({ output }) => output === "0\nmax\nmax\n",
  },
  {
    name: "pids",
    shows: "pids.limit: a shell that forks on and on gets no further than 8",
    resources: { pids: { limit: 8 } },
    script: "for each in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 100 & echo forked; done; echo all",
    expect: ({ output }) => output.match(/^forked$/gm)?.length === 7 && !/^all$/m.test(output),
    control: ({ output }) => /^all$/m.test(output),
  },
  {
    name: "cpu",
    shows: "cpu.quota and cpu.shares: a busy loop is throttled, shares are a weight",
    resources: { cpu: { quota: 10000, period: 100000, shares: 2048 } },
    script:
      "cd /sys/fs/cgroup; cat cpu.max cpu.weight; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; grep nr_throttled cpu.stat",
    expect: ({ output }) => /^10000 100000\n174\n/.test(output) && /^nr_throttled [1-9]/m.test(output),
    control: ({ output }) => /^max 100000\n100\n/.test(output) && /^nr_throttled 0$/m.test(output),
  },
  {
    name: "cpuset",
    shows: "cpu.cpus: one processor of several is left",
    resources: { cpu: { cpus: "0", mems: "0" } },
    script: "nproc; grep Cpus_allowed_list /proc/self/status",
    expect: ({ output }) => /^1\nCpus_allowed_list:\s+0$/m.test(output),
    control: ({ output }) => /Cpus_allowed_list:\s+0-/.test(output),
  },
  {
    name: "devices",
    shows: "devices: the eBPF program allows /dev/null, and denies a disk to be read or written",
    resources: { devices: [{ allow: false, access: "rwm" }, NULL] },
    script: [
      "echo > /dev/null && echo null written",
      "mknod /tmp/disk b 259 0 && echo disk made",
      "dd if=/tmp/disk of=/dev/null bs=512 count=1 2>/tmp/read && echo disk read",
      "grep -q 'not permitted' /tmp/read && echo disk denied",
      // Opens it without writing.
      "(: >> /tmp/disk) 2>/tmp/write && echo disk opened",
      "grep -q 'not permitted' /tmp/write && echo disk denied for writing",
      "true",
    ].join("; "),
    expect: ({ output }) => output === "null written\ndisk made\ndisk denied\ndisk denied for writing\n",
    controlResources: { devices: [{ allow: true, access: "rwm" }] },
    control: ({ output }) => output === "null written\ndisk made\ndisk read\ndisk opened\n",
  },
  {
    name: "io",
    shows: "blockIO: throttles of a disk are in io.max",
    resources: {
      blockIO: {
        throttleReadBpsDevice: [{ major: 259, minor: 0, rate: MIB }],
        throttleWriteIOPSDevice: [{ major: 259, minor: 0, rate: 100 }],
      },
    },
    script: "cat /sys/fs/cgroup/io.max",
    expect: ({ output }) => output === `259:0 rbps=${MIB} wbps=max riops=max wiops=100\n`,
    control: ({ output }) => output === "",
  },
];

/** What guest.mjs shows on a container that runs. */
export const VERBS = [
  { name: "processes", shows: "start: what the container forks is in its cgroup" },
  { name: "pause", shows: "pause: the kernel says that all of it is frozen" },
  { name: "resume", shows: "resume" },
  { name: "update", shows: "update: new limits of pids and memory" },
  { name: "events", shows: "events --stats: the counters" },
  { name: "kill", shows: "kill --all: no process is left" },
  { name: "delete", shows: "delete: no cgroup is left" },
  { name: "exec", shows: "exec: beside a process that the container has moved to a cgroup of its own" },
  { name: "delete-nested", shows: "delete --force: the cgroups that a container made are gone too" },
];
