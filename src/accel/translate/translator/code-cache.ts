/**
 * The regions of one machine: which blocks have one, when each comes and goes.
 *
 * A module costs as much as the translation of several regions: regions wait until there are enough of them for one, or
 * until the block of one that waits has been entered often once more.
 *
 * A region is dropped when code that it was made from changes, when the arena of the blocks is emptied, and when the
 * regions need more than they may. The functions of one WebAssembly module, a batch, are freed together once all of them
 * are dropped. Where code keeps changing, it has to be hot for longer each time before it is translated again.
 */
import { setHeat } from "../code-profile.js";
import type { CodeListener, Core } from "../core-module.js";
import {
  BLOCK_DEFERRED,
  BLOCK_ENTERED,
  BLOCK_HEAT,
  BLOCK_MODE,
  BLOCK_OFFSET,
  BLOCK_REGION,
  BLOCK_TRANSLATED,
  HEAT_INITIAL,
  MACHINE_BLOCK,
  RIP,
} from "../layout.js";
import { guardCore, type RegionImports } from "./guards.js";
import { type CodeSource, type Region, translateRegion } from "./region.js";
import { encodeRegionModule, type MemoryType } from "./region-module.js";

/** What is known of a region whatever made it. */
export interface TranslatedRegion {
  /** Address of the block that it is entered at. */
  readonly entry: number;
  /** Addresses of all its blocks. */
  readonly blocks: readonly number[];
  /** Wasm offsets of the code pages that they lie on. */
  readonly pages: readonly number[];
}

/** What makes regions and their modules. */
export interface RegionTranslator<R extends TranslatedRegion = TranslatedRegion> {
  /** A region that begins with a block, or null where there is nothing to gain. */
  translate(source: CodeSource, cpu: number, entry: number, rip: bigint): R | null;
  /** A module that imports `env.memory` and `core.{read,write,execute,condition,carry,call}`, and exports regions as "0", "1" ... */
  encode(memory: MemoryType, regions: readonly R[]): Uint8Array<ArrayBuffer>;
}

/** The translator proper. */
export const REGION_TRANSLATOR: RegionTranslator<Region> = { translate: translateRegion, encode: encodeRegionModule };

export interface CodeCacheOptions {
  /** Entries after which a block is hot. Default {@link DEFAULT_HEAT}. */
  heat?: number;
  /** Regions of a module. Default {@link DEFAULT_BATCH}. */
  batch?: number;
  /** Entries of a block whose region waits, after which it waits no longer. Default {@link DEFAULT_PATIENCE}. */
  patience?: number;
  /** Most bytes of WebAssembly. Default {@link DEFAULT_CODE_BYTES}. */
  codeBytes?: number;
  /** Most live modules. Default {@link DEFAULT_BATCHES}. */
  batches?: number;
  /** Most times that the time to become hot is doubled for a page whose code changes. Default {@link DEFAULT_DEFERRALS}. */
  deferrals?: number;
  /** Milliseconds, for the counters. */
  now?: () => number;
}

export const DEFAULT_HEAT = 8192;
export const DEFAULT_BATCH = 16;
export const DEFAULT_PATIENCE = 4096;
/** WebAssembly's machine code is several times as large. */
export const DEFAULT_CODE_BYTES = 32 << 20;
export const DEFAULT_BATCHES = 4096;

export const DEFAULT_DEFERRALS = 10;

const TABLE_STEP = 1024;

/** Changes of a page that cost nothing: a kernel patches itself while it boots. */
const FREE_CHANGES = 8;

/** The functions of one module. */
interface Batch {
  readonly bytes: number;
  readonly regions: Set<LiveRegion>;
}

interface LiveRegion {
  readonly entry: number;
  readonly pages: readonly number[];
  /** Place in the core's table. */
  readonly place: number;
  readonly batch: Batch;
}

