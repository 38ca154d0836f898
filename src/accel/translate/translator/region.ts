/** Regions: many blocks of guest code, found from a hot one, become one WebAssembly function. */
import * as L from "../layout.js";
import { effects, LEAVES, SETS, USES } from "./effects.js";
import {
  Emitter,
  I32_A,
  I64_A,
  LINEAR,
  REMAINING,
  type RegisterSets,
  RIP,
  type StaticFlags,
  Untranslatable,
} from "./emitter.js";
import { pushCondition } from "./flags.js";
import { type GuestBlock, type Instruction, immediate, readBlock } from "./instruction.js";
import { accessPush, accessTop, finishPush, release, translateInteger } from "./integer.js";
import { translateBits } from "./integer-bmi.js";
import {
  F_EA_SPECIAL,
  MODE_64,
  MODE_CS_LIMITED,
  MODE_FLAT,
  MODE_SIZE,
  OP_CALL64,
  OP_CALL64_M,
  OP_CALL64_R,
  OP_JCC,
  OP_JCXZ,
  OP_JMP,
  OP_JMP64_M,
  OP_JMP64_R,
  OP_NEAR_FIRST,
  OP_RET64,
  OP_UD,
  OPS_SSE,
  OPS_SYSTEM,
  OPS_X87,
  TLB_ADDEND,
  TLB_FETCH,
} from "./operations.js";
import { translateSse } from "./sse.js";
import { type Structure, structure } from "./structure.js";
import type { Label } from "./wasm-code.js";
import * as W from "./wasm-opcodes.js";

/** Where the translator finds guest code. */
export interface CodeSource {
  readonly view: DataView;
  /** Address of the block at a linear address in the current mode and address space, or 0. */
  peekBlock(cpu: number, linear: bigint): number;
}

/** A translated region. */
export interface Region {
  /** Address of the block that it is entered at. */
  readonly entry: number;
  /** The function's body: locals and code. */
  readonly body: Uint8Array;
  /** Addresses of the blocks that it was made from, its entry first. */
  readonly blocks: readonly number[];
  /** Wasm offsets of the pages that its code is on. */
  readonly pages: readonly number[];
  readonly instructions: number;
  /** Where in the body the code of an instruction starts: by the address of its record, and its offset from the entry. */
  readonly marks: readonly { readonly at: number; readonly rec: number; readonly offset: number }[];
}

/** Blocks of a region at most, and instructions: the run loop promises REGION_BUDGET of these to each region. */
const MAX_NODES = 200;
const MAX_INSTRUCTIONS = 1200;
/** Calls into each other that are followed, and instructions from which on none is followed any more. */
const MAX_DEPTH = 3;
const MAX_INLINED = 500;

/**
 * A return at the end of so few instructions may be a thunk's, which a kernel has in place of its returns: it calls that
 * end, which drops its own return address and returns to its caller's caller.
 */
const THUNK = 3;

/** Blocks that ran this many times less often than the entry are left out. */
const RARELY = 16;

/** A call inside the region that has not returned. */
interface Context {
  readonly id: number;
  readonly callee: number;
  readonly returnOffset: number;
  readonly parent: Context | null;
  readonly depth: number;
}

interface Node {
  readonly block: GuestBlock;
  /** Of the block, from the region's entry in the linear address space. */
  readonly offset: number;
  readonly context: Context | null;
  /** The instructions that are translated: without one at the end that the region does not do. */
  readonly instructions: readonly Instruction[];
  /** What ends the block, or null where it goes on at `next`. */
  readonly transfer: Instruction | null;
  /** Where the block goes on, or the transfer's next instruction, or the instruction that the region does not do. */
  readonly next: number;
  /** Whether the region ends before `next`. */
  readonly stops: boolean;
  /** Nodes by offset of the target: of a jump that is taken or a call, and of `next`. */
  taken: number;
  following: number;
  /** Of a return: the places behind the calls that it may return from, innermost first. */
  returns: { readonly offset: number; readonly node: number }[];
  liveIn: boolean;
  liveOut: boolean;
}

