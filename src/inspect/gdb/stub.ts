/**
 * gdb's remote serial protocol for a machine. "Debugging with GDB", appendix E.
 *
 * vCPUs are threads, numbered from 1. All stop and all go together, except that a step is asked of one:
 * the others run beside it. Memory is the linear memory of the vCPU that gdb looks at. Breakpoints of
 * both kinds are the vCPU's own: guest memory is not patched. What a client sends is checked before it
 * is used; what makes no sense is answered by an error or, if it is no known request, by nothing.
 */
import type { DebugStop } from "../../machine/machine-loop.js";
import type { DebugControl, Vcpu } from "../../vcpu/accelerator.js";
import type { VcpuState } from "../../vcpu/state.js";
import { readLinear, writeLinear } from "../linear-memory.js";
import type { InspectedMachine } from "../target.js";
import { encodePacket, fromHex, type GdbInput, MAX_PACKET, PacketReader, toHex } from "./packets.js";
import { AMD64, decodeRegister, encodeRegister, type GdbArchitecture, I386 } from "./registers.js";

export interface GdbStubOptions {
  machine: InspectedMachine;
  /** Whether the CPU model has long mode: decides which architecture gdb is told. */
  longMode: boolean;
  /** Bytes for the client. */
  send(bytes: Uint8Array): void;
  /** The client killed the machine. */
  onKill(): void;
  /** The client let go of it: the connection is to be closed. */
  onDetach(): void;
  /** Runs a line of gdb's `monitor` command; its output. */
  monitor?(line: string): Promise<string>;
}

/** Breakpoints and watchpoints a client may set: more than any person does, few enough to look through. */
const MAX_POINTS = 1000;
const SIGINT = "02";
const SIGTRAP = "05";
const INVALID = "E16"; // EINVAL
const FAULT = "E0e"; // EFAULT

type Watchpoint = DebugControl["watchpoints"][number];
const WATCH_ACCESS: Record<string, Watchpoint["access"]> = { "2": "write", "3": "read", "4": "access" };
const WATCH_REPORT: Record<Watchpoint["access"], string> = { write: "watch", read: "rwatch", access: "awatch" };

export class GdbStub {
  private readonly reader = new PacketReader();
  private readonly architecture: GdbArchitecture;
  private readonly breakpoints = new Set<bigint>();
  private readonly watchpoints: Watchpoint[] = [];
  /** Requests wait for each other: gdb sends one at a time, but nobody makes it. */
  private queue: Promise<void> = Promise.resolve();
  private acknowledge = true;
  private last: Uint8Array = new Uint8Array(0);
  private current = 0;
  /** The client waits for a stop reply. */
  private running = false;
  private stopReply = `T${SIGTRAP}thread:1;`;
  private closed = false;

  constructor(private readonly options: GdbStubOptions) {
    this.architecture = options.longMode ? AMD64 : I386;
    options.machine.loop.onDebugStop = (stop) => this.stopped(stop);
  }

  /** Stops the machine for a client that just came. */
  async attach(): Promise<void> {
    await this.options.machine.pause();
  }

  /** Bytes from the client. */
  receive(bytes: Uint8Array): void {
    for (const input of this.reader.feed(bytes)) this.take(input);
  }

  /** The machine came to its end with this exit code. */
  ended(exitCode: number): void {
    if (this.running) this.reply(`W${exitCode.toString(16).padStart(2, "0")}`);
    this.closed = true;
  }