export class CodeCache<R extends TranslatedRegion> implements CodeListener {
  private readonly view: DataView;
  private readonly imports: { env: WebAssembly.ModuleImports; core: RegionImports };
  private readonly memoryType: MemoryType;
  private readonly source: CodeSource;
  private readonly byPage = new Map<number, Set<LiveRegion>>();
  /** In the order in which they are looked at for eviction. */
  private readonly batches = new Set<Batch>();
  private freePlaces: number[] = [];
  /** How often regions were dropped because a page's code changed. */
  private readonly changes = new Map<number, number>();
  /** Translated, by the block that they begin at, and not in a module yet. */
  private readonly waiting = new Map<number, R>();
  private readonly heat: number;
  private readonly batch: number;
  private readonly patience: number;
  private readonly codeBytes: number;
  private readonly mostBatches: number;
  private readonly mostDeferrals: number;
  private readonly now: () => number;
  private bytes = 0;
  private live = 0;
  private readonly counts = {
    regionsTranslated: 0,
    regionsDropped: 0,
    regionsEvicted: 0,
    translationMilliseconds: 0,
    compilationMilliseconds: 0,
    hotUntranslatable: 0,
    hotChanging: 0,
  };

  constructor(
    private readonly core: Core,
    memory: WebAssembly.Memory,
    private readonly translator: RegionTranslator<R>,
    options: CodeCacheOptions = {},
  ) {
    this.view = core.view;
    this.heat = options.heat ?? DEFAULT_HEAT;
    this.batch = options.batch ?? DEFAULT_BATCH;
    this.patience = options.patience ?? DEFAULT_PATIENCE;
    this.codeBytes = options.codeBytes ?? DEFAULT_CODE_BYTES;
    this.mostBatches = options.batches ?? DEFAULT_BATCHES;
    this.mostDeferrals = options.deferrals ?? DEFAULT_DEFERRALS;
    this.now = options.now ?? (() => 0);
    const pages = memory.buffer.byteLength / 0x1_0000;
    const shared = !(memory.buffer instanceof ArrayBuffer);
    this.memoryType = { initial: pages, maximum: pages, shared };
    this.imports = { env: { memory }, core: guardCore(core.exports) };
    this.source = {
      view: core.view,
      peekBlock: (cpu, linear) => core.exports.peekBlock(cpu, linear) >>> 0,
    };
    core.codeListener = this;
    this.view.setUint32(MACHINE_BLOCK + HEAT_INITIAL, this.heat, true);
  }

  hot(cpu: number, block: number): void {
    if (this.view.getUint32(block + BLOCK_REGION, true) !== 0) return;
    if (this.waiting.has(block)) {
      this.publish();
      return;
    }
    if (this.deferred(block)) return;
    const start = this.now();
    const rip = this.view.getBigUint64(cpu + RIP, true);
    const region = this.translator.translate(this.source, cpu, block, rip);
    this.counts.translationMilliseconds += this.now() - start;
    if (region === null) {
      this.counts.hotUntranslatable++;
      return;
    }
    this.counts.regionsTranslated++;
    // What the region does is not to become hot on its own before the region is entered.
    for (const each of region.blocks) {
      this.view.setUint8(each + BLOCK_TRANSLATED, 1);
      if (this.view.getUint32(each + BLOCK_HEAT, true) !== 0) setHeat(this.view, each, this.heat);
    }
    this.waiting.set(block, region);
    setHeat(this.view, block, this.patience);
    if (this.waiting.size >= this.batch) this.publish();
  }

  codeRetired(page: number): void {
    const regions = [...(this.byPage.get(page) ?? [])];
    for (const region of regions) this.drop(region);
    let dropped = regions.length;
    for (const [block, { pages }] of this.waiting) {
      if (!pages.includes(page)) continue;
      this.waiting.delete(block);
      dropped++;
    }
    if (dropped === 0) return;
    this.counts.regionsDropped += dropped;
    this.changes.set(page, Math.min((this.changes.get(page) ?? 0) + 1, FREE_CHANGES + this.mostDeferrals));
  }

  codeCacheEmptied(): void {
    this.counts.regionsDropped += this.live + this.waiting.size;
    this.dropAll();
    this.waiting.clear();
    this.changes.clear();
  }

