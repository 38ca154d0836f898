/** How often each piece of guest code ran, and in which tier. */
import type { CodeListener, Core } from "./core-module.js";
import {
  ARENA_NEXT,
  BLOCK_COUNT,
  BLOCK_ENTRIES,
  BLOCK_HEADER,
  BLOCK_HEAT,
  BLOCK_MADE_RIP,
  BLOCK_RECORDS,
  BLOCK_REGION,
  BLOCK_REGION_ENTRIES,
  CODE_ARENA,
  END_REGION_INSTRUCTIONS,
  HEAT_INITIAL,
  MACHINE_BLOCK,
  PROFILING,
} from "./layout.js";

/** Who ran it: the interpreter, or a translated region. */
export type CodeTier = "interpret" | "translate";

/** A block of the interpreter's, or a region with all its blocks. */
export interface CodeProfileEntry {
  /** RIP of its first instruction. Code of several address spaces at one RIP is one entry. */
  readonly address: bigint;
  readonly tier: CodeTier;
  /** How often it was entered. */
  readonly executions: number;
  /** Guest instructions retired in it. For blocks: as if each had always run to its end. */
  readonly instructions: number;
}

/** REC_BYTES of core/record.ts. */
const RECORD_BYTES = 32;
/** Nothing is entered this often. */
const ENDLESS_HEAT = 0x7fff_ffff;

/** Entries to a block are counted down from `heat` now, and those until now are kept. */
export function setHeat(view: DataView, block: number, heat: number): void {
  const entries = view.getUint32(block + BLOCK_ENTRIES, true) + heat - view.getUint32(block + BLOCK_HEAT, true);
  view.setUint32(block + BLOCK_ENTRIES, entries >>> 0, true);
  view.setUint32(block + BLOCK_HEAT, heat, true);
}

function endOf(view: DataView, block: number): number {
  return block + BLOCK_HEADER + (view.getUint16(block + BLOCK_RECORDS, true) - 1) * RECORD_BYTES;
}

/** Counts for one machine. Slows it down a little: regions and blocks are counted that else would not be. */
export class CodeProfile {
  private core: Core | null = null;
  /** What blocks counted that the arena has no more. */
  private readonly past = new Map<string, CodeProfileEntry>();

  /** Called by the accelerator when the machine's core is there, and who translates listens to it. */
  attach(core: Core): void {
    const { view } = core;
    this.core = core;
    view.setUint32(MACHINE_BLOCK + PROFILING, 1, true);
    if (view.getUint32(MACHINE_BLOCK + HEAT_INITIAL, true) === 0) {
      view.setUint32(MACHINE_BLOCK + HEAT_INITIAL, ENDLESS_HEAT, true);
    }
    const listener = core.codeListener;
    const own: CodeListener = {
      hot: (cpu, block) => {
        listener?.hot(cpu, block);
        // A block that stays the interpreter's is counted on.
        const counted = view.getUint32(block + BLOCK_HEAT, true) !== 0;
        if (!counted && view.getUint32(block + BLOCK_REGION, true) === 0) setHeat(view, block, ENDLESS_HEAT);
      },
      codeRetired: (page) => listener?.codeRetired(page),
      codeCacheEmptied: () => {
        this.collect(this.past);
        listener?.codeCacheEmptied();
      },
    };
    core.codeListener = own;
  }

  /** All that ran until now, in no order. */
  entries(): CodeProfileEntry[] {
    const all = new Map(this.past);
    this.collect(all);
    return [...all.values()];
  }

  /** Adds what the blocks in the arena counted. */
  private collect(into: Map<string, CodeProfileEntry>): void {
    if (this.core === null) return;
    const { view } = this.core;
    const end = view.getUint32(MACHINE_BLOCK + ARENA_NEXT, true);
    for (let block = CODE_ARENA; block < end; block = endOf(view, block) + RECORD_BYTES) {
      const last = endOf(view, block);
      const address = view.getBigUint64(block + BLOCK_MADE_RIP, true);
      const executions = (view.getUint32(block + BLOCK_ENTRIES, true) - view.getUint32(block + BLOCK_HEAT, true)) >>> 0;
      const instructions = executions * view.getUint16(block + BLOCK_COUNT, true);
      add(into, { address, tier: "interpret", executions, instructions });
      add(into, {
        address,
        tier: "translate",
        executions: view.getUint32(block + BLOCK_REGION_ENTRIES, true),
        instructions: Number(view.getBigUint64(last + END_REGION_INSTRUCTIONS, true)),
      });
    }
  }
}

function add(into: Map<string, CodeProfileEntry>, entry: CodeProfileEntry): void {
  if (entry.executions === 0) return;
  const { address, tier } = entry;
  const key = `${tier} ${address}`;
  const known = into.get(key);
  into.set(key, {
    address,
    tier,
    executions: entry.executions + (known?.executions ?? 0),
    instructions: entry.instructions + (known?.instructions ?? 0),
  });
}