  /** The client is gone: its points go with it and the machine runs on. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.letGo();
  }

  private take(input: GdbInput): void {
    switch (input.kind) {
      case "ack":
        return;
      case "resend":
        if (this.last.length > 0) this.options.send(this.last);
        return;
      case "bad":
        if (this.acknowledge) this.options.send(Uint8Array.of(0x2d));
        return;
      case "interrupt":
        void this.interrupt();
        return;
      case "packet": {
        if (this.acknowledge) this.options.send(Uint8Array.of(0x2b));
        const text = Array.from(input.data, (byte) => String.fromCharCode(byte)).join("");
        this.queue = this.queue.then(() => this.answer(text, input.data)).catch(() => this.reply(INVALID));
      }
    }
  }

  private async answer(text: string, raw: Uint8Array): Promise<void> {
    if (this.closed) return;
    const result = await this.handle(text, raw);
    if (result !== null) this.reply(result);
  }

  private reply(text: string): void {
    if (this.closed) return;
    this.last = encodePacket(text);
    this.options.send(this.last);
  }

  private get vcpu(): Vcpu {
    return this.options.machine.vcpus[this.current];
  }

  /** The answer to a request; "" where it is not known, null where the answer comes later or never. */
  private async handle(text: string, raw: Uint8Array): Promise<string | null> {
    const rest = text.slice(1);
    switch (text[0]) {
      case "?":
        return this.stopReply;
      case "g":
        return this.readAll();
      case "G":
        return this.writeAll(rest);
      case "p":
        return this.readOne(rest);
      case "P":
        return this.writeOne(rest);
      case "m":
        return this.readMemory(rest);
      case "M":
        return this.writeMemory(rest);
      case "X":
        return this.writeBinary(rest, raw);
      case "Z":
      case "z":
        return this.changePoint(text[0] === "Z", rest);
      case "H":
        return this.selectThread(rest);
      case "T":
        return this.thread(rest) === null ? INVALID : "OK";
      case "c":
        return rest === "" ? this.go([]) : INVALID;
      case "s":
        return rest === "" ? this.go([this.current]) : INVALID;
      case "D":
        this.reply("OK");
        this.closed = true;
        this.letGo();
        this.options.onDetach();
        return null;
      case "k":
        this.closed = true;
        this.options.onKill();
        return null;
      case "v":
        return this.handleV(text);
      case "q":
      case "Q":
        return this.query(text);
      default:
        return "";
    }
  }

  private handleV(text: string): string | null {
    if (text === "vCont?") return "vCont;c;C;s;S";
    if (text.startsWith("vKill")) {
      this.reply("OK");
      this.closed = true;
      this.options.onKill();
      return null;
    }
    if (!text.startsWith("vCont;")) return "";
    const stepping: number[] = [];
    // The first action that names a thread counts for it; an action without one is for the rest.
    const decided = new Set<number>();
    for (const action of text.slice("vCont;".length).split(";")) {
      const match = /^([csCS])(?:[0-9a-f]{2})?(?::(.+))?$/i.exec(action);
      if (!match) return INVALID;
      const threads = match[2] === undefined || match[2] === "-1" ? this.allThreads() : this.thread(match[2]);
      if (threads === null) return INVALID;
      for (const thread of Array.isArray(threads) ? threads : [threads]) {
        if (decided.has(thread)) continue;
        decided.add(thread);
        if (match[1].toLowerCase() === "s") stepping.push(thread);
      }
    }
    return this.go(stepping);
  }

  private async query(text: string): Promise<string | null> {
    const colon = text.indexOf(":");
    const name = colon < 0 ? text : text.slice(0, colon);
    switch (name) {
      case "qSupported":
        return `PacketSize=${MAX_PACKET.toString(16)};qXfer:features:read+;QStartNoAckMode+;vContSupported+`;
      case "QStartNoAckMode":
        this.reply("OK");
        this.acknowledge = false;
        return null;
      case "qXfer":
        return this.transfer(text.slice(colon + 1));
      case "qAttached":
        return "1";
      case "qC":
        return `QC${(this.current + 1).toString(16)}`;
      case "qfThreadInfo":
        return `m${this.allThreads()
          .map((index) => (index + 1).toString(16))
          .join(",")}`;
      case "qsThreadInfo":
        return "l";
      case "qSymbol":
        return "OK";
    }
    if (text.startsWith("qThreadExtraInfo,")) {
      const thread = this.thread(text.slice("qThreadExtraInfo,".length));
      if (thread === null) return INVALID;
      const { runState } = this.options.machine.vcpus[thread].getState();
      return toHex(new TextEncoder().encode(`vCPU ${thread} ${runState}`));
    }
    if (text.startsWith("qRcmd,")) return this.runMonitor(text.slice("qRcmd,".length));
    return "";
  }