/**
 * Translates the region around a block.
 * @param rip RIP at the block
 * @returns null where the block is nothing for a region
 */
export function translateRegion(source: CodeSource, cpu: number, entry: number, rip: bigint): Region | null {
  const nodes = findNodes(source, cpu, entry, rip);
  if (nodes === null) return null;
  const shape = structure({ successors: nodes.map(successorsOf) });
  findLiveFlags(nodes, shape);
  try {
    let writer = new RegionWriter(nodes, shape, null);
    writer.write();
    // Some instructions concern the registers that the whole region uses, which are known now: call-outs store and load them.
    if (writer.e.needsSets) {
      writer = new RegionWriter(nodes, shape, writer.e.foundSets);
      writer.write();
    }
    const { body, codeOffset } = writer.e.finish();
    return {
      entry,
      body,
      blocks: [...new Set(nodes.map(({ block }) => block.address))],
      pages: [...new Set(nodes.flatMap(pagesOf))],
      instructions: nodes.reduce((sum, node) => sum + node.instructions.length, 0),
      marks: writer.e.marks.map((mark) => ({ ...mark, at: mark.at + codeOffset })),
    };
  } catch (error) {
    if (error instanceof Untranslatable) return null;
    throw error;
  }
}

// ---- Finding the blocks.

function findNodes(source: CodeSource, cpu: number, entry: number, rip: bigint): Node[] | null {
  const first = readBlock(source.view, entry);
  if (first === null || !isTranslatableMode(first.mode)) return null;
  const { mode } = first;
  const nodes: Node[] = [];
  const byPlace = new Map<string, number>();
  const blocks = new Map<number, GuestBlock | null>();
  const contexts = new Map<string, Context>();
  let instructions = 0;
  const blockAt = (offset: number): GuestBlock | null => {
    let block = blocks.get(offset);
    if (block === undefined) {
      const linear =
        (mode & MODE_SIZE) === MODE_64
          ? BigInt.asUintN(64, rip + BigInt(offset))
          : BigInt.asUintN(32, rip + BigInt(offset));
      const address = offset === 0 ? entry : source.peekBlock(cpu, linear);
      block = address === 0 ? null : readBlock(source.view, address);
      if (block !== null && block.mode !== mode) block = null;
      blocks.set(offset, block);
    }
    return block;
  };
  const queue: number[] = [];
  const nodeAt = (offset: number, context: Context | null): number => {
    const place = `${offset}:${context?.id ?? 0}`;
    const known = byPlace.get(place);
    if (known !== undefined) return known;
    if (Math.abs(offset) > 0x7000_0000 || nodes.length >= MAX_NODES) return -1;
    const block = blockAt(offset);
    if (
      block === null ||
      (offset !== 0 && isRare(source.view, block.address)) ||
      instructions + block.instructions.length > MAX_INSTRUCTIONS
    )
      return -1;
    const node = makeNode(block, offset, context);
    if (node.instructions.length === 0) return -1;
    instructions += node.instructions.length;
    byPlace.set(place, nodes.length);
    queue.push(nodes.length);
    nodes.push(node);
    return nodes.length - 1;
  };

  if (nodeAt(0, null) === -1) return null;
  for (let at = 0; at < queue.length; at++) {
    const node = nodes[queue[at]];
    const { transfer, context } = node;
    if (node.stops) continue;
    if (transfer === null) {
      node.following = nodeAt(node.next, context);
      continue;
    }
    const distance = immediate(transfer);
    const target = distance === null ? null : node.offset + distance;
    if (transfer.op === OP_RET64) {
      const levels = node.instructions.length <= THUNK ? MAX_DEPTH : 1;
      for (let call = context; call !== null && node.returns.length < levels; call = call.parent) {
        const behind = nodeAt(call.returnOffset, call.parent);
        if (behind === -1) break;
        node.returns.push({ offset: call.returnOffset, node: behind });
      }
    } else if (transfer.op === OP_CALL64) {
      if (target !== null && mayInline(context, target, instructions)) {
        const name = `${node.next}:${context?.id ?? 0}`;
        let inner = contexts.get(name);
        if (inner === undefined) {
          const depth = (context?.depth ?? 0) + 1;
          inner = { id: contexts.size + 1, callee: target, returnOffset: node.next, parent: context, depth };
          contexts.set(name, inner);
        }
        node.taken = nodeAt(target, inner);
      }
      if (node.taken === -1) node.following = nodeAt(node.next, context);
    } else if (isIndirectCall(transfer)) {
      node.following = nodeAt(node.next, context);
    } else if (transfer.op === OP_JMP) {
      if (target !== null) node.taken = nodeAt(target, context);
    } else if (isConditional(transfer)) {
      if (target !== null) node.taken = nodeAt(target, context);
      node.following = nodeAt(node.next, context);
    }
  }
  return nodes;
}

