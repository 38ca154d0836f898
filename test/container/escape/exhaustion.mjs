// A container takes what it can of one resource, within its limits, while a neighbour works.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { configFor, limit, makeBundle } from "./lib/bundle.mjs";
import { collect } from "./lib/runtime.mjs";
import { complaint } from "./lib/verdict.mjs";

const SECONDS = 16;
/** How long programs/exhaust.c attacks, and then rests, by the machine's monotonic clock; and what it takes to settle. */
const BEAT = 0.4e9;
const SETTLE = 0.08e9;
/** What the neighbour has to keep. */
const KEEPS = 0.8;

/**
 * `within`: whether what the attack took (programs/exhaust.c) is what the limits of lib/bundle.mjs allow.
 * @type {{name: string, what: string, unit: string, within: (taken: number) => boolean}[]}
 */
export const EXHAUSTIONS = [
  { name: "fork bomb (64 processes)", what: "forks", unit: "processes", within: (taken) => taken <= 64 },
  { name: "memory hog (64 MiB)", what: "memory", unit: "MiB", within: (taken) => taken === 0 },
  { name: "processor hog, 8 threads (half a processor)", what: "cpu", unit: "%", within: (taken) => taken <= 60 },
  { name: "disk filler on a tmpfs (16 MiB)", what: "tmpfs", unit: "MiB", within: (taken) => taken <= 16 },
  { name: "disk filler on /dev/shm (16 MiB)", what: "shm", unit: "MiB", within: (taken) => taken <= 16 },
  { name: "empty files (1024 inodes)", what: "inodes", unit: "files", within: (taken) => taken <= 1024 },
  {
    name: "direct writes to the disk (4 MiB/s)",
    what: "disk",
    unit: `MiB in ${SECONDS} s`,
    within: (taken) => taken <= 4 * SECONDS + 8,
  },
  { name: "sockets full of data (64 MiB)", what: "sockets", unit: "pairs", within: (taken) => taken === 0 },
];

function bundle({ programs, newFolder, host }, args, limited) {
  const folder = newFolder();
  const config = configFor(args);
  // The rest of the machine is not what is measured.
  if (!limited) config.linux.resources.cpu = { shares: 4096 };
  else {
    limit(config);
    const { major, minor } = host.disk;
    // A file system without a disk of its own has no rate to limit.
    if (major !== 0) {
      config.linux.resources.blockIO = { throttleWriteBpsDevice: [{ major, minor, rate: 4 << 20 }] };
    }
  }
  makeBundle(folder, config, programs);
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  return folder;
}

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The neighbour: its samples are moments of the machine's clock in ns, and units done by then. */
class Neighbour {
  #samples = [];

  constructor(context) {
    this.runtime = context.runtime;
    this.id = context.runtime.newId();
    this.child = context.runtime.start(bundle(context, ["/bin/neighbour"], false), this.id);
    let rest = "";
    this.child.stdout.setEncoding("utf8").on("data", (text) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop();
      for (const line of lines) this.#samples.push(line.split(" ").map(Number));
    });
    this.errors = "";
    this.child.stderr.setEncoding("utf8").on("data", (text) => {
      this.errors += text;
    });
    this.ended = new Promise((resolve) =>
      this.child.on("close", (status, signal) => {
        this.end = { status, signal, stderr: this.errors };
        resolve();
      }),
    );
  }

  async ready() {
    for (let tries = 0; this.#samples.length < 4; tries++) {
      if (this.end !== undefined || tries > 600)
        throw new Error(`neighbour: ${complaint(this.end ?? { stderr: "silent" })}`);
      await sleep(100);
    }
  }

  /** What it kept in each attack, of what it did in the rests before and after. */
  kept() {
    /** Units and ns of each beat, without what crosses its edges. */
    const beats = new Map();
    for (const [index, [time, units]] of this.#samples.entries()) {
      if (index === 0) continue;
      const [before, unitsBefore] = this.#samples[index - 1];
      const beat = Math.floor(before / BEAT);
      if (before < beat * BEAT + SETTLE || time > (beat + 1) * BEAT) continue;
      const sum = beats.get(beat) ?? { units: 0, time: 0 };
      beats.set(beat, { units: sum.units + units - unitsBefore, time: sum.time + time - before });
    }
    const rate = (beat) => {
      const sum = beats.get(beat);
      return sum === undefined || sum.time < BEAT / 4 ? undefined : sum.units / sum.time;
    };
    return [...beats.keys()].flatMap((beat) => {
      if (beat % 2 === 0) return [];
      const [before, attack, after] = [rate(beat - 1), rate(beat), rate(beat + 1)];
      return before && after && attack !== undefined ? [attack / ((before + after) / 2)] : [];
    });
  }

  forget() {
    this.#samples = [];
  }

  async stop() {
    this.runtime.delete(this.id);
    this.child.kill("SIGKILL");
    await this.ended;
  }
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

/** The attack as seen by itself: {ok, text}. */
function took(result, unit, within) {
  const found = /^took \w+: (\d+), then (.*)$/m.exec(result.stdout);
  if (found === null) return { ok: false, text: `BROKEN: ${complaint(result)}` };
  const [, taken, reason] = found;
  const ok = within(Number(taken));
  const how = taken === "0" ? reason : `${taken} ${unit}${reason === "no limit" ? "" : `, ${reason}`}`;
  return { ok, text: `${ok ? "" : "NOT CONTAINED: "}${how}` };
}

/** One attack, whose beats the neighbour feels or not: the median of what it kept. */
export async function measure({ what, unit, within }, context) {
  const neighbour = new Neighbour(context);
  try {
    await neighbour.ready();
    const id = context.runtime.newId();
    const child = context.runtime.start(bundle(context, ["/bin/exhaust", what, `${SECONDS}`], true), id);
    const ended = collect(child, 120_000);
    await Promise.race([new Promise((resolve) => child.stdout.once("data", resolve)), ended]);
    neighbour.forget();
    const result = await ended;
    const kept = neighbour.kept();
    context.runtime.delete(id);
    if (neighbour.end !== undefined) throw new Error(`the neighbour ended: ${complaint(neighbour.end)}`);
    const attack = took(result, unit, within);
    const damage = context.host.damage();
    if (damage !== undefined) return { ok: false, text: `ESCAPED: ${damage}` };
    if (!attack.ok || kept.length < 4) return { ok: false, text: `${attack.text}; ${kept.length} beats` };
    const ratio = median(kept);
    return { ok: ratio >= KEEPS, text: `${attack.text}; ${Math.round(ratio * 100)} %` };
  } finally {
    await neighbour.stop();
  }
}
