// Running, entering and ending containers with podman.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hostFile } from "../../lib/host.mjs";
import { BUSYBOX as IMAGE } from "../images.mjs";
import { equal, matches, until } from "../podman.mjs";

const SLEEPER = ["sleep", "1000"];

/** Says "ready", then counts signals until it is told to end. */
const TRAPS = 'trap "echo usr1" USR1; trap "echo term; exit 3" TERM; echo ready; while :; do sleep 0.1; done';

export const processChecks = {
  "run: output, exit code 0": (podman) => equal(podman.out("run", "--rm", IMAGE, "echo", "hello"), "hello"),
  "run: standard error apart": (podman) => {
    const { stdout, stderr } = podman.ends(0, "run", "--rm", IMAGE, "sh", "-c", "echo out; echo err >&2");
    equal(stdout, "out\n");
    equal(stderr, "err\n");
  },
  "run: the program's exit code": (podman) => podman.ends(37, "run", "--rm", IMAGE, "sh", "-c", "exit 37"),
  "run: a program that is not there is 127": (podman) =>
    matches(podman.ends(127, "run", "--rm", IMAGE, "/no/such").stderr, /not found|no such file/i),
  "run: a file that cannot be executed is 126": (podman) =>
    matches(podman.ends(126, "run", "--rm", IMAGE, "/etc/passwd").stderr, /permission denied/i),
  "run: ended by a signal is 128 + signal": (podman) =>
    podman.ends(137, "run", "--rm", IMAGE, "sh", "-c", "sh -c 'kill -KILL $$'; exit $?"),
  "run -i: standard input": (podman) => {
    equal(podman.outWith({ input: "abc" }, "run", "--rm", "--interactive", IMAGE, "cat"), "abc");
    const megabyte = "0123456789abcdef".repeat(65536);
    equal(podman.outWith({ input: megabyte }, "run", "--rm", "--interactive", IMAGE, "wc", "-c"), "1048576");
  },
  "run -t: a terminal of its own": (podman) => {
    const { stdout, status } = podman.onTerminal([
      "run",
      "--rm",
      "--tty",
      IMAGE,
      "sh",
      "-c",
      "tty; test -t 0 && test -t 2",
    ]);
    equal(status, 0);
    matches(stdout, /\/dev\/(pts\/0|console)/);
  },
  "run -t: the size of the terminal": (podman) => {
    const script = 'stty rows 33 cols 77; exec "$@"';
    const { stdout } = podman.onTerminal(["run", "--rm", "--tty", IMAGE, "sh", "-c", "sleep 1; stty size"], { script });
    matches(stdout, /^33 77$/m);
  },
  "run -it: a shell on a terminal": (podman) => {
    const { stdout, status } = podman.onTerminal(["run", "--rm", "--interactive", "--tty", IMAGE, "sh"], {
      input: "echo $((6*7)) $(tty)\nexit 9\n",
    });
    equal(status, 9);
    matches(stdout, /42 \/dev\/(pts\/0|console)/);
  },
  "run -d, ps, wait": async (podman) => {
    const id = podman.out("run", "--detach", IMAGE, "sh", "-c", "sleep 1; exit 5");
    matches(podman.out("ps", "--quiet", "--no-trunc"), new RegExp(id));
    equal(podman.out("wait", id), "5");
    await until("exited", () => podman.inspect(id, "{{.State.Status}} {{.State.ExitCode}}") === "exited 5");
  },
  "create, init, start": (podman) => {
    const id = podman.out("create", IMAGE, "echo", "started");
    podman.out("init", id);
    equal(podman.inspect(id, "{{.State.Status}}"), "initialized");
    equal(podman.out("start", "--attach", id), "started");
  },
  "run --timeout": (podman) => {
    const { status } = podman.run(["run", "--rm", "--timeout", "1", IMAGE, ...SLEEPER]);
    if (status === 0 || status === null) throw new Error(`ended with ${status}`);
  },
  "run --preserve-fds": (podman) => {
    const folder = join(podman.folder, "descriptors");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "text"), "from the host");
    const words = ["run", "--rm", "--preserve-fds", "1", IMAGE, "cat", "/proc/self/fd/3"];
    const { stdout } = podman.withDescriptor(join(folder, "text"), words);
    equal(stdout, "from the host");
  },
  logs: async (podman) => {
    const id = podman.out("run", "--detach", IMAGE, "sh", "-c", "echo one; echo two >&2; echo three");
    podman.out("wait", id);
    const { stdout, stderr } = podman.ends(0, "logs", id);
    equal(stdout, "one\nthree\n");
    equal(stderr, "two\n");
    equal(podman.out("logs", "--tail", "3", id).split("\n").at(-1), "three");
    matches(podman.out("logs", "--timestamps", id), /^\d{4}-\d\d-\d\dT.* one$/m);
  },
  "logs of a terminal": (podman) => {
    const id = podman.out("run", "--detach", "--tty", IMAGE, "sh", "-c", "echo seen");
    podman.out("wait", id);
    matches(podman.out("logs", id), /seen/);
  },
  "exec: output, exit code, standard input": (podman) => {
    const id = podman.out("run", "--detach", IMAGE, ...SLEEPER);
    equal(podman.out("exec", id, "echo", "inside"), "inside");
    podman.ends(41, "exec", id, "sh", "-c", "exit 41");
    podman.ends(127, "exec", id, "/no/such");
    podman.ends(126, "exec", id, "/etc/passwd");
    equal(podman.outWith({ input: "abc" }, "exec", "--interactive", id, "cat"), "abc");
  },
  "exec -t and -it": (podman) => {
    const id = podman.out("run", "--detach", IMAGE, ...SLEEPER);
    matches(podman.onTerminal(["exec", "--tty", id, "tty"]).stdout, /\/dev\/pts\/\d+/);
    const { stdout, status } = podman.onTerminal(["exec", "--interactive", "--tty", id, "sh"], {
      input: "echo $((6*7))\nexit 8\n",
    });
    equal(status, 8);
    matches(stdout, /\n42\n/);
  },
  "exec --user, --workdir, --env": (podman) => {
    const id = podman.out("run", "--detach", IMAGE, ...SLEEPER);
    equal(podman.out("exec", "--user", "1000:29", id, "sh", "-c", "echo $(id -u):$(id -g)"), "1000:29");
    equal(podman.out("exec", "--user", "app", id, "id", "-un"), "app");
    equal(podman.out("exec", "--workdir", "/etc", id, "pwd"), "/etc");
    equal(podman.out("exec", "--env", "A=b c", id, "sh", "-c", 'echo "$A"'), "b c");
  },
  "exec -d": async (podman) => {
    const id = podman.out("run", "--detach", IMAGE, ...SLEEPER);
    podman.out("exec", "--detach", id, "sh", "-c", "echo done > /tmp/mark");
    await until("the file of exec --detach", () => podman.run(["exec", id, "cat", "/tmp/mark"]).stdout === "done\n");
  },
  "exec joins every namespace and the control group": (podman) => {
    const id = podman.out("run", "--detach", IMAGE, ...SLEEPER);
    for (const kind of ["pid", "mnt", "net", "ipc", "uts"]) {
      const path = `/proc/self/ns/${kind}`;
      equal(podman.out("exec", id, "readlink", path), podman.out("exec", id, "readlink", `/proc/1/ns/${kind}`), kind);
    }
    equal(podman.out("exec", id, "cat", "/proc/self/cgroup"), podman.out("exec", id, "cat", "/proc/1/cgroup"));
  },
  top: (podman) => {
    const id = podman.out("run", "--detach", IMAGE, ...SLEEPER);
    matches(podman.out("top", id, "pid", "args"), /1\s+sleep 1000/);
  },
  attach: (podman) => {
    const id = podman.out("run", "--detach", "--interactive", IMAGE, "sh", "-c", "read line; echo got $line; exit 4");
    equal(podman.run(["attach", id], { input: "a line\n" }).stdout.trim(), "got a line");
    equal(podman.out("wait", id), "4");
  },
  "stop: SIGTERM first": async (podman) => {
    const id = podman.out("run", "--detach", IMAGE, "sh", "-c", TRAPS);
    await until("ready", () => podman.out("logs", id) === "ready");
    podman.out("stop", "--time", "30", id);
    equal(podman.inspect(id, "{{.State.ExitCode}}"), "3");
    equal(podman.out("logs", id), "ready\nterm");
  },
  "stop: SIGKILL after the time": (podman) => {
    const id = podman.out("run", "--detach", IMAGE, "sh", "-c", 'trap "" TERM; while :; do sleep 0.1; done');
    podman.out("stop", "--time", "1", id);
    equal(podman.inspect(id, "{{.State.ExitCode}}"), "137");
  },
  "run --stop-signal": async (podman) => {
    const program = 'trap "echo usr1; exit 6" USR1; echo ready; while :; do sleep 0.1; done';
    const id = podman.out("run", "--detach", "--stop-signal", "USR1", IMAGE, "sh", "-c", program);
    await until("ready", () => podman.out("logs", id) === "ready");
    podman.out("stop", "--time", "30", id);
    equal(podman.inspect(id, "{{.State.ExitCode}}"), "6");
  },
  "kill: signals by name and number": async (podman) => {
    const id = podman.out("run", "--detach", IMAGE, "sh", "-c", TRAPS);
    await until("ready", () => podman.out("logs", id) === "ready");
    podman.out("kill", "--signal", "USR1", id);
    await until("the first USR1", () => podman.out("logs", id) === "ready\nusr1");
    podman.out("kill", "--signal", "10", id);
    await until("the second USR1", () => podman.out("logs", id) === "ready\nusr1\nusr1");
    podman.out("kill", id);
    equal(podman.out("wait", id), "137");
  },
  restart: (podman) => {
    const id = podman.out(
      "run",
      "--detach",
      IMAGE,
      "sh",
      "-c",
      "echo up; trap 'exit 0' TERM; while :; do sleep 0.1; done",
    );
    const first = podman.inspect(id, "{{.State.Pid}}");
    podman.out("restart", "--time", "10", id);
    const second = podman.inspect(id, "{{.State.Pid}} {{.State.Status}}");
    if (second === `${first} running`) throw new Error("the same process after restart");
    matches(second, /running/);
    podman.out("stop", "--time", "10", id);
    podman.out("start", id);
    equal(podman.inspect(id, "{{.State.Status}}"), "running");
    equal(podman.out("exec", id, "echo", "again"), "again");
  },
  "restart policy on-failure": (podman) => {
    const id = podman.out("run", "--detach", "--restart", "on-failure:2", IMAGE, "sh", "-c", "echo try; exit 1");
    return until("two restarts", () => podman.out("logs", id) === "try\ntry\ntry");
  },
  "pause, unpause": async (podman) => {
    const counter = "n=0; while :; do n=$((n+1)); echo $n > /tmp/n; sleep 0.05; done";
    const id = podman.out("run", "--detach", "--tmpfs", "/tmp", IMAGE, "sh", "-c", counter);
    const host = podman.inspect(id, "{{.State.Pid}}");
    podman.out("pause", id);
    equal(podman.inspect(id, "{{.State.Status}}"), "paused");
    const count = () => hostFile(`/proc/${host}/root/tmp/n`);
    const before = count();
    await new Promise((resolve) => setTimeout(resolve, 500));
    equal(count(), before, "the counter of a paused container is");
    if (podman.run(["exec", id, "true"]).status === 0) throw new Error("exec works in a paused container");
    podman.out("unpause", id);
    await until("the counter goes on", () => count() !== before);
    equal(podman.inspect(id, "{{.State.Status}}"), "running");
  },
  "run --init: a PID 1 that reaps": async (podman) => {
    const id = podman.out("run", "--detach", "--init", IMAGE, "sh", "-c", "(sleep 0.1 &); exec sleep 1000");
    matches(podman.out("exec", id, "cat", "/proc/1/cmdline"), /catatonit|init/);
    await until("no zombie", () => !/\bZ\b/.test(podman.out("exec", id, "ps", "-o", "stat")));
  },
  "run --entrypoint, --workdir, --env, --env-file": (podman) => {
    writeFileSync(join(podman.folder, "environment"), "FROM_FILE=yes\n");
    const words = ["--entrypoint", "/bin/sh", "--workdir", "/www", "--env", "A=1", "--env-file", "environment"];
    equal(podman.out("run", "--rm", ...words, IMAGE, "-c", "echo $PWD $A $FROM_FILE"), "/www 1 yes");
  },
  "run --workdir of a new folder": (podman) =>
    equal(
      podman.out("run", "--rm", "--workdir", "/www/sub", "--volume", `${podman.folder}:/www/sub`, IMAGE, "pwd"),
      "/www/sub",
    ),
  "run --sdnotify=container": (podman) => {
    const script = 'test -n "$NOTIFY_SOCKET" && test -S "$NOTIFY_SOCKET" && echo socket';
    const socket = join(podman.folder, "notify.sock");
    const { stdout } = podman.withNotifySocket(socket, [
      "run",
      "--rm",
      "--sdnotify",
      "container",
      IMAGE,
      "sh",
      "-c",
      script,
    ]);
    equal(stdout, "socket\n");
  },
  "no descriptor but the three": (podman) => {
    const text = podman.out("run", "--rm", IMAGE, "sh", "-c", "ls /proc/self/fd | tr '\\n' ' '");
    // ls itself holds the folder open.
    equal(text, "0 1 2 3");
  },
  "nothing of the host's environment": (podman) => {
    const names = podman
      .out("run", "--rm", IMAGE, "env")
      .split("\n")
      .map((line) => line.split("=")[0])
      .sort();
    equal(names.join(" "), "HOME HOSTNAME PATH TERM container");
  },
  "commit, diff, cp, export": (podman) => {
    const id = podman.out("run", "--detach", IMAGE, "sh", "-c", "echo new > /new; sleep 1000");
    writeFileSync(join(podman.folder, "copied"), "copied\n");
    podman.out("cp", join(podman.folder, "copied"), `${id}:/copied`);
    equal(podman.out("exec", id, "cat", "/copied", "/new"), "copied\nnew");
    matches(podman.out("diff", id), /^A \/new$/m);
    podman.out("commit", "--quiet", id, "localhost/committed");
    equal(podman.out("run", "--rm", "localhost/committed", "cat", "/new"), "new");
    podman.out("rmi", "--force", "localhost/committed");
  },
  "build with RUN": (podman) => {
    const folder = join(podman.folder, "build");
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, "Containerfile"),
      `FROM ${IMAGE}\nRUN --mount=type=tmpfs,target=/scratch touch /scratch/x && id -u > /who\nUSER app\nRUN id -un > /home/app/me\nCMD cat /who /home/app/me\n`,
    );
    podman.out("build", "--quiet", "--tag", "localhost/built", folder);
    equal(podman.out("run", "--rm", "localhost/built"), "0\napp");
    podman.out("rmi", "--force", "localhost/built");
  },
  "OCI hooks at every point": (podman) => {
    const folder = join(podman.folder, "hooks");
    mkdirSync(folder, { recursive: true });
    const points = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
    writeFileSync(
      join(folder, "all.json"),
      JSON.stringify({
        version: "1.0.0",
        when: { always: true },
        hook: { path: "/bin/sh", args: ["sh", "-c", `cat > ${folder}/state.$0 2>/dev/null || true`, "hook"] },
        stages: points.filter((point) => point !== "startContainer"),
      }),
    );
    podman.out("--hooks-dir", folder, "run", "--rm", IMAGE, "true");
    const state = JSON.parse(hostFile(join(folder, "state.hook")));
    equal(state.status, "stopped");
  },
};