// Whether a block has run too rarely to be worth its translation, as far as its entries are counted.
function isRare(view: DataView, block: number): boolean {
  const hot = view.getUint32(L.MACHINE_BLOCK + L.HEAT_INITIAL, true);
  // What is part of a region is counted anew.
  if (view.getUint8(block + L.BLOCK_TRANSLATED) !== 0) return false;
  return (hot - view.getUint32(block + L.BLOCK_HEAT, true)) * RARELY < hot;
}

function isTranslatableMode(mode: number): boolean {
  if ((mode & MODE_CS_LIMITED) !== 0) return false;
  return (mode & MODE_SIZE) === MODE_64 || (mode & MODE_FLAT) !== 0;
}

function isIndirectCall({ op }: Instruction): boolean {
  return op === OP_CALL64_R || op === OP_CALL64_M;
}

function isConditional({ op }: Instruction): boolean {
  return op >= OP_JCC && op < OP_JCC + 16;
}

function mayInline(context: Context | null, callee: number, instructions: number): boolean {
  if ((context?.depth ?? 0) >= MAX_DEPTH || instructions > MAX_INLINED) return false;
  for (let outer = context; outer !== null; outer = outer.parent) if (outer.callee === callee) return false;
  return true;
}

function makeNode(block: GuestBlock, offset: number, context: Context | null): Node {
  const { instructions, end } = block;
  const last = instructions[instructions.length - 1];
  const node = { block, offset, context, taken: -1, following: -1, returns: [], liveIn: true, liveOut: true };
  const checked = (block.mode & MODE_SIZE) !== MODE_64 && hasCheckedOperand(last);
  if (isTransfer(last.op) && !checked) {
    return { ...node, instructions, transfer: last, next: offset + last.ipOffset + last.length, stops: false };
  }
  if (isTransfer(last.op) || endsBlock(last.op)) {
    return {
      ...node,
      instructions: instructions.slice(0, -1),
      transfer: null,
      next: offset + last.ipOffset,
      stops: true,
    };
  }
  // The block ends because it is full, or because its page does.
  return { ...node, instructions, transfer: null, next: offset + end, stops: false };
}

function isTransfer(op: number): boolean {
  return op >= OP_JMP && op < OP_JCC + 16;
}

// What is the run loop's: system operations, transfers of other modes, undefined opcodes.
function endsBlock(op: number): boolean {
  return (op >= OPS_SYSTEM && op < OPS_X87) || (op >= OP_NEAR_FIRST && op <= OP_JCXZ) || op === OP_UD;
}

function successorsOf({ taken, following, returns }: Node): number[] {
  return [taken, following, ...returns.map(({ node }) => node)].filter((node) => node !== -1);
}

function pagesOf({ block }: Node): number[] {
  const first = block.offset & ~0xfff;
  return block.secondPage === 0 ? [first] : [first, block.secondPage];
}

