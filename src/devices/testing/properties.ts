/**
 * What holds for every device: no access of a guest makes it throw, what it reads is unsigned and of the access's
 * size, and a device restored in the middle of a stream of accesses goes on exactly as the saved one.
 */
import assert from "node:assert/strict";
import type { BusDevice, PlainData, Stateful } from "../device.js";
import { StateError } from "../device.js";
import type { FakeClock } from "./fake-clock.js";
import { Random } from "./random.js";

/** A device under test: fresh from power-on with a clock of its own. */
export interface Subject {
  clock: FakeClock;
  device: Stateful<PlainData>;
  windows: readonly { device: BusDevice; size: number }[];
  /** What happens outside of the bus: lines, input. Chosen by a random number. */
  event?(choice: number): void;
  /** What the outside sees of the device now: the levels of its lines. */
  observe(): unknown;
}

const SIZES = [1, 1, 1, 2, 4];

function step(subject: Subject, random: Random): unknown {
  const window = random.pick(subject.windows);
  const size = Math.min(random.pick(SIZES), window.size);
  const offset = Math.min(random.below(window.size), window.size - size);
  const value = (random.next() & (random.below(2) ? 0xffff_ffff : 0x3f)) >>> (32 - size * 8);
  const action = random.below(16);
  if (action === 0) subject.clock.advance(random.below(4) ? random.below(100_000) : random.below(1_500_000_000));
  const choice = random.next();
  if (action <= 2) subject.event?.(choice);
  if (action < 8) {
    window.device.write(offset, size, value);
    return subject.observe();
  }
  const read = window.device.read(offset, size);
  assert.ok(Number.isInteger(read) && read >= 0 && read < 2 ** (size * 8), `read of ${size} bytes gave ${read}`);
  return [read, subject.observe()];
}

/** Random accesses; in the middle the state goes through JSON into a second device, and both go on alike. */
export function checkAccesses(create: () => Subject, seeds: number, steps = 400): void {
  for (let seed = 1; seed <= seeds; seed++) {
    const first = create();
    const random = new Random(seed * 2654435761);
    for (let index = 0; index < steps; index++) step(first, random);

    const second = create();
    second.clock.startTime = first.clock.startTime;
    second.clock.advanceTo(first.clock.now());
    const saved = first.device.save();
    second.device.restore(JSON.parse(JSON.stringify(saved)));
    assert.deepEqual(second.device.save(), saved, `seed ${seed}: what was restored saves the same`);

    const tail = random.next();
    const one = new Random(tail);
    const two = new Random(tail);
    for (let index = 0; index < steps; index++) {
      assert.deepEqual(step(second, two), step(first, one), `seed ${seed}: step ${index} after the restore`);
    }
  }
}

/** Every field of a saved state, replaced by nonsense, is refused, and then nothing has changed. */
export function checkHostileStates(create: () => Subject): void {
  const subject = create();
  const good = subject.device.save();
  const refuse = (state: unknown): void => {
    assert.throws(() => subject.device.check(state), StateError);
    assert.throws(() => subject.device.restore(state as PlainData), StateError, JSON.stringify(state)?.slice(0, 200));
    assert.deepEqual(subject.device.save(), good);
  };
  subject.device.check(good);
  refuse(null);
  refuse([]);
  refuse({});
  const walk = (value: unknown, rebuild: (replacement: unknown) => unknown): void => {
    for (const nonsense of [undefined, "nonsense", Number.NaN, 2 ** 60, { a: 1 }]) refuse(rebuild(nonsense));
    if (Array.isArray(value)) {
      if (value.length > 0) {
        walk(value[0], (replacement) => rebuild([replacement, ...value.slice(1)]));
      }
    } else if (typeof value === "object" && value !== null) {
      for (const [key, field] of Object.entries(value)) {
        if (field !== null) walk(field, (replacement) => rebuild({ ...value, [key]: replacement }));
      }
    }
  };
  walk(good, (replacement) => replacement);
}
