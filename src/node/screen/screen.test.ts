import assert from "node:assert/strict";
import { test } from "node:test";
import type { TextImage } from "../../devices/vga/screen-image.js";
import { AnsiScreen } from "./ansi.js";
import { keysOf } from "./terminal-keys.js";
import { Typist } from "./typist.js";

function image(rows: string[], options: Partial<TextImage> = {}): TextImage {
  const columns = 8;
  const characters = new Uint8Array(rows.length * columns).fill(0x20);
  for (const [index, row] of rows.entries()) characters.set(Buffer.from(row, "latin1"), index * columns);
  return {
    kind: "text",
    columns,
    rows: rows.length,
    characters,
    attributes: new Uint8Array(characters.length).fill(7),
    blink: true,
    cursor: { column: 0, row: 0 },
    ...options,
  };
}

/** What is drawn, with a tilde for the escape sequences' beginning. */
function makeScreen() {
  const screen = new AnsiScreen();
  return {
    forget: () => screen.forget(),
    draw: (...args: Parameters<AnsiScreen["draw"]>) => screen.draw(...args).replaceAll("\x1b[", "~"),
  };
}

test("the first picture is drawn whole, the next ones by what differs", () => {
  const screen = makeScreen();
  assert.match(screen.draw(image(["ab", "cd"]), 80, 25), /^~0m~2J~1;1H~0;37;40mab {6}~2;1Hcd {6}/);
  assert.equal(screen.draw(image(["ab", "cd"]), 80, 25), "");
  assert.equal(screen.draw(image(["ab", "cX"]), 80, 25), "~2;2H~0;37;40mX~1;1H~?25h");
  assert.equal(screen.draw(image(["ab", "cX"], { cursor: null }), 80, 25), "~?25l");
  screen.forget();
  assert.match(screen.draw(image(["ab", "cX"]), 80, 25), /ab .*cX/s);
});

test("colours: blue and red change places; blinking and bright backgrounds are the adapter's choice", () => {
  const attributes = new Uint8Array(8).fill(0x9c);
  assert.match(makeScreen().draw(image(["x"], { attributes }), 80, 25), /~0;91;44;5mx/);
  assert.match(makeScreen().draw(image(["x"], { attributes, blink: false }), 80, 25), /~0;91;104mx/);
});

test("a terminal that is too small shows the upper left part; graphics are named once", () => {
  const screen = makeScreen();
  const drawn = screen.draw(image(["abcd", "efgh"]), 2, 1);
  assert.match(drawn, /mab~/);
  assert.doesNotMatch(drawn, /[cdefg]/);
  const graphics = { kind: "graphics", width: 640, height: 480, bitsPerPixel: 32 } as const;
  assert.match(screen.draw(graphics, 80, 25), /\[graphics: 640x480, 32 bits a pixel\]$/);
  assert.equal(screen.draw(graphics, 80, 25), "");
  assert.match(screen.draw(image(["ab"]), 80, 25), /2J.*ab/s);
});

for (const [typed, keys] of [
  ["aB ~", [{ key: "a" }, { key: "B" }, { key: " " }, { key: "~" }]],
  ["\r\n\t\x7f", [{ key: "enter" }, { key: "enter" }, { key: "tab" }, { key: "backspace" }]],
  ["\x1b[A\x1bOP\x1b[5~\x1b[1;5C", [{ key: "up" }, { key: "f1" }, { key: "pageup" }]],
  [
    "\x03\x1bx",
    [
      { key: "c", ctrl: true },
      { key: "x", alt: true },
    ],
  ],
  ["\x1b", [{ key: "escape" }]],
  ["\x00\xc3\xa9", []],
] as const) {
  test(`keys of ${JSON.stringify(typed)}`, () => assert.deepEqual(keysOf(Buffer.from(typed, "latin1")), keys));
}

test("typing waits for the guest, key by key", async () => {
  const typed: (readonly number[])[] = [];
  const machine = { keyboardIdle: true, typeScanCodes: (codes: readonly number[]) => typed.push(codes) > 0 };
  const typist = new Typist(machine);
  machine.keyboardIdle = false;
  typist.type([{ key: "a" }, { key: "B" }, { key: "no such key" }, { key: "up" }]);
  assert.deepEqual(typed, []);
  machine.keyboardIdle = true;
  const start = performance.now();
  while (typed.length < 3 && performance.now() - start < 60_000) await new Promise((resolve) => setTimeout(resolve, 5));
  typist.close();
  assert.deepEqual(typed, [
    [0x1c, 0xf0, 0x1c],
    [0x12, 0x32, 0xf0, 0x32, 0xf0, 0x12],
    [0xe0, 0x75, 0xe0, 0xf0, 0x75],
  ]);
});
