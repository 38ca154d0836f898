import assert from "node:assert/strict";
import { test } from "node:test";
import { StateError } from "../device.js";
import { Port92, ResetControl } from "./reset.js";

test("0xcf9: a rising edge of bit 2 resets, as Linux and the FADT's reset register do it", () => {
  let resets = 0;
  const control = new ResetControl(() => resets++);
  control.write(0, 1, 0x02);
  assert.equal(resets, 0);
  assert.equal(control.read(), 0x02);
  control.write(0, 1, 0x06);
  assert.equal(resets, 1);
  control.write(0, 1, 0x06);
  assert.equal(resets, 2, "the bit had fallen with the reset");
});

test("0x92: a rising edge of bit 0 resets; A20 reads back and starts enabled", () => {
  let resets = 0;
  const port = new Port92(() => resets++);
  assert.equal(port.read(), 0x02);
  port.write(0, 1, 0x03);
  port.write(0, 1, 0x03);
  assert.equal(resets, 1);
  port.write(0, 1, 0x00);
  assert.equal(port.read(), 0x00);
});

test("states go through JSON; hostile ones are refused", () => {
  const port = new Port92(() => {});
  port.write(0, 1, 0x00);
  const copy = new Port92(() => {});
  copy.restore(JSON.parse(JSON.stringify(port.save())));
  assert.equal(copy.read(), 0x00);
  assert.throws(() => copy.restore({ version: 1, value: 4 }), StateError);
  assert.throws(() => new ResetControl(() => {}).restore({ version: 2, value: 0 }), StateError);
});
