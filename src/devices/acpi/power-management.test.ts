import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../testing/fake-clock.js";
import { FakeLine } from "../testing/fake-line.js";
import { checkAccesses, checkHostileStates, type Subject } from "../testing/properties.js";
import { PowerManagement } from "./power-management.js";

const [STATUS, ENABLE, CONTROL, TIMER] = [0x00, 0x02, 0x04, 0x08];

function create() {
  const clock = new FakeClock();
  const sci = new FakeLine();
  const offs = { count: 0 };
  const sleep: string[] = [];
  const pm = new PowerManagement({
    clock,
    sci,
    powerOff: () => offs.count++,
    suspend: () => sleep.push("suspend"),
    wake: () => sleep.push("wake"),
  });
  return { clock, sci, offs, pm, sleep };
}

test("the machine is in ACPI mode from power-on", () => {
  const { pm } = create();
  assert.equal(pm.read(CONTROL, 2) & 1, 1);
});

test("the PM timer counts at 3.579545 MHz and wraps around", () => {
  const { clock, pm } = create();
  assert.equal(pm.read(TIMER, 4), 0);
  clock.advance(1e9);
  assert.equal(pm.read(TIMER, 4), 3_579_545);
  assert.equal(pm.read(TIMER + 1, 1), (3_579_545 >> 8) & 0xff);
});

test("the timer's status is set each time bit 23 changes", () => {
  const { clock, sci, pm } = create();
  pm.write(ENABLE, 2, 0x0001);
  clock.advanceTo(Math.floor((2 ** 23 * 1e9) / 3_579_545));
  assert.equal(sci.level, false);
  clock.advance(1000);
  assert.equal(sci.level, true);
  pm.write(STATUS, 2, 0x0001);
  assert.equal(sci.level, false);
  clock.advance(2.4e9);
  assert.equal(sci.level, true);
});

test("the power button interrupts once it is enabled; writing a one clears it", () => {
  const { sci, pm } = create();
  pm.powerButton();
  assert.equal(pm.read(STATUS, 2) & 0x100, 0x100);
  assert.equal(sci.level, false);
  pm.write(ENABLE, 2, 0x0100);
  assert.equal(sci.level, true);
  pm.write(STATUS, 2, 0x0020);
  assert.equal(sci.level, true);
  pm.write(STATUS + 1, 1, 0x01);
  assert.equal(sci.level, false);
});

test("general-purpose events interrupt too", () => {
  const { sci, pm } = create();
  pm.raiseGpe(9);
  assert.equal(pm.read(0x21, 1), 0x02);
  pm.write(0x29, 1, 0x02);
  assert.equal(sci.level, true);
  pm.write(0x21, 1, 0x02);
  assert.equal(sci.level, false);
});

test("SLP_EN with the type of S5 switches off; another type does not", () => {
  const { offs, pm } = create();
  pm.write(CONTROL, 2, 0x2001 | (5 << 10));
  assert.equal(offs.count, 0);
  pm.write(CONTROL, 2, 0x2001);
  assert.equal(offs.count, 1);
  assert.equal(pm.read(CONTROL, 2) & 0x2000, 0, "SLP_EN reads as zero");
});

test("S3 ends with the power button, and with the RTC's alarm where that is enabled; WAK_STS says so", () => {
  const { pm, sleep } = create();
  pm.write(CONTROL, 2, 0x2001 | (1 << 10));
  assert.deepEqual(sleep, ["suspend"]);
  pm.rtcAlarm();
  assert.deepEqual(sleep, ["suspend"]);
  pm.powerButton();
  assert.deepEqual(sleep, ["suspend", "wake"]);
  assert.equal(pm.read(STATUS, 2) & 0x8500, 0x8500);
  pm.powerButton();
  assert.deepEqual(sleep, ["suspend", "wake"], "awake already");

  pm.write(STATUS, 2, 0x8500);
  pm.write(ENABLE, 2, 0x0400);
  pm.write(CONTROL, 2, 0x2001 | (1 << 10));
  const other = create();
  other.pm.restore(pm.save());
  other.pm.rtcAlarm();
  assert.deepEqual(other.sleep, ["wake"], "a saved machine sleeps on");
});

test("an event that would wake the machine keeps it from falling asleep", () => {
  const { pm, sleep } = create();
  pm.write(ENABLE, 2, 0x0400);
  pm.rtcAlarm();
  pm.write(CONTROL, 2, 0x2001 | (1 << 10));
  assert.deepEqual(sleep, []);
});

test("the PM timer has 24 bits", () => {
  const { clock, pm } = create();
  clock.advance(10e9);
  assert.equal(pm.read(TIMER, 4), 35_795_450 % 2 ** 24);
});

test("SMI by the command port looks set up, so that firmware leaves SMM alone", () => {
  const { pm } = create();
  assert.equal(pm.read(0x30, 4) & 0x20, 0x20);
  pm.write(0x30, 4, 0);
  assert.equal(pm.read(0x30, 4), 0x20);
});

function subject(): Subject {
  const { clock, sci, pm } = create();
  return {
    clock,
    device: pm,
    windows: [{ device: pm, size: 0x80 }],
    event: (choice) => (choice & 1 ? pm.powerButton() : pm.raiseGpe(choice % 64)),
    observe: () => sci.level,
  };
}

test("random accesses never throw, and a restored block goes on like the saved one", () => checkAccesses(subject, 20));
test("hostile states are refused whole", () => checkHostileStates(subject));