// ---- Flags that nobody looks at.

function findLiveFlags(nodes: readonly Node[], shape: Structure): void {
  for (const node of nodes) node.liveIn = false;
  for (let changed = true; changed; ) {
    changed = false;
    for (let n = nodes.length - 1; n >= 0; n--) {
      const node = nodes[n];
      node.liveOut = mayExit(nodes, shape, n) || successorsOf(node).some((next) => nodes[next].liveIn);
      let live = node.liveOut;
      for (let k = node.instructions.length - 1; k >= 0; k--) live = liveBefore(node.instructions[k], live);
      if (live !== node.liveIn) {
        node.liveIn = live;
        changed = true;
      }
    }
  }
}

// Whether the region may be left behind a block: somebody may look at the flags then.
function mayExit(nodes: readonly Node[], shape: Structure, n: number): boolean {
  const node = nodes[n];
  const { transfer } = node;
  const next = successorsOf(node);
  const ways = transfer !== null && isConditional(transfer) ? 2 : 1;
  if (next.length < ways || (transfer !== null && isCallOut(node, transfer))) return true;
  return next.some((to) => shape.edge(n, to) !== "forward" || withoutPagesOf(node, mappedPages(nodes[to])).length > 0);
}

// Whether other code than the node's successors runs behind it.
function isCallOut(node: Node, transfer: Instruction): boolean {
  return transfer.op === OP_RET64 || isIndirectCall(transfer) || (transfer.op === OP_CALL64 && node.taken === -1);
}

/** A page of code: where it is in wasm memory, and how far from there in the address space, seen from the entry. */
interface MappedPage {
  readonly page: number;
  readonly distance: number;
}

function mappedPages({ block, offset }: Node): MappedPage[] {
  const first = { page: block.offset & ~0xfff, distance: offset - block.offset };
  if (block.secondPage === 0) return [first];
  const room = 0x1000 - (block.offset & 0xfff);
  return [first, { page: block.secondPage, distance: offset + room - block.secondPage }];
}

// Those of the pages that a node's code is not on.
function withoutPagesOf(node: Node, pages: readonly MappedPage[]): MappedPage[] {
  const known = mappedPages(node);
  return pages.filter((one) => !known.some(({ page, distance }) => page === one.page && distance === one.distance));
}

function liveBefore(i: Instruction, after: boolean): boolean {
  const what = effects(i);
  return (what & (USES | LEAVES)) !== 0 || ((what & SETS) === 0 && after);
}

// ---- Writing the function.

class RegionWriter {
  readonly e: Emitter;
  private readonly blockLabels = new Map<number, Label>();
  private readonly loopLabels = new Map<number, Label>();
  /** What is known of the flags on the forward edges into a node so far. */
  private readonly flagsInto = new Map<number, StaticFlags | null>();

  constructor(
    private readonly nodes: readonly Node[],
    private readonly shape: Structure,
    sets: RegisterSets | null,
  ) {
    this.e = new Emitter((nodes[0].block.mode & MODE_SIZE) !== MODE_64, sets);
  }

  write(): void {
    this.e.begin();
    this.tree(0);
  }

  private tree(n: number): void {
    const { e, shape } = this;
    if (shape.isLoop[n]) this.loopLabels.set(n, e.code.loop());
    const merges = shape.children[n].filter((child) => shape.isMerge[child]);
    // The one that comes last is the outermost.
    for (let k = merges.length - 1; k >= 0; k--) this.blockLabels.set(merges[k], e.code.block());
    e.flags = n === 0 || shape.isLoop[n] ? null : (this.flagsInto.get(n) ?? null);
    const { facts } = e;
    e.facts = shape.isLoop[n] || shape.isMerge[n] ? facts.join() : facts.copy();
    this.node(n);
    for (const merge of merges) {
      e.code.end();
      this.tree(merge);
    }
    if (shape.isLoop[n]) e.code.end();
    e.facts = facts;
  }

