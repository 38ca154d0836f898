// npm run test:test386 -- --image FILE --expected FILE [--cpu MODEL] [--post-port P] [--listing-port P]
// Runs test386.asm (https://github.com/barotto/test386.asm), which is to be built elsewhere, as a machine's firmware.
// The image writes the number of each test to the POST port, and what arithmetic gave to the listing port (OUT_PORT
// in its configuration.asm). Passes when POST 0xff is reached and the listing equals the expected one.
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { build } from "../../scripts/lib/build.mjs";
import { existing } from "../support/arguments.mjs";

const FINISHED = 0xff;
/** The whole run takes some eighty million instructions; this is for an image that loops. */
const LIMIT_NS = 1_000_000_000;
const SHOWN = 10;

const { values } = parseArgs({
  options: {
    image: { type: "string" },
    expected: { type: "string" },
    cpu: { type: "string", default: "486" },
    "post-port": { type: "string", default: "0x190" },
    "listing-port": { type: "string", default: "0xe9" },
    listing: { type: "string" },
  },
});
if (values.image === undefined || values.expected === undefined) {
  console.error("usage: npm run test:test386 -- --image test386.bin --expected test386-EE-reference.txt");
  process.exit(2);
}
for (const file of [values.image, values.expected]) existing(file);
if (!build()) process.exit(1);

const dist = (path) => import(new URL(`../../dist/${path}`, import.meta.url));
const { prepareBios } = await dist("boot/bios.js");
const { createInterpreter } = await dist("accel/translate/accelerator.js");
const { parseCpuModel } = await dist("vcpu/cpu-model.js");
const { Machine } = await dist("machine/machine.js");
const { pcBoard } = await dist("machine/pc-board.js");
const { nodeScheduler } = await dist("node/scheduler.js");
const core = new URL("../../dist/accel/translate/core.wasm", import.meta.url);

const posts = [];
let listing = "";
const machine = new Machine({
  memory: 16 << 20,
  accelerator: createInterpreter(await WebAssembly.compile(readFileSync(core))),
  cpuModel: parseCpuModel(values.cpu),
  clock: "icount",
  scheduler: nodeScheduler,
  boot: prepareBios({ name: values.image, bytes: new Uint8Array(readFileSync(values.image)) }),
  board: pcBoard(),
  noReboot: true,
});
machine.ports.add("test386 post", Number(values["post-port"]), 1, {
  read: () => 0xff,
  write: (_offset, _size, value) => {
    posts.push(value);
    if (value === FINISHED) machine.loop.end({ kind: "stopped" });
  },
});
machine.ports.add("test386 listing", Number(values["listing-port"]), 1, {
  read: () => 0xff,
  write: (_offset, _size, value) => {
    listing += String.fromCharCode(value);
  },
});
const reached = machine.pauseAt({ time: LIMIT_NS }).then((paused) => paused && machine.stop());
const outcome = await machine.start();
await reached;

const hex = (value) => `0x${value.toString(16).padStart(2, "0")}`;
const { instructions } = machine.stats();
const last = posts.at(-1) ?? -1;
console.log(`POST codes: ${posts.map(hex).join(" ")}`);
console.log(`${instructions} instructions; ended: ${outcome.kind}`);
if (values.listing) writeFileSync(values.listing, listing);
if (last !== FINISHED) {
  const { rip, segments, gpr } = machine.vcpus[0].getState();
  console.log(
    `stopped at ${hex(segments.cs.selector)}:${rip.toString(16)}, registers ${gpr
      .slice(0, 8)
      .map((value) => value.toString(16))
      .join(" ")}`,
  );
}

const got = listing.split(/\r?\n/);
const wanted = readFileSync(values.expected, "latin1").split(/\r?\n/);
let differing = 0;
for (let line = 0; line < Math.max(got.length, wanted.length); line++) {
  if (got[line] === wanted[line]) continue;
  if (++differing <= SHOWN) console.log(`line ${line + 1}\n  expected ${wanted[line]}\n  got      ${got[line]}`);
}
console.log(`listing: ${wanted.length - 1} lines expected, ${got.length - 1} written, ${differing} differ`);
process.exit(last === FINISHED && differing === 0 ? 0 : 1);
