// Mounts: volumes, propagation, tmpfs, a read-only root, devices.
import { spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hostFile } from "../../lib/host.mjs";
import { BUSYBOX as IMAGE } from "../images.mjs";
import { equal, matches, until } from "../podman.mjs";

/** An empty folder of the host. */
function hostFolder(podman, name) {
  const folder = join(podman.folder, "volumes", name);
  mkdirSync(folder, { recursive: true });
  return folder;
}

const sh = (podman, options, script) => podman.out("run", "--rm", ...options, IMAGE, "sh", "-c", script);

function mountTmpfs(path) {
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "ringvisor-test", path], { encoding: "utf8" });
  if (status !== 0) throw new Error(`cannot mount on ${path}: ${stderr}`);
}
const unmount = (path) => spawnSync("umount", ["--lazy", path]);

export const storageChecks = {
  "volume: read-write": (podman) => {
    const folder = hostFolder(podman, "rw");
    sh(podman, ["--volume", `${folder}:/data`], "echo written > /data/file");
    equal(readFileSync(join(folder, "file"), "utf8"), "written\n");
  },
  "volume: read-only": (podman) => {
    const folder = hostFolder(podman, "ro");
    writeFileSync(join(folder, "file"), "host");
    equal(
      sh(podman, ["--volume", `${folder}:/data:ro`], "cat /data/file; echo x > /data/new || echo refused"),
      "hostrefused",
    );
    equal(existsSync(join(folder, "new")), false);
  },
  "volume: read-only with mounts below it": (podman) => {
    const folder = hostFolder(podman, "recursive");
    const below = join(folder, "below");
    mkdirSync(below, { recursive: true });
    mountTmpfs(below);
    try {
      equal(sh(podman, ["--volume", `${folder}:/data:ro`], "echo x > /data/new || echo refused"), "refused");
      equal(sh(podman, ["--mount", `type=bind,src=${folder},dst=/data`], "grep -c ' /data' /proc/mounts"), "2");
      equal(
        sh(
          podman,
          ["--mount", `type=bind,src=${folder},dst=/data,bind-nonrecursive=true`],
          "grep -c ' /data' /proc/mounts",
        ),
        "1",
      );
    } finally {
      unmount(below);
    }
  },
  "volume: one file": (podman) => {
    const file = join(hostFolder(podman, "file"), "one");
    writeFileSync(file, "content");
    equal(sh(podman, ["--volume", `${file}:/etc/deep/er/one:ro`], "cat /etc/deep/er/one"), "content");
  },
  "volume: nosuid, nodev, noexec": (podman) => {
    const folder = hostFolder(podman, "options");
    const options = sh(podman, ["--volume", `${folder}:/data:nosuid,nodev,noexec`], "grep ' /data ' /proc/mounts");
    matches(options, /nosuid,nodev,noexec/);
  },
  "volume: named, kept, shared by --volumes-from": (podman) => {
    sh(podman, ["--volume", "named:/data"], "echo kept > /data/file");
    podman.out("create", "--name", "holder", "--volume", "named:/data", IMAGE);
    equal(sh(podman, ["--volumes-from", "holder"], "cat /data/file"), "kept");
  },
  "volume: what the image has there is copied up": (podman) =>
    equal(sh(podman, ["--volume", "fresh:/www"], "cat /www/index.html"), "served"),
  "volume: overlay": (podman) => {
    const folder = hostFolder(podman, "overlay");
    writeFileSync(join(folder, "file"), "host");
    equal(sh(podman, ["--volume", `${folder}:/data:O`], "echo inside > /data/file; cat /data/file"), "inside");
    equal(readFileSync(join(folder, "file"), "utf8"), "host");
  },
  "volume: owned by the container's user": (podman) => {
    const folder = hostFolder(podman, "owned");
    sh(podman, ["--user", "1000", "--volume", `${folder}:/data:U`], "touch /data/file");
    equal(statSync(join(folder, "file")).uid, 1000);
    chownSync(folder, 0, 0);
  },
  "propagation rslave: the host's later mount appears": (podman) => {
    const folder = hostFolder(podman, "slave");
    mkdirSync(join(folder, "later"), { recursive: true });
    const id = podman.out("run", "--detach", "--volume", `${folder}:/data:rslave`, IMAGE, "sleep", "1000");
    mountTmpfs(join(folder, "later"));
    try {
      equal(podman.out("exec", id, "grep", "-c", " /data/later ", "/proc/mounts"), "1");
    } finally {
      unmount(join(folder, "later"));
    }
  },
  "propagation rprivate: it does not": (podman) => {
    const folder = hostFolder(podman, "private");
    mkdirSync(join(folder, "later"), { recursive: true });
    const id = podman.out("run", "--detach", "--volume", `${folder}:/data`, IMAGE, "sleep", "1000");
    mountTmpfs(join(folder, "later"));
    try {
      equal(podman.run(["exec", id, "grep", "-c", " /data/later ", "/proc/mounts"]).stdout, "0\n");
    } finally {
      unmount(join(folder, "later"));
    }
  },
  "propagation rshared: a mount inside appears on the host": (podman) => {
    const folder = hostFolder(podman, "shared");
    mkdirSync(join(folder, "later"), { recursive: true });
    const options = ["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined"];
    const script = "mount -t tmpfs inner /data/later && echo mounted; sleep 1000";
    const id = podman.out(
      "run",
      "--detach",
      ...options,
      "--volume",
      `${folder}:/data:rshared`,
      IMAGE,
      "sh",
      "-c",
      script,
    );
    try {
      return until("the mount", () => hostFile("/proc/self/mounts").includes(`${folder}/later`));
    } finally {
      podman.run(["stop", "--time=0", id]);
      unmount(join(folder, "later"));
    }
  },
  "--tmpfs with a size and a mode": (podman) => {
    const script = "stat -c %a /scratch; head -c 3m /dev/zero > /scratch/big || echo full";
    equal(sh(podman, ["--tmpfs", "/scratch:size=1m,mode=1750"], `${script} 2>/dev/null`), "1750\nfull");
  },
  "--tmpfs copies up": (podman) => equal(sh(podman, ["--tmpfs", "/www"], "cat /www/index.html"), "served"),
  "--mount type=tmpfs, notmpcopyup": (podman) =>
    equal(sh(podman, ["--mount", "type=tmpfs,destination=/www,notmpcopyup"], "ls /www"), ""),
  "--read-only": (podman) => {
    equal(
      sh(podman, ["--read-only"], "echo x > /file || echo refused; echo x > /tmp/file && echo writable"),
      "refused\nwritable",
    );
    equal(sh(podman, ["--read-only", "--read-only-tmpfs=false"], "echo x > /etc/file || echo refused"), "refused");
  },
  "--device, with and without write": (podman) => {
    const script = "true < /dev/other && echo readable; true >> /dev/other || echo refused";
    equal(sh(podman, ["--device", "/dev/fuse:/dev/other:r"], script), "readable\nrefused");
    equal(sh(podman, ["--device", "/dev/null:/dev/mine"], "echo x > /dev/mine && echo written"), "written");
  },
  "devices that were not given": (podman) =>
    equal(sh(podman, [], "mknod /tmp/kmsg c 1 11 && head -c 1 /tmp/kmsg || echo refused"), "refused"),
  "--device-cgroup-rule": (podman) =>
    equal(sh(podman, ["--device-cgroup-rule", "c 1:5 rwm"], "mknod /tmp/z c 1 5 && head -c 2 /tmp/z | wc -c"), "2"),
  "the usual devices and links": (podman) => {
    const names = "null zero full random urandom tty ptmx fd stdin stdout stderr shm mqueue pts";
    equal(sh(podman, [], `for n in ${names}; do test -e /dev/$n || echo $n; done`), "");
  },
  "--rootfs": (podman) => {
    const folder = hostFolder(podman, "rootfs");
    podman.unpackInto(IMAGE, folder);
    equal(podman.out("run", "--rm", "--rootfs", folder, "echo", "from a folder"), "from a folder");
  },
  "symbolic links in the root do not lead a mount out": (podman) => {
    const folder = hostFolder(podman, "target");
    const outside = hostFolder(podman, "escape");
    podman.buildFrom(`FROM ${IMAGE}\nRUN ln -s ${outside} /link\n`, "localhost/linked");
    podman.out(
      "run",
      "--rm",
      "--volume",
      `${folder}:/link/inside`,
      "localhost/linked",
      "sh",
      "-c",
      "echo x > /link/inside/file",
    );
    equal(existsSync(join(outside, "inside")), false);
    equal(readFileSync(join(folder, "file"), "utf8"), "x\n");
  },
};
