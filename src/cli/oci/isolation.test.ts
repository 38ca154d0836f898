/** What config.json asks for, seen from inside. */
import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { TestBundle, whyNot, whyNotAs } from "./testing/bundle.js";

const skip = whyNot();
const NOBODY = 65_534;
const MAPS = [{ containerID: 0, hostID: 100_000, size: 65_536 }];

/** The lines of what a script in a container says; it has to end well. */
function lines(bundle: TestBundle, ...args: Parameters<TestBundle["script"]>): string[] {
  const { stdout, stderr, status } = bundle.script(...args);
  assert.equal(stderr, "");
  assert.equal(status, 0);
  return stdout.trimEnd().split("\n");
}

test("a user namespace maps the container's root to somebody without rights", { skip }, () => {
  using bundle = new TestBundle();
  // The container's root could not walk to it by the host's path.
  mkdirSync(join(bundle.folder, "private/volume"), { recursive: true });
  chmodSync(join(bundle.folder, "private"), 0o700);
  writeFileSync(join(bundle.folder, "private/volume/file"), "host's\n");
  // The root file system is the host's root's here: the container's may not make folders in it.
  mkdirSync(join(bundle.rootfs, "volume"));
  const script =
    "id -u; cat /proc/self/uid_map | tr -s ' '; stat -c %u /volume/file; echo > /dev/null; ls -l /dev/null | cut -c1";
  const got = lines(bundle, script, (config) => {
    config.linux!.namespaces!.push({ type: "user" });
    config.linux!.uidMappings = MAPS;
    config.linux!.gidMappings = MAPS;
    const source = join(bundle.folder, "private/volume");
    config.mounts!.push({ destination: "/volume", type: "bind", source, options: ["rbind", "ro"] });
  });
  assert.deepEqual(got, ["0", " 0 100000 65536", "65534", "c"]);
});

test("an idmapped mount shows the host's ids as the container's", { skip }, () => {
  using bundle = new TestBundle();
  const source = join(bundle.folder, "volume");
  mkdirSync(source);
  writeFileSync(join(source, "file"), "");
  chownSync(join(source, "file"), 1000, 1000);
  const got = lines(bundle, "stat -c %u:%g /volume/file", (config) => {
    config.mounts!.push({
      destination: "/volume",
      type: "bind",
      source,
      options: ["bind", "idmap"],
      uidMappings: [{ containerID: 1000, hostID: 7, size: 1 }],
      gidMappings: [{ containerID: 1000, hostID: 8, size: 1 }],
    });
  });
  assert.deepEqual(got, ["7:8"]);
});

test("a time namespace shifts the clocks", { skip }, () => {
  using bundle = new TestBundle();
  const [uptime] = lines(bundle, "cut -d. -f1 /proc/uptime", (config) => {
    config.linux!.namespaces!.push({ type: "time" });
    config.linux!.timeOffsets = { boottime: { secs: 1_000_000 } };
  });
  assert.ok(Number(uptime) >= 1_000_000, `uptime ${uptime}`);
});