  private async runMonitor(encoded: string): Promise<string> {
    const bytes = fromHex(encoded);
    if (bytes === null) return INVALID;
    if (this.options.monitor === undefined) return "";
    const output = await this.options.monitor(new TextDecoder().decode(bytes));
    // Output in pieces that fit into packets; "OK" says that it was all.
    const data = new TextEncoder().encode(`${output}\n`);
    for (let at = 0; at < data.length; at += 1024) this.reply(`O${toHex(data.subarray(at, at + 1024))}`);
    return "OK";
  }

  /** qXfer:features:read:target.xml:OFFSET,LENGTH */
  private transfer(text: string): string {
    const match = /^features:read:target\.xml:([0-9a-f]{1,8}),([0-9a-f]{1,8})$/i.exec(text);
    if (!match) return text.startsWith("features:read:") ? "E00" : "";
    const { description } = this.architecture;
    const start = Number.parseInt(match[1], 16);
    const end = start + Math.min(Number.parseInt(match[2], 16), MAX_PACKET - 8);
    return `${end >= description.length ? "l" : "m"}${description.slice(start, end)}`;
  }

  private readAll(): string {
    const state = this.vcpu.getState();
    return this.architecture.registers.map((register) => encodeRegister(register, state)).join("");
  }

  private writeAll(text: string): string {
    const state = this.vcpu.getState();
    let at = 0;
    for (const register of this.architecture.registers) {
      // gdb may leave out the last ones.
      if (at === text.length) break;
      const value = decodeRegister(register, text.slice(at, at + register.bits / 4));
      if (value === null) return INVALID;
      if (!register.set(state, value)) return INVALID;
      at += register.bits / 4;
    }
    if (at !== text.length) return INVALID;
    return this.setState(state);
  }

  private readOne(text: string): string {
    const register = this.architecture.registers[parseHex(text, 4) ?? -1];
    return register === undefined ? INVALID : encodeRegister(register, this.vcpu.getState());
  }

  private writeOne(text: string): string {
    const [number, digits = ""] = text.split("=");
    const register = this.architecture.registers[parseHex(number, 4) ?? -1];
    if (register === undefined) return INVALID;
    const value = decodeRegister(register, digits);
    if (value === null) return INVALID;
    const state = this.vcpu.getState();
    return register.set(state, value) ? this.setState(state) : INVALID;
  }

  private setState(state: VcpuState): string {
    try {
      this.vcpu.setState(state);
      return "OK";
    } catch {
      // Not a state that a CPU can have: a non-canonical RIP, reserved bits.
      return INVALID;
    }
  }

  private readMemory(text: string): string {
    const range = parseRange(text);
    if (range === null) return INVALID;
    const size = Math.min(range.size, MAX_PACKET / 2 - 8);
    const bytes = readLinear(this.vcpu, this.options.machine.memory, range.address, size);
    return bytes.length === 0 && size > 0 ? FAULT : toHex(bytes);
  }

  private writeMemory(text: string): string {
    const colon = text.indexOf(":");
    const range = parseRange(text.slice(0, Math.max(0, colon)));
    const bytes = colon < 0 ? null : fromHex(text.slice(colon + 1));
    if (range === null || bytes === null || bytes.length !== range.size) return INVALID;
    return this.write(range.address, bytes);
  }

  private writeBinary(text: string, raw: Uint8Array): string {
    const colon = text.indexOf(":");
    const range = parseRange(text.slice(0, Math.max(0, colon)));
    if (range === null || colon < 0) return INVALID;
    const bytes = raw.subarray(colon + 2);
    return bytes.length === range.size ? this.write(range.address, bytes) : INVALID;
  }

  private write(address: bigint, bytes: Uint8Array): string {
    return writeLinear(this.vcpu, this.options.machine.memory, address, bytes) ? "OK" : FAULT;
  }