  // To another node, or out of the region where there is none.
  private branch(from: number, to: number, offset: number): void {
    const { e, shape } = this;
    const kind = to === -1 ? "irreducible" : shape.edge(from, to);
    if (kind === "irreducible") {
      this.exitTo(offset);
      return;
    }
    this.checkPage(from, to);
    if (kind === "back") {
      e.code.get(REMAINING);
      e.code.i64(L.REGION_BUDGET);
      e.code.op(W.I64_LT_S);
      e.code.if();
      this.exitTo(offset);
      e.code.end();
      e.code.br(this.loopLabels.get(to) as Label);
      return;
    }
    const known = this.flagsInto.get(to);
    this.flagsInto.set(to, known === undefined || sameFlags(known, e.flags) ? e.flags : null);
    if (shape.isMerge[to]) e.code.br(this.blockLabels.get(to) as Label);
    else this.tree(to);
  }

  private exitTo(offset: number): void {
    this.e.pushRip(offset);
    this.e.code.set(RIP);
    this.e.exit();
  }

  // Code on another page is what it was when this was translated only while the page is mapped as it was then.
  private checkPage(from: number, to: number): void {
    const { e, nodes, shape } = this;
    let pages = mappedPages(nodes[to]);
    for (let above = from; pages.length > 0; above = shape.dominator[above]) {
      pages = withoutPagesOf(nodes[above], pages);
      if (above === 0) break;
    }
    if (pages.length === 0) return;
    const { code } = e;
    e.pushRip(nodes[to].offset);
    code.set(RIP);
    for (const { page, distance } of pages) {
      e.pushRip(page + distance);
      code.tee(LINEAR);
      e.pushTlbEntry();
      code.tee(I32_A);
      code.memory(W.I64_LOAD, TLB_FETCH);
      code.get(LINEAR);
      code.op(W.I64_NE);
      code.get(I32_A);
      code.memory(W.I32_LOAD, TLB_ADDEND);
      code.get(LINEAR);
      code.op(W.I32_WRAP_I64, W.I32_ADD);
      code.i32(page);
      code.op(W.I32_NE, W.I32_OR);
      code.if();
      e.exit();
      code.end();
    }
  }

  private node(n: number): void {
    const { e } = this;
    const node = this.nodes[n];
    const { instructions, transfer } = node;
    e.blockOffset = node.offset;
    const live: boolean[] = [];
    for (let k = instructions.length - 1, after = node.liveOut; k >= 0; k--) {
      live[k] = after;
      after = liveBefore(instructions[k], after);
    }
    const count = instructions.length - (transfer === null ? 0 : 1);
    for (let k = 0; k < count; k++) {
      e.mark(instructions[k]);
      e.flagsLive = live[k];
      if (!translate(e, instructions[k])) e.callOut(instructions[k]);
    }
    if (transfer === null) {
      this.retire(instructions.length);
      this.branch(n, node.following, node.next);
      return;
    }
    e.mark(transfer);
    this.transfer(n, node, transfer);
  }

  private retire(instructions: number): void {
    const { code } = this.e;
    code.get(REMAINING);
    code.i64(instructions);
    code.op(W.I64_SUB);
    code.set(REMAINING);
  }