test("tmpcopyup fills a tmpfs with what it hides, modes and links included", { skip }, () => {
  using bundle = new TestBundle();
  const data = join(bundle.rootfs, "data");
  mkdirSync(join(data, "inner"), { recursive: true });
  writeFileSync(join(data, "inner/file"), "text\n");
  chmodSync(join(data, "inner/file"), 0o751);
  symlinkSync("inner/file", join(data, "link"));
  const got = lines(
    bundle,
    "cat /data/link; stat -c %a /data/inner/file; touch /data/new && echo writable",
    (config) => {
      config.mounts!.push({ destination: "/data", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup", "nosuid"] });
    },
  );
  assert.deepEqual(got, ["text", "751", "writable"]);
});

test("masked and read-only paths, a read-only root, no new privileges, no capabilities", { skip }, () => {
  using bundle = new TestBundle();
  const script = `cat /proc/kcore | wc -c; ls /sys/firmware | wc -l
    echo 1 > /proc/sys/kernel/panic; touch /file; grep -E '^(CapEff|NoNewPrivs):' /proc/self/status`;
  bundle.configure((config) => {
    config.process!.args = ["sh", "-c", script];
    config.process!.capabilities = {};
  });
  const { stdout, stderr } = bundle.run("run", "one");
  assert.deepEqual(stdout.trim().split(/\s+/), ["0", "0", "CapEff:", "0000000000000000", "NoNewPrivs:", "1"]);
  assert.match(stderr, /proc\/sys\/kernel\/panic: Read-only file system/);
  assert.match(stderr, /file: Read-only file system/);
});

test("a symbolic link in the image leads no mount out of it", { skip }, () => {
  using bundle = new TestBundle();
  const outside = join(bundle.folder, "outside");
  mkdirSync(outside);
  symlinkSync(outside, join(bundle.rootfs, "trap"));
  const { stdout, status } = bundle.script("grep -c deep /proc/self/mountinfo", (config) => {
    config.mounts!.push({ destination: "/trap/deep", type: "tmpfs", source: "tmpfs" });
    config.root!.readonly = false;
  });
  // Taken inside the root, the link's target is missing: refused, or made there. On the host nothing appears.
  assert.ok(status !== 0 || stdout === "1\n");
  assert.throws(() => readFileSync(join(outside, "deep")), { code: "ENOENT" });
});

test("nothing may be mounted over what the kernel says in /proc, whatever link leads there", { skip }, () => {
  using bundle = new TestBundle();
  symlinkSync("/proc/self/attr", join(bundle.rootfs, "innocent"));
  for (const destination of ["/proc/self/attr", "/innocent"]) {
    const { status, stderr } = bundle.script("true", (config) => {
      config.mounts!.push({ destination, type: "tmpfs", source: "tmpfs" });
    });
    assert.equal(status, 1);
    assert.match(stderr, /inside \/proc/);
  }
});

test("limits, sysctls, the OOM score, the umask and the user", { skip }, () => {
  using bundle = new TestBundle();
  const script = `ulimit -n; ulimit -Hn; cat /proc/sys/net/ipv4/ip_forward /proc/self/oom_score_adj; umask
    id -u; id -g; id -G; pwd; echo $HOME`;
  writeFileSync(join(bundle.rootfs, "etc/passwd"), "root:x:0:0::/root:/bin/sh\nuser:x:7:8::/home/user:/bin/sh\n");
  const got = lines(bundle, script, (config) => {
    config.process!.rlimits = [{ type: "RLIMIT_NOFILE", soft: 100, hard: 200 }];
    config.process!.oomScoreAdj = 123;
    config.process!.user = { uid: 7, gid: 8, umask: 0o027, additionalGids: [9, 10] };
    config.process!.cwd = "/made/here";
    config.linux!.sysctl = { "net.ipv4.ip_forward": "1" };
    config.root!.readonly = false;
  });
  assert.deepEqual(got, ["100", "200", "1", "123", "0027", "7", "8", "8 9 10", "/made/here", "/home/user"]);
});

test("hooks run at their six points, with the container's state on standard input", { skip }, () => {
  using bundle = new TestBundle();
  const log = join(bundle.folder, "log");
  const shared = join(bundle.rootfs, "log");
  writeFileSync(shared, "");
  // createContainer resolves its path on the host, startContainer in the container.
  const hook = (name: string, file: string) => ({
    path: "/bin/sh",
    args: ["sh", "-c", `echo ${name} $(cat | tr -d ' \\n' | grep -o '"status":"[a-z]*"') >> ${file}`],
    env: ["PATH=/usr/bin:/bin"],
    timeout: 60,
  });
  const { status, stderr } = bundle.script("echo program >> /log", (config) => {
    config.root!.readonly = false;
    config.hooks = {
      prestart: [hook("prestart", log)],
      createRuntime: [hook("createRuntime", log)],
      createContainer: [hook("createContainer", log)],
      startContainer: [hook("startContainer", "/log")],
      poststart: [hook("poststart", log)],
      poststop: [hook("poststop", log)],
    };
  });
  assert.equal(stderr, "");
  assert.equal(status, 0);
  assert.deepEqual(readFileSync(log, "utf8").trim().split("\n"), [
    'prestart "status":"creating"',
    'createRuntime "status":"creating"',
    'createContainer "status":"creating"',
    'poststart "status":"running"',
    'poststop "status":"stopped"',
  ]);
  assert.equal(readFileSync(shared, "utf8"), 'startContainer "status":"created"\nprogram\n');
});

test("a hook that fails, or does not end in time, stops the creation and leaves nothing", { skip }, () => {
  using bundle = new TestBundle();
  for (const point of ["createRuntime", "createContainer"] as const) {
    for (const command of ["exit 3", "sleep 1000"]) {
      const { status, stderr } = bundle.script("true", (config) => {
        config.hooks = { [point]: [{ path: "/bin/sh", args: ["sh", "-c", command], timeout: 1 }] };
      });
      assert.equal(status, 1);
      assert.match(stderr, new RegExp(`${point} hook #0`));
      assert.equal(bundle.run("list", "--quiet").stdout, "");
    }
  }
});

test("the container gets the descriptors it is to have, and no other", { skip }, () => {
  using bundle = new TestBundle();
  // ls itself opens one to read the folder with.
  const got = lines(bundle, "ls /proc/self/fd | wc -l; env | grep -v -E '^(PATH|TERM|HOME|SHLVL|PWD)=' | wc -l");
  assert.deepEqual(got, ["4", "0"]);
});

test("seccomp filters and denied devices hold", { skip }, () => {
  using bundle = new TestBundle();
  const { stdout, stderr } = bundle.script("mkdir /tmp/x; echo on; dd if=/dev/kmsg count=1", (config) => {
    config.root!.readonly = false;
    config.linux!.seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      architectures: ["SCMP_ARCH_X86_64"],
      syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95 }],
    };
    config.linux!.devices = [{ path: "/dev/kmsg", type: "c", major: 1, minor: 11 }];
  });
  assert.equal(stdout, "on\n");
  assert.match(stderr, /\/tmp\/x': (Not supported|Operation not supported)/);
  assert.match(stderr, /\/dev\/kmsg'?: Operation not permitted/);
});

test("exec joins the container: its processes, its limits, a status of its own", { skip }, async () => {
  using bundle = new TestBundle();
  bundle.configure((config) => {
    config.process!.args = ["sleep", "1000"];
  });
  assert.equal(bundle.run("run", "--detach", "one").status, 0);
  const { stdout, status } = bundle.run(
    "exec",
    "--env",
    "A=b",
    "--cwd",
    "/tmp",
    "one",
    "sh",
    "-c",
    "pwd; echo $A; hostname; exit 9",
  );
  assert.equal(stdout, "/tmp\nb\nringvisor\n");
  assert.equal(status, 9);
  const missing = bundle.run("exec", "one", "nothing");
  assert.match(missing.stderr, /executable file not found in \$PATH/);
  assert.equal(missing.status, 255);
  assert.equal(bundle.run("pause", "one").status, 0);
  assert.match(bundle.run("exec", "one", "true").stderr, /cannot exec in a paused container/);
  assert.equal(bundle.run("resume", "one").status, 0);
  assert.match(bundle.run("state", "one").stdout, /"running"/);
  // The signal that cannot be caught reaches a paused container too.
  assert.equal(bundle.run("pause", "one").status, 0);
  assert.equal(bundle.run("kill", "one", "KILL").status, 0);
  const end = Date.now() + 60_000;
  while (!bundle.run("state", "one").stdout.includes('"stopped"')) {
    assert.ok(Date.now() < end, "it dies");
    await delay(20);
  }
});

test("--isolation chroot says what it leaves open, and isolates the root", { skip }, () => {
  using bundle = new TestBundle();
  const { stdout, stderr, status } = bundle.script("ls /; exit 4", () => {}, ["--isolation", "chroot"]);
  assert.equal(stdout, "bin\ndev\netc\nproc\nsys\ntmp\n");
  assert.match(stderr, /Not isolated:\n {2}processes: .*\n {2}network: /);
  assert.equal(status, 4);
});

test("what the specification has and this runtime has not is refused by name", { skip }, () => {
  using bundle = new TestBundle();
  const { stderr, status } = bundle.script("true", (config) => {
    config.linux!.intelRdt = { closID: "group" };
  });
  assert.match(stderr, /linux\.intelRdt is not implemented/);
  assert.equal(status, 1);
});

test("a user without privileges makes a container in a user namespace", { skip: skip || whyNotAs(NOBODY) }, () => {
  using bundle = new TestBundle();
  bundle.giveTo(NOBODY);
  const { stdout, stderr, status } = bundle.runAs(
    NOBODY,
    "id -u; cat /proc/self/uid_map | tr -s ' '; touch /tmp/new && echo made",
  );
  assert.equal(stderr, "");
  assert.equal(stdout, `0\n 0 ${NOBODY} 1\nmade\n`);
  assert.equal(status, 0);
});