  /** Z and z: TYPE,ADDRESS,KIND. Types 0 and 1 are breakpoints, 2 to 4 watchpoints. */
  private changePoint(insert: boolean, text: string): string {
    const match = /^([0-9]),([0-9a-f]{1,16}),([0-9a-f]{1,8})/i.exec(text);
    if (!match) return INVALID;
    const [, type, addressText, kind] = match;
    const address = BigInt(`0x${addressText}`);
    if (type === "0" || type === "1") {
      if (!insert) this.breakpoints.delete(address);
      else if (this.breakpoints.size >= MAX_POINTS) return INVALID;
      else this.breakpoints.add(address);
      return "OK";
    }
    const access = WATCH_ACCESS[type];
    if (access === undefined) return "";
    const size = Number.parseInt(kind, 16);
    if (!(size >= 1 && size <= 4096)) return INVALID;
    const index = this.watchpoints.findIndex((p) => p.address === address && p.size === size && p.access === access);
    if (!insert) {
      if (index >= 0) this.watchpoints.splice(index, 1);
    } else if (index < 0) {
      if (this.watchpoints.length >= MAX_POINTS) return INVALID;
      this.watchpoints.push({ address, size, access });
    }
    return "OK";
  }

  private selectThread(text: string): string {
    const id = text.slice(1);
    // 0 and -1 mean any and all.
    const thread = id === "0" || id === "-1" ? this.current : this.thread(id);
    if (thread === null || !/^[gcGmM]/.test(text)) return INVALID;
    if (text[0] === "g") this.current = thread;
    return "OK";
  }

  /** Index of the vCPU with this thread id, or null. */
  private thread(text: string): number | null {
    const id = parseHex(text, 4);
    return id !== null && id >= 1 && id <= this.options.machine.vcpus.length ? id - 1 : null;
  }

  private allThreads(): number[] {
    return this.options.machine.vcpus.map((_, index) => index);
  }

  /** Lets the machine run; the reply comes when it stops. */
  private go(stepping: readonly number[]): null {
    const { machine } = this.options;
    machine.vcpus.forEach((vcpu, index) => {
      vcpu.setDebug({
        singleStep: stepping.includes(index),
        breakpoints: [...this.breakpoints],
        watchpoints: [...this.watchpoints],
      });
    });
    this.running = true;
    machine.resume();
    return null;
  }

  private async interrupt(): Promise<void> {
    if (!this.running || this.closed) return;
    await this.options.machine.pause();
    // A breakpoint may have been quicker.
    if (!this.running) return;
    this.report(`T${SIGINT}thread:${(this.current + 1).toString(16)};`);
  }

  private stopped({ vcpu, exit }: DebugStop): void {
    if (!this.running || this.closed) return;
    this.current = vcpu;
    let detail = "";
    if (exit.cause === "watchpoint") {
      const access = this.watchpoints.find((point) => covers(point, exit.address))?.access ?? "write";
      detail = `${WATCH_REPORT[access]}:${exit.address.toString(16)};`;
    }
    this.report(`T${SIGTRAP}${detail}thread:${(vcpu + 1).toString(16)};`);
  }

  private report(stopReply: string): void {
    this.running = false;
    this.stopReply = stopReply;
    this.reply(stopReply);
  }

  private letGo(): void {
    const { machine } = this.options;
    machine.loop.onDebugStop = () => machine.resume();
    this.breakpoints.clear();
    this.watchpoints.length = 0;
    for (const vcpu of machine.vcpus) vcpu.setDebug(null);
    machine.resume();
  }
}

function covers(point: Watchpoint, address: bigint): boolean {
  return address >= point.address && address < point.address + BigInt(point.size);
}

function parseHex(text: string, maxDigits: number): number | null {
  return text.length <= maxDigits && /^[0-9a-f]+$/i.test(text) ? Number.parseInt(text, 16) : null;
}

/** ADDRESS,LENGTH in hexadecimal. */
function parseRange(text: string): { address: bigint; size: number } | null {
  const match = /^([0-9a-f]{1,16}),([0-9a-f]{1,8})$/i.exec(text);
  return match && { address: BigInt(`0x${match[1]}`), size: Number.parseInt(match[2], 16) };
}
