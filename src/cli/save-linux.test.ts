/** Debian's kernel, saved under way and restored in another process, under the same accelerator and another. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { SavedMachine } from "../machine/saved-machine/saved-machine.js";
import { aptAvailable } from "../node/apt.js";
import { openSavedMachineFile } from "../node/saved-machine-file.js";
import { kvmObstacle } from "../test-support/accelerators.js";
import { ringvisor, temporaryFolder } from "./testing/ringvisor.js";

const cached = ringvisor("guest", "info").stdout.startsWith("folder");
const skip = cached || aptAvailable() ? false : "this host has no apt";
before(() => {
  if (!cached && skip === false) assert.equal(ringvisor("guest", "build").code, 0);
});

test("Linux, saved while it boots and while a program runs: byte for byte and instruction for instruction", {
  skip,
}, (t) => {
  const folder = temporaryFolder(t);
  const file = (name: string) => join(folder, name);
  const program =
    "echo started; i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done; echo counted $i; " +
    "/bin/busybox seq 1 2000 | /bin/busybox md5sum; /bin/busybox poweroff -f";
  const boot = ["--memory", "128M", "--append", `quiet rdinit=/bin/busybox -- sh -c "${program}"`];
  const run = (name: string, ...options: string[]) => {
    const { code, stderr } = ringvisor(
      ...["boot", "--clock", "icount", `--console=file:${file(name)}`, `--stats=${file(`${name}.json`)}`, ...options],
    );
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    const { instructions } = JSON.parse(readFileSync(file(`${name}.json`), "utf8"));
    return { text: readFileSync(file(name), "latin1"), instructions };
  };
  const whole = run("whole", ...boot);
  assert.match(whole.text, /started\r\ncounted 5000\r\n[0-9a-f]{32} {2}-\r\n/);

  const middle = Math.floor(whole.instructions / 4);
  const late = whole.instructions - 15_000_000;
  const first = run("first", ...boot, "--save-at", `${middle}i:${file("booting")}`, "--quit-when-saved");
  assert.equal(first.instructions, middle);
  assert.doesNotMatch(first.text, /\nstarted/);
  const second = run(
    "second",
    "--restore",
    file("booting"),
    "--save-at",
    `${late}i:${file("running")}`,
    "--quit-when-saved",
  );
  assert.equal(second.text, "started\r\n", "its program is under way");
  const third = run("third", "--restore", file("running"));
  assert.equal(first.text + second.text + third.text, whole.text);
  assert.equal(third.instructions, whole.instructions);
});

test("Linux, saved while it boots under the interpreter, goes on under KVM and ends under the interpreter", {
  skip: skip || kvmObstacle(),
}, async (t) => {
  const folder = temporaryFolder(t);
  const file = (name: string) => join(folder, name);
  const run = (name: string, ...options: string[]) => {
    const { code, stderr } = ringvisor("boot", `--console=file:${file(name)}`, ...options);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    return readFileSync(file(name), "latin1");
  };
  // What every KVM offers, also one without hardware underneath.
  const machine = ["--memory", "128M", "--cpu", "x86-64-v1,+x2apic,+tsc_deadline"];
  const program = 'quiet rdinit=/bin/busybox -- sh -c "echo started; /bin/busybox poweroff -f"';
  const first = run(
    "first",
    ...["--accel", "interpret", ...machine, "--append", program],
    ...["--save-at", `600000000i:${file("booting")}`, "--quit-when-saved"],
  );
  assert.doesNotMatch(first, /\nstarted/);
  const source = await openSavedMachineFile(file("booting"));
  const { state } = await SavedMachine.open(source);
  await source.close();
  const later = (state.clock.now / 1e9 + 0.2).toFixed(3);
  const moved = ["--restore", file("booting"), "--accel", "kvm", "--save-at", `${later}s:${file("moved")}`];
  const second = run("second", ...moved, "--quit-when-saved");
  const third = run("third", "--restore", file("moved"), "--accel", "interpret");
  assert.match(second + third, /(^|\n)started\r\n/);
});
