// Resource limits: what the kernel was told, and that it holds.
import { blockDevice, cgroupFile, cgroups, hostFile } from "../../lib/host.mjs";
import { BUSYBOX as IMAGE } from "../images.mjs";
import { equal, matches, until } from "../podman.mjs";

/** Reads a control file of the container's own group, on the host and of either version. */
function limit(podman, id, controller, v1, v2) {
  const pid = podman.inspect(id, "{{.State.Pid}}");
  return cgroupFile(pid, controller, v1, v2);
}

const started = (podman, ...options) => podman.out("run", "--detach", ...options, IMAGE, "sleep", "1000");

export const limitChecks = {
  "--memory": (podman) => {
    const id = started(podman, "--memory", "64m");
    equal(limit(podman, id, "memory", "memory.limit_in_bytes", "memory.max"), "67108864");
  },
  "--memory: out of memory is SIGKILL, and said": (podman) => {
    const hog = "head -c 200m /dev/zero | tail";
    const words = [
      "run",
      "--name",
      "hog",
      "--memory",
      "32m",
      "--memory-swap",
      "32m",
      IMAGE,
      "sh",
      "-c",
      `exec sh -c '${hog}'`,
    ];
    const { status } = podman.run(words);
    if (status === 0) throw new Error("200 MB fit into 32 MB");
    equal(status, 137);
  },
  "--memory-reservation, --memory-swap, --memory-swappiness": (podman) => {
    const id = started(podman, "--memory", "64m", "--memory-reservation", "32m", "--memory-swap", "128m");
    equal(limit(podman, id, "memory", "memory.soft_limit_in_bytes", "memory.low"), "33554432");
  },
  "--cpus": (podman) => {
    const id = started(podman, "--cpus", "0.5");
    matches(limit(podman, id, "cpu", "cpu.cfs_quota_us", "cpu.max"), /^50000/);
  },
  "--cpu-shares": (podman) => {
    const id = started(podman, "--cpu-shares", "512");
    matches(limit(podman, id, "cpu", "cpu.shares", "cpu.weight"), /^(512|20)$/);
  },
  "--cpuset-cpus": (podman) =>
    equal(
      podman.out("run", "--rm", "--cpuset-cpus", "0", IMAGE, "grep", "Cpus_allowed_list", "/proc/self/status"),
      "Cpus_allowed_list:\t0",
    ),
  "--pids-limit": (podman) => {
    const forks = "for i in $(seq 40); do sleep 5 & done";
    const id = started(podman, "--pids-limit", "10");
    equal(limit(podman, id, "pids", "pids.max", "pids.max"), "10");
    const { stdout, stderr } = podman.run(["run", "--rm", "--pids-limit", "10", IMAGE, "sh", "-c", forks]);
    matches(stdout + stderr, /fork|resource temporarily/i);
  },
  "--blkio-weight, --device-read-bps": (podman) => {
    const device = blockDevice();
    const id = started(podman, "--device-read-bps", `${device}:1mb`);
    matches(limit(podman, id, "blkio", "blkio.throttle.read_bps_device", "io.max"), /1048576/);
  },
  "update: memory, cpus, pids": (podman) => {
    const id = started(podman, "--memory", "64m", "--cpus", "1");
    podman.out("update", "--memory", "128m", "--cpus", "0.25", id);
    equal(limit(podman, id, "memory", "memory.limit_in_bytes", "memory.max"), "134217728");
    matches(limit(podman, id, "cpu", "cpu.cfs_quota_us", "cpu.max"), /^25000/);
  },
  stats: async (podman) => {
    const id = started(podman, "--memory", "64m");
    const line = podman.out("stats", "--no-stream", "--no-reset", "--format", "{{.PIDs}} {{.MemUsage}}", id);
    matches(line, /^1 .* \/ 67\.11MB$/);
  },
  "--cgroup-parent": (podman) => {
    const id = started(podman, "--cgroup-parent", "/ringvisor-test-parent");
    const pid = podman.inspect(id, "{{.State.Pid}}");
    matches(hostFile(`/proc/${pid}/cgroup`), /ringvisor-test-parent\/libpod-/);
  },
  "the control group goes with the container": async (podman) => {
    const id = started(podman);
    podman.out("rm", "--force", "--time=0", id);
    await until("no control group", () => !cgroups().some((path) => path.includes(id)));
  },
  "--cgroupns=private and host": (podman) => {
    const inside = podman.out("run", "--rm", "--cgroupns=private", IMAGE, "cat", "/proc/self/cgroup");
    if (/libpod/.test(inside)) throw new Error(`a private cgroup namespace shows ${inside}`);
    matches(podman.out("run", "--rm", "--cgroupns=host", IMAGE, "cat", "/proc/self/cgroup"), /libpod/);
  },
  "--ulimit": (podman) => {
    const limits = ["nofile=100:200", "core=0:0", "nproc=4000:4000"].flatMap((limit) => ["--ulimit", limit]);
    const words = ["run", "--rm", ...limits, IMAGE, "sh", "-c"];
    equal(podman.out(...words, "ulimit -Sn; ulimit -Hn; ulimit -c"), "100\n200\n0");
  },
  "--shm-size": (podman) =>
    matches(podman.out("run", "--rm", "--shm-size", "3m", IMAGE, "df", "-k", "/dev/shm"), /\s3072\s/),
  "--oom-score-adj": (podman) =>
    equal(podman.out("run", "--rm", "--oom-score-adj", "345", IMAGE, "cat", "/proc/self/oom_score_adj"), "345"),
  "--sysctl": (podman) => {
    const words = ["--sysctl", "net.ipv4.ip_default_ttl=33", "--sysctl", "kernel.msgmax=4321"];
    const files = ["/proc/sys/net/ipv4/ip_default_ttl", "/proc/sys/kernel/msgmax"];
    equal(podman.out("run", "--rm", ...words, IMAGE, "cat", ...files), "33\n4321");
    const { status } = podman.run(["run", "--rm", "--sysctl", "net.ipv4.no_such_thing=1", IMAGE, "true"]);
    if (status < 125) throw new Error("a sysctl that does not exist is not an error");
  },
};
