// A container takes what it can of one resource, within its limits, while a neighbour works.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { configFor, limit, makeBundle } from "./lib/bundle.mjs";
import { collect } from "./lib/runtime.mjs";
import { complaint } from "./lib/verdict.mjs";

const SECONDS = 3;
const ROUNDS = 3;
/** What the neighbour has to keep. */
const KEEPS = 0.8;

/**
 * `within`: whether what the attack took (programs/exhaust.c) is what the limits of lib/bundle.mjs allow.
 * @type {{name: string, what: string, within: (taken: number) => boolean}[]}
 */
export const EXHAUSTIONS = [
  { name: "fork bomb (pids 64)", what: "forks", within: (processes) => processes <= 64 },
  { name: "memory hog (64 MiB)", what: "memory", within: (mib) => mib < 64 },
  { name: "processor hog, 8 threads (half a processor)", what: "cpu", within: (percent) => percent <= 75 },
  { name: "disk filler on a tmpfs (16 MiB)", what: "tmpfs", within: (mib) => mib <= 16 },
  { name: "disk filler on /dev/shm (16 MiB)", what: "shm", within: (mib) => mib <= 16 },
  { name: "files without content (1024 inodes)", what: "inodes", within: (files) => files <= 1024 },
  { name: "direct writes to the disk (4 MiB/s)", what: "disk", within: (mib) => mib <= 4 * SECONDS + 8 },
  { name: "sockets full of data (64 MiB)", what: "sockets", within: (pairs) => pairs < 4000 },
];

function bundle({ programs, newFolder, host }, args, limited) {
  const folder = newFolder();
  const config = configFor(args);
  if (limited) {
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

/** The neighbour's units a second between two moments of its own clock. */
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

  mark() {
    return this.#samples.length - 1;
  }

  rate(from, to) {
    const [first, last] = [this.#samples[from], this.#samples[to]];
    return last === first ? 0 : (last[1] - first[1]) / ((last[0] - first[0]) / 1e9);
  }

  async stop() {
    this.runtime.delete(this.id);
    this.child.kill("SIGKILL");
    await this.ended;
  }
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

/** The attack as seen by itself: {ok, text}. */
function took(result, within) {
  if (result.status === 137 || result.signal === "SIGKILL") return { ok: true, text: "ended by the OOM killer" };
  const found = /^took \w+: (\d+), then (.*)$/m.exec(result.stdout);
  if (found === null) return { ok: false, text: `BROKEN: ${complaint(result)}` };
  const [, taken, reason] = found;
  const ok = within(Number(taken));
  return { ok, text: `${ok ? "" : "NOT CONTAINED: "}${taken}, ${reason}` };
}

/** Quiet and attacked stretches in turn; the median of what the neighbour kept. */
export async function measure({ what, within }, context) {
  const neighbour = new Neighbour(context);
  try {
    await neighbour.ready();
    const kept = [];
    const attacks = [];
    for (let round = 0; round < ROUNDS; round++) {
      const quiet = neighbour.mark();
      await sleep(SECONDS * 1000);
      const before = neighbour.mark();
      const id = context.runtime.newId();
      const child = context.runtime.start(bundle(context, ["/bin/exhaust", what, `${SECONDS + 1}`], true), id);
      const started = new Promise((resolve) => child.stdout.once("data", resolve));
      const ended = collect(child, 120_000);
      await Promise.race([started, ended]);
      const from = neighbour.mark();
      await Promise.race([sleep(SECONDS * 1000), ended]);
      const to = neighbour.mark();
      const result = await ended;
      context.runtime.delete(id);
      attacks.push(took(result, within));
      kept.push(neighbour.rate(from, to) / neighbour.rate(quiet, before));
      if (neighbour.end !== undefined) throw new Error(`the neighbour ended: ${complaint(neighbour.end)}`);
    }
    const ratio = median(kept);
    const attack = attacks.find(({ ok }) => !ok) ?? attacks.at(-1);
    const damage = context.host.damage();
    if (damage !== undefined) return { ok: false, text: `ESCAPED: ${damage}` };
    return { ok: attack.ok && ratio >= KEEPS, text: `${attack.text}; ${Math.round(ratio * 100)} %` };
  } finally {
    await neighbour.stop();
  }
}