  private transfer(n: number, node: Node, i: Instruction): void {
    const { e } = this;
    const { code } = e;
    const count = node.instructions.length;
    if (isConditional(i)) {
      this.retire(count);
      pushCondition(e, i.op - OP_JCC);
      code.if();
      const { flags } = e;
      this.branch(n, node.taken, node.offset + (immediate(i) ?? 0));
      code.else();
      e.flags = flags;
      this.branch(n, node.following, node.next);
      code.end();
      return;
    }
    switch (i.op) {
      case OP_JMP:
        this.retire(count);
        this.branch(n, node.taken, node.offset + (immediate(i) ?? 0));
        return;
      case OP_CALL64:
        accessPush(e, i);
        this.storeReturn(i, node.next);
        finishPush(e);
        this.retire(count);
        if (node.taken === -1) {
          e.pushRip(node.offset + (immediate(i) ?? 0));
          this.call(n, node);
        } else this.branch(n, node.taken, node.offset + (immediate(i) ?? 0));
        return;
      case OP_RET64: {
        accessTop(e, i);
        e.load(i.size);
        e.widen(i.size);
        code.set(I64_A);
        const bytes = i.size + (immediate(i) ?? 0);
        for (const { offset, node: behind } of node.returns) {
          code.get(I64_A);
          e.pushRip(offset);
          code.op(W.I64_EQ);
          code.if();
          release(e, bytes);
          this.retire(count);
          const { flags } = e;
          this.branch(n, behind, offset);
          e.flags = flags;
          code.end();
        }
        this.checkTarget(i);
        release(e, bytes);
        this.retire(count);
        this.exitIndirect();
        return;
      }
      case OP_JMP64_R:
      case OP_JMP64_M:
        this.target(i, i.op === OP_JMP64_R);
        this.retire(count);
        this.exitIndirect();
        return;
      case OP_CALL64_R:
      case OP_CALL64_M:
        this.target(i, i.op === OP_CALL64_R);
        accessPush(e, i);
        this.storeReturn(i, node.next);
        finishPush(e);
        this.retire(count);
        code.get(I64_A);
        this.call(n, node);
        return;
      default:
        throw new Untranslatable(`a transfer of operation ${i.op}`);
    }
  }

  // Calls the code at an RIP on wasm's stack.
  private call(n: number, node: Node): void {
    const { e } = this;
    e.code.set(RIP);
    if (node.following === -1) {
      e.exit();
      return;
    }
    e.callRegion(node.next);
    this.branch(n, node.following, node.next);
  }

  // Leaves the target of an indirect transfer in I64_A.
  private target(i: Instruction, register: boolean): void {
    const { e } = this;
    if (register) e.pushRegister(i.rm, i.size);
    else {
      e.accessOperand(i, i.size, false);
      e.load(i.size);
    }
    e.widen(i.size);
    e.code.set(I64_A);
    this.checkTarget(i);
  }

  // A target in I64_A that is not canonical with 48 bits is the interpreter's to judge.
  private checkTarget(i: Instruction): void {
    const { e } = this;
    if (e.truncates) return;
    const { code } = e;
    code.get(I64_A);
    code.i64(16);
    code.op(W.I64_SHL);
    code.i64(16);
    code.op(W.I64_SHR_S);
    code.get(I64_A);
    code.op(W.I64_NE);
    code.if();
    e.leaveBefore(i);
    code.end();
  }

  private exitIndirect(): void {
    this.e.code.get(I64_A);
    this.e.code.set(RIP);
    this.e.exit();
  }

  private storeReturn(i: Instruction, offset: number): void {
    this.e.store(i.size, () => {
      this.e.pushRip(offset);
      this.e.narrow(i.size);
    });
  }
}

function sameFlags(a: StaticFlags | null, b: StaticFlags | null): boolean {
  if (a === null || b === null) return a === b;
  return a.kind === b.kind && a.log === b.log && a.plain === b.plain;
}

function translate(e: Emitter, i: Instruction): boolean {
  if (e.truncates && hasCheckedOperand(i)) return false;
  if (i.op < OPS_SYSTEM) return translateInteger(e, i) || translateBits(e, i);
  return i.op >= OPS_SSE && translateSse(e, i);
}

// Outside 64-bit mode, segments other than the flat ones have their limits checked by the core.
function hasCheckedOperand({ flags, addressSize, segment }: Instruction): boolean {
  if ((flags & F_EA_SPECIAL) === 0) return false;
  return addressSize !== 4 || (segment !== L.DS && segment !== L.SS);
}
