import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../testing/fake-clock.js";
import { FakeLine } from "../testing/fake-line.js";
import { checkAccesses, checkHostileStates, type Subject } from "../testing/properties.js";
import { Coprocessor } from "./coprocessor.js";

function create() {
  const interrupt = new FakeLine();
  let ignored = 0;
  const coprocessor = new Coprocessor({
    interrupt,
    ignore: () => {
      ignored++;
    },
  });
  return { coprocessor, interrupt, ignored: () => ignored };
}

test("an error raises IRQ 13, and port 0xf0 lowers it and asserts IGNNE#", () => {
  for (const offset of [0, 1]) {
    const { coprocessor, interrupt, ignored } = create();
    coprocessor.error();
    assert.equal(interrupt.level, true);
    assert.equal(ignored(), 0);
    coprocessor.write(offset);
    assert.equal(interrupt.level, false);
    assert.equal(ignored(), 1);
    assert.equal(coprocessor.read(), 0xff);
  }
});

function subject(): Subject {
  const { coprocessor, interrupt, ignored } = create();
  return {
    clock: new FakeClock(),
    device: coprocessor,
    windows: [{ device: coprocessor, size: 2 }],
    event: () => coprocessor.error(),
    observe: () => [interrupt.level, ignored() > 0],
  };
}

test("no access makes it throw, and it goes on after a restore as before", () => {
  checkAccesses(() => ({ ...subject(), observe: () => null }), 20);
  checkHostileStates(subject);
});

test("the interrupt survives saving and restoring", () => {
  const { coprocessor } = create();
  coprocessor.error();
  const other = create();
  other.coprocessor.restore(coprocessor.save());
  assert.equal(other.interrupt.level, true);
  assert.equal(other.ignored(), 0);
});
