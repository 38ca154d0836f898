// podman as a user who is nobody special: user namespaces through newuidmap, slirp4netns for the network.
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { equal, matches, Podman, until } from "./podman.mjs";

const USER = { name: "ringvisor-test", uid: 20000, gid: 20000 };
const FIRST_SUBORDINATE = 300000;

function must(command, ...args) {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
}

/** Gives this mount namespace a user with subordinate IDs and a /dev/net/tun that users may open. */
function makeUser(folder, home) {
  const lines = {
    passwd: `${USER.name}:x:${USER.uid}:${USER.gid}::${home}:/bin/sh\n`,
    group: `${USER.name}:x:${USER.gid}:\n`,
    subuid: `${USER.name}:${FIRST_SUBORDINATE}:65536\n`,
    subgid: `${USER.name}:${FIRST_SUBORDINATE}:65536\n`,
  };
  for (const [name, line] of Object.entries(lines)) {
    const [file, copy] = [`/etc/${name}`, join(folder, name)];
    if (!existsSync(file)) throw new Error(`${file} is missing: the package uidmap makes it`);
    const own = readFileSync(file, "utf8")
      .split("\n")
      .filter((text) => text && !text.startsWith(`${USER.name}:`));
    writeFileSync(copy, `${own.map((text) => `${text}\n`).join("")}${line}`);
    must("mount", "--bind", copy, file);
  }
  const tun = join(folder, "tun");
  must("mknod", "-m", "666", tun, "c", "10", "200");
  must("mount", "--bind", tun, "/dev/net/tun");
}

