import assert from "node:assert/strict";
import { test } from "node:test";
import { probeHost } from "./facts.js";
import { judgeContainers } from "./judge-containers.js";
import { type FakeHost, fakeHost, ROOT, ROOT_STATUS } from "./testing/fake-host.js";
import { worst } from "./verdict.js";

async function judge(host: FakeHost) {
  const facts = await probeHost(fakeHost(host), { wasm: null, loadNativeCalls: async () => ({}) });
  const findings = judgeContainers(facts);
  return { facts, usability: worst(findings), findings, first: findings[0] };
}

const asRoot = (files: FakeHost["files"] = {}): FakeHost => ({
  process: ROOT,
  files: { "/proc/self/status": ROOT_STATUS, "/etc/subuid": null, "/etc/subgid": null, ...files },
});

test("a user with a delegated cgroup and subordinate ids needs no root", async () => {
  const { findings, facts } = await judge({});
  assert.deepEqual(findings, []);
  assert.deepEqual(facts.namespaces.kinds, ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"]);
  assert.deepEqual(facts.namespaces.subuid, { count: 65536, helper: "/usr/bin/newuidmap" });
  assert.equal(facts.security.sysAdmin, false);
  assert.ok(facts.security.modules.includes("apparmor"));
});

test("root needs neither subordinate ids nor a group of its own", async () => {
  const { findings, facts } = await judge(asRoot());
  assert.equal(facts.security.sysAdmin, true);
  assert.deepEqual(findings, []);
});

for (const [name, host, why, remedy] of [
  ["none in the kernel", { files: { "/proc/self/ns/user": null } }, /no user namespaces$/, /CONFIG_USER_NS/],
  ["none allowed", { files: { "/proc/sys/user/max_user_namespaces": "0\n" } }, /is 0/, /max_user_namespaces=/],
  ["Debian's switch", { files: { "/proc/sys/kernel/unprivileged_userns_clone": "0\n" } }, /root only/, /_clone=1/],
  [
    "AppArmor",
    { files: { "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n" } },
    /AppArmor/,
    /apparmor_restrict_unprivileged_userns=0/,
  ],
  [
    "a sandbox's filter",
    {
      files: { "/proc/self/status": "CapEff:\t0000000000000000\nSeccomp:\t2\n" },
      unshare: { code: 1, stderr: "unshare: unshare failed: Operation not permitted" },
    },
    /Operation not permitted/,
    /seccomp profile/,
  ],
  ["an unknown reason", { unshare: { code: 1, stderr: "" } }, /was refused$/, /security module/],
] as [string, FakeHost, RegExp, RegExp][]) {
  test(`user namespaces refused to a user by ${name}: not usable`, async () => {
    const { usability, first } = await judge(host);
    assert.equal(usability, "unusable");
    assert.match(first.why, why);
    assert.match(first.remedy ?? "", remedy);
  });
}

test("switches that only bind users do not bind root; what binds root too is a limit", async () => {
  const free = await judge(
    asRoot({
      "/proc/sys/kernel/unprivileged_userns_clone": "0\n",
      "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n",
    }),
  );
  assert.deepEqual(free.findings, []);
  const bound = await judge(asRoot({ "/proc/sys/user/max_user_namespaces": "0\n" }));
  assert.equal(bound.usability, "limited");
  assert.match(bound.first.consequence, /root of the host/);
});

test("root of a user namespace: how many ids it maps, and what the kernel lets it mount", async () => {
  const one = await judge(asRoot({ "/proc/self/uid_map": "         0       1000          1\n" }));
  assert.equal(one.facts.namespaces.userNamespaces.mappedIds, 1);
  assert.equal(one.usability, "limited");
  assert.match(one.first.why, /maps one id/);
  const many = { "/proc/self/uid_map": "         0       1000          1\n         1     100000      65536\n" };
  assert.deepEqual((await judge(asRoot(many))).findings, []);
  const old = { ...many, "/proc/sys/kernel/osrelease": "5.10.0\n" };
  assert.match((await judge(asRoot(old))).first.why, /only root may mount an overlay/);
});

test("where unshare(1) is missing, the switches decide", async () => {
  const { findings, facts } = await judge({ unshare: null });
  assert.equal(facts.namespaces.userNamespaces.tried, null);
  assert.deepEqual(findings, []);
});

test("one user in the container: no helpers, no ids, no_new_privs", async () => {
  const none = "Name:\tnode\nCapEff:\t0\nNoNewPrivs:\t1\n";
  for (const [files, why, remedy] of [
    [{ "/usr/bin/newgidmap": null }, /newgidmap is not installed/, /uidmap/],
    [{ "/etc/subuid": "eve:100000:65536\n1001:5:5\n" }, /no ids to ada/, /--add-subuids .* ada$/],
    [{ "/etc/subgid": null }, /no ids to ada/, /--add-subgids/],
    [{ "/proc/self/status": none }, /no_new_privs/, /sandbox/],
  ] as [FakeHost["files"], RegExp, RegExp][]) {
    const { usability, first } = await judge({ files });
    assert.equal(usability, "limited");
    assert.match(first.why, why);
    assert.match(first.remedy ?? "", remedy);
  }
});

test("namespaces that the kernel lacks", async () => {
  const needed = await judge(asRoot({ "/proc/self/ns/pid": null }));
  assert.equal(needed.usability, "unusable");
  assert.match(needed.first.why, /kinds pid$/);
  const wanted = await judge(asRoot({ "/proc/self/ns/time": null, "/proc/self/ns/time_for_children": null }));
  assert.equal(wanted.usability, "limited");
  assert.match(wanted.first.why, /kinds time$/);
});

test("cgroups: none, v1, without controllers, not ours", async () => {
  const none = await judge(asRoot({ "/proc/self/mountinfo": "" }));
  assert.match(none.first.why, /no cgroups are mounted/);
  const v1 = await judge({
    ...asRoot({
      "/proc/self/cgroup": "1:cpu,cpuset,memory,pids,blkio:/\n",
      "/proc/self/mountinfo": "30 23 0:1 / /cg rw - cgroup cgroup rw,cpu,cpuset,memory,pids,blkio\n",
    }),
    writable: ["/cg"],
  });
  assert.equal(v1.usability, "limited");
  assert.equal(v1.findings.length, 1);
  assert.match(v1.first.why, /version 1/);
  assert.match(v1.first.remedy ?? "", /unified_cgroup_hierarchy/);
  const controllers = "/sys/fs/cgroup/user.slice/session.scope/cgroup.controllers";
  const few = await judge({ files: { [controllers]: "memory pids\n" } });
  assert.match(few.first.why, /cpu, io, cpuset/);
  assert.match(few.first.remedy ?? "", /Delegate=yes/);
  const foreign = await judge({ writable: [] });
  assert.match(foreign.first.why, /may not make cgroups/);
  assert.match(foreign.first.remedy ?? "", /systemd-run --user/);
  const readOnly = await judge({ ...asRoot(), writable: [] });
  assert.match(readOnly.first.remedy ?? "", /mount \/sys\/fs\/cgroup writable/);
});

test("overlay: a module that is not loaded counts, an old kernel leaves it to root", async () => {
  const module = "/lib/modules/6.1.0-18-amd64/kernel/fs/overlayfs/overlay.ko.xz";
  const loadable = await judge({ files: { "/proc/filesystems": "\text4\n", [module]: "" } });
  assert.equal(loadable.facts.fileSystems.overlay, "loadable");
  assert.deepEqual(loadable.findings, []);
  const absent = await judge({ files: { "/proc/filesystems": "\text4\n" } });
  assert.match(absent.first.why, /no overlay/);
  const old = { "/proc/sys/kernel/osrelease": "5.10.0-30-amd64\n" };
  assert.match((await judge({ files: old })).first.why, /only root may mount an overlay/);
  assert.deepEqual((await judge(asRoot(old))).findings, []);
});

test("no seccomp filters", async () => {
  const { usability, first } = await judge({ files: { "/proc/sys/kernel/seccomp/actions_avail": null } });
  assert.equal(usability, "limited");
  assert.match(first.why, /seccomp/);
});

test("another system has none of it", async () => {
  const { usability, findings } = await judge({ process: { platform: "darwin" } });
  assert.equal(usability, "unusable");
  assert.equal(findings.length, 1);
});