  counters(): Record<string, number> {
    const { live, waiting } = this;
    return {
      ...this.counts,
      regionsLive: live,
      regionsWaiting: waiting.size,
      regionModules: this.batches.size,
      regionBytes: this.bytes,
    };
  }

  /** Whether the block's page changes too often for a translation now. The block is counted again then. */
  private deferred(block: number): boolean {
    const changes = (this.changes.get(this.view.getUint32(block + BLOCK_OFFSET, true) & ~0xfff) ?? 0) - FREE_CHANGES;
    const times = this.view.getUint32(block + BLOCK_DEFERRED, true);
    if (times >= changes) return false;
    this.view.setUint32(block + BLOCK_DEFERRED, times + 1, true);
    setHeat(this.view, block, this.heat << times);
    this.counts.hotChanging++;
    return true;
  }

  /** Makes a module of what waits. */
  private publish(): void {
    const regions = [...this.waiting.values()];
    this.waiting.clear();
    const start = this.now();
    const bytes = this.translator.encode(this.memoryType, regions);
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.imports);
    const batch: Batch = { bytes: bytes.length, regions: new Set() };
    this.batches.add(batch);
    this.bytes += batch.bytes;
    regions.forEach((region, index) => {
      this.add(region, batch, exports[index] as WebAssembly.ExportValue);
    });
    this.evict(batch);
    this.counts.compilationMilliseconds += this.now() - start;
  }

  private add({ entry, pages }: R, batch: Batch, code: WebAssembly.ExportValue): void {
    const place = this.takePlace();
    const region: LiveRegion = { entry, pages, place, batch };
    this.core.exports.table.set(place, code);
    batch.regions.add(region);
    this.live++;
    for (const page of pages) {
      const others = this.byPage.get(page);
      if (others === undefined) this.byPage.set(page, new Set([region]));
      else others.add(region);
    }
    this.core.exports.publishRegion(entry, place);
  }

  private takePlace(): number {
    const { table } = this.core.exports;
    const free = this.freePlaces.pop();
    if (free !== undefined) return free;
    const first = table.grow(TABLE_STEP);
    for (let place = first + TABLE_STEP - 1; place > first; place--) this.freePlaces.push(place);
    return first;
  }

  /** Also while the region runs: its function stays until it returns. */
  private drop(region: LiveRegion): void {
    const { batch, entry, pages, place } = region;
    this.core.exports.withdrawRegion(entry, place);
    this.core.exports.table.set(place, null);
    this.freePlaces.push(place);
    this.live--;
    for (const page of pages) {
      const others = this.byPage.get(page);
      others?.delete(region);
      if (others?.size === 0) this.byPage.delete(page);
    }
    batch.regions.delete(region);
    if (batch.regions.size === 0 && this.batches.delete(batch)) this.bytes -= batch.bytes;
  }

  private dropAll(): void {
    for (const batch of [...this.batches]) for (const region of [...batch.regions]) this.drop(region);
  }

  /** Drops batches that were not entered since they were looked at last, until the rest is within the limits. */
  private evict(newest: Batch): void {
    let looks = 2 * this.batches.size;
    while (this.bytes > this.codeBytes || this.batches.size > this.mostBatches) {
      const [batch] = this.batches;
      if (batch === undefined || looks-- === 0) return;
      this.batches.delete(batch);
      this.batches.add(batch);
      if (batch === newest || this.wasEntered(batch)) continue;
      for (const region of [...batch.regions]) {
        this.drop(region);
        this.counts.regionsEvicted++;
      }
    }
  }

  /** Since the last such question. */
  private wasEntered({ regions }: Batch): boolean {
    let entered = false;
    for (const { entry } of regions) {
      // A retired block's memory stays what it is until the arena is emptied.
      if (this.view.getUint32(entry + BLOCK_MODE, true) === 0xffffffff) continue;
      if (this.view.getUint8(entry + BLOCK_ENTERED) !== 0) entered = true;
      this.view.setUint8(entry + BLOCK_ENTERED, 0);
    }
    return entered;
  }
}