const checks = (image) => ({
  "run: output, exit code": (podman) => {
    equal(podman.out("run", "--rm", image, "echo", "hello"), "hello");
    podman.ends(37, "run", "--rm", image, "sh", "-c", "exit 37");
  },
  "the user is root inside, with subordinate IDs": (podman) => {
    const map = podman.out("run", "--rm", image, "sh", "-c", "id -u; tr -s ' ' < /proc/self/uid_map");
    equal(map, `0\n 0 ${USER.uid} 1\n 1 ${FIRST_SUBORDINATE} 65536`);
  },
  "--user, as a subordinate ID outside": (podman) => {
    const id = podman.out("run", "--detach", "--user", "1000", image, "sleep", "1000");
    const status = readFileSync(`/proc/${podman.inspect(id, "{{.State.Pid}}")}/status`, "utf8");
    matches(status, new RegExp(`^Uid:\\t${FIRST_SUBORDINATE + 999}\\t`, "m"));
  },
  "--userns=keep-id": (podman) =>
    equal(podman.out("run", "--rm", "--userns=keep-id", image, "id", "-u"), String(USER.uid)),
  "--network none": (podman) => equal(podman.out("run", "--rm", "--network=none", image, "ls", "/sys/class/net"), "lo"),
  "--network host": (podman) => podman.out("run", "--rm", "--network=host", image, "true"),
  "published port by slirp4netns": async (podman) => {
    podman.out("run", "--detach", "--publish", "127.0.0.1:8201:80", image, "httpd", "-f", "-p", "80", "-h", "/www");
    await until("an answer", async () => {
      try {
        return (
          (await (await fetch("http://127.0.0.1:8201/", { signal: AbortSignal.timeout(5000) })).text()) === "served\n"
        );
      } catch {
        return false;
      }
    });
  },
  "exec with and without a terminal": (podman) => {
    const id = podman.out("run", "--detach", image, "sleep", "1000");
    equal(podman.out("exec", id, "echo", "inside"), "inside");
    podman.ends(41, "exec", id, "sh", "-c", "exit 41");
    matches(podman.onTerminal(["exec", "--tty", id, "tty"]).stdout, /\/dev\/pts\/\d+/);
    equal(podman.out("exec", "--user", "1000", id, "id", "-u"), "1000");
  },
  "run -t": (podman) =>
    matches(podman.onTerminal(["run", "--rm", "--tty", image, "tty"]).stdout, /\/dev\/(pts\/0|console)/),
  "logs, stop, start, kill": (podman) => {
    const id = podman.out(
      "run",
      "--detach",
      image,
      "sh",
      "-c",
      "echo up; trap 'exit 3' TERM; while :; do sleep 0.1; done",
    );
    podman.out("stop", "--time", "30", id);
    equal(podman.inspect(id, "{{.State.ExitCode}}"), "3");
    podman.out("start", id);
    podman.out("kill", id);
    equal(podman.out("wait", id), "137");
    equal(podman.out("logs", id), "up\nup");
  },
  "volumes: read-write, read-only, owner": (podman) => {
    const folder = join(podman.user.home, "volume");
    if (!existsSync(folder)) mkdirSync(folder);
    chownSync(folder, USER.uid, USER.gid);
    podman.out("run", "--rm", "--volume", `${folder}:/data`, image, "sh", "-c", "echo x > /data/file");
    equal(statSync(join(folder, "file")).uid, USER.uid);
    const script = "echo x > /data/file || echo refused";
    equal(podman.out("run", "--rm", "--volume", `${folder}:/data:ro`, image, "sh", "-c", script), "refused");
  },
  "named volume, --tmpfs, --read-only": (podman) => {
    podman.out("run", "--rm", "--volume", "v:/data", image, "sh", "-c", "echo kept > /data/file");
    equal(podman.out("run", "--rm", "--volume", "v:/data", image, "cat", "/data/file"), "kept");
    const script = "echo x > /file || echo refused; echo x > /scratch/x && echo written";
    equal(
      podman.out("run", "--rm", "--read-only", "--tmpfs", "/scratch", image, "sh", "-c", script),
      "refused\nwritten",
    );
  },
  "--cap-add, --cap-drop, no-new-privileges, seccomp": (podman) => {
    const field = (name, ...options) =>
      podman.out("run", "--rm", ...options, image, "sh", "-c", `grep ^${name}: /proc/self/status | cut -f2`);
    equal(field("CapEff", "--cap-drop=all", "--cap-add=CHOWN"), "0000000000000001");
    equal(field("NoNewPrivs", "--security-opt=no-new-privileges"), "1");
    equal(field("Seccomp"), "2");
  },
  "--device": (podman) =>
    equal(
      podman.out(
        "run",
        "--rm",
        "--device",
        "/dev/null:/dev/mine",
        image,
        "sh",
        "-c",
        "echo x > /dev/mine && echo written",
      ),
      "written",
    ),
  "--init": (podman) => {
    const id = podman.out("run", "--detach", "--init", image, "sleep", "1000");
    matches(podman.out("exec", id, "cat", "/proc/1/cmdline"), /catatonit|init/);
  },
  "build with RUN": (podman) => {
    podman.buildFrom(`FROM ${image}\nRUN id -u > /who\nUSER app\nRUN id -un > /home/app/me\n`, "localhost/built");
    equal(podman.out("run", "--rm", "localhost/built", "cat", "/who", "/home/app/me"), "0\napp");
  },
  pod: (podman) => {
    podman.out("pod", "create", "--name", "pod");
    podman.out("run", "--detach", "--pod", "pod", image, "httpd", "-f", "-p", "80", "-h", "/www");
    equal(podman.out("run", "--rm", "--pod", "pod", image, "wget", "-qO-", "http://127.0.0.1/"), "served");
  },
  "pause is refused without control groups": (podman) => {
    const id = podman.out("run", "--detach", image, "sleep", "1000");
    if (podman.run(["pause", id]).status === 0) equal(podman.inspect(id, "{{.State.Status}}"), "paused");
  },
});

/** podman of an ordinary user with one runtime. */
export function rootlessEngine(folder, runtime, image) {
  mkdirSync(folder, { recursive: true });
  const home = join(folder, "home");
  for (const path of [home, join(home, "run"), join(home, "podman")]) {
    mkdirSync(path, { recursive: true });
    chownSync(path, USER.uid, USER.gid);
    chmodSync(path, 0o700);
  }
  makeUser(folder, home);
  const podman = new Podman(join(home, "podman"), runtime, { ...USER, home });
  podman.out("pull", "--quiet", image);
  return {
    checks: checks(image),
    subject: podman,
    sweep: () => podman.sweep(),
    end: () => podman.run(["system", "reset", "--force"]),
  };
}
