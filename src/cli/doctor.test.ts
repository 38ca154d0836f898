import assert from "node:assert/strict";
import { test } from "node:test";
import { probeHost } from "../node/host/facts.js";
import { hostWasm } from "../node/host/node.js";
import type { TechniqueName } from "../node/host/techniques.js";
import { type FakeHost, fakeHost } from "../node/host/testing/fake-host.js";
import { type DoctorReport, formatReport, makeReport } from "./doctor.js";
import { ringvisor } from "./testing/ringvisor.js";

const ALL: TechniqueName[] = ["full", "para", "hardware", "os"];

async function diagnose(host: FakeHost, built = ALL, wasm = hostWasm()): Promise<DoctorReport> {
  const facts = await probeHost(fakeHost(host), { wasm, loadNativeCalls: async () => ({}) });
  return makeReport(facts, { version: "1.2.3", accelerators: ["interpret", "kvm"], techniques: new Set(built) });
}

test("a host with everything: four techniques, each with its reason and consequence", async () => {
  const report = await diagnose({});
  assert.deepEqual(
    report.techniques.map(({ technique, host, works }) => [technique, host, works]),
    ALL.map((name) => [name, "usable", true]),
  );
  assert.equal(report.auto.accelerator, "kvm");
  const text = formatReport(report);
  for (const name of ALL) assert.match(text, new RegExp(`^${name} .*: usable$`, "m"));
  assert.match(text, /^--accel auto takes kvm: KVM is usable, with VT-x underneath$/m);
  assert.doesNotMatch(text, /remedy/);
});

test("what is not built says so, and what the host would offer to it", async () => {
  const report = await diagnose({}, ["full"]);
  assert.deepEqual(
    report.techniques.filter(({ works }) => works).map(({ technique }) => technique),
    ["full"],
  );
  assert.match(formatReport(report), /^para .*: not built yet \(this host: usable\)$/m);
});

test("findings stand with the worst first, each with its remedy", async () => {
  const report = await diagnose({
    process: { groups: [] },
    files: { "/proc/modules": "kvm_pvm 1 0 - Live 0x0\n" },
    devices: { "/dev/kvm": { openError: "EACCES" } },
  });
  const hardware = report.techniques.find(({ technique }) => technique === "hardware");
  assert.equal(hardware?.host, "unusable");
  assert.equal(hardware?.works, false);
  assert.deepEqual(
    hardware?.findings.map(({ usability }) => usability),
    ["unusable", "limited"],
  );
  assert.match(
    formatReport(report),
    /hardware .*: not usable\n {2}why .*EACCES.*\n {2}consequence .*\n {2}remedy .*kvm ada/,
  );
});

test("nothing works where Node is too old and Linux is missing", async () => {
  const report = await diagnose({ process: { platform: "darwin", nodeVersion: "18.0.0" } });
  assert.equal(report.works, false);
  const text = formatReport(report);
  assert.doesNotMatch(text, /cgroups {4}/);
  assert.match(text, /Node 18\.0\.0 is older than 20\.19/);
});

test("every line of the report has something to say", async () => {
  const bare = {
    "/etc/os-release": null,
    "/proc/cpuinfo": null,
    "/proc/sys/kernel/osrelease": null,
    "/etc/passwd": null,
  };
  for (const host of [{}, { files: bare }, { process: { platform: "win32", arch: "arm64" } }]) {
    const text = formatReport(await diagnose(host, ["full"], null));
    assert.doesNotMatch(text, /undefined|null|NaN|[^\S\n]\n/);
  }
});

test("on this host: text and JSON agree, and the exit code says whether anything works", () => {
  const text = ringvisor("doctor");
  const json = ringvisor("doctor", "--json");
  assert.equal(json.stderr + text.stderr, "");
  const report: DoctorReport = JSON.parse(json.stdout);
  assert.equal(report.version, 1);
  assert.equal(json.code, report.works ? 0 : 1);
  assert.equal(text.code, json.code);
  assert.deepEqual(
    report.techniques.map(({ technique }) => technique),
    ALL,
  );
  for (const { technique, findings } of report.techniques) {
    assert.match(text.stdout, new RegExp(`^${technique} `, "m"));
    assert.ok(findings.length > 0);
    for (const { why, consequence, remedy } of findings) {
      for (const line of [why, consequence, ...(remedy === null ? [] : [remedy])]) {
        assert.ok(line !== "" && !line.includes("\n"));
        assert.ok(text.stdout.includes(line), line);
      }
    }
  }
  // The tests themselves run on the interpreter: it works here.
  assert.equal(report.techniques[0].works, true);
});
