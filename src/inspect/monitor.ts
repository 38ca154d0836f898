/**
 * The monitor: a small command language to look into a paused machine. It reads lines and answers with
 * text; whoever owns the terminal does the rest.
 */
import type { PlainData } from "../devices/device.js";
import type { Vcpu } from "../vcpu/accelerator.js";
import { codeBits, linearRip, linearRsp } from "./cpu-mode.js";
import { disassemble } from "./disassembly.js";
import { dumpBytes, hex } from "./format.js";
import { readLinear } from "./linear-memory.js";
import { formatRegisters } from "./registers.js";
import type { SymbolTable } from "./symbols.js";
import type { InspectedMachine } from "./target.js";

/** What a command wants to happen to the machine after its text was shown. */
export type MonitorVerdict = "stay" | "continue" | "quit";

export interface MonitorReply {
  text: string;
  verdict: MonitorVerdict;
}

const MAX_DUMP = 0x1_0000;
const DEFAULT_DUMP = 128;
const MAX_LINES = 1000;
const DEFAULT_LINES = 10;

/** Saved states of these chips are what `interrupts` shows. */
const INTERRUPT_CONTROLLERS = /pic|apic|pit|hpet/i;

interface Command {
  readonly names: readonly string[];
  readonly usage: string;
  readonly help: string;
  run(args: string[]): string | Promise<string>;
  readonly verdict?: MonitorVerdict;
}

/** A command that makes no sense; its message is the answer. */
class CommandError extends Error {}

export class Monitor {
  private current = 0;
  private readonly commands: readonly Command[] = [
    {
      names: ["registers", "r"],
      usage: "registers",
      help: "the vCPU's registers",
      run: () => formatRegisters(this.vcpu.getState(), this.symbols),
    },
    {
      names: ["x"],
      usage: "x ADDRESS [BYTES]",
      help: "memory at a linear address",
      run: ([address, size]) => this.dump(this.address(address), this.count(size, DEFAULT_DUMP, MAX_DUMP)),
    },
    {
      names: ["xp"],
      usage: "xp ADDRESS [BYTES]",
      help: "memory at a guest-physical address",
      run: ([address, size]) => this.dumpPhysical(this.address(address), this.count(size, DEFAULT_DUMP, MAX_DUMP)),
    },
    {
      names: ["disassemble", "u"],
      usage: "disassemble [ADDRESS] [COUNT]",
      help: "code, from RIP by default",
      run: ([address, count]) => this.disassemble(address, this.count(count, DEFAULT_LINES, MAX_LINES)),
    },
    {
      names: ["translate"],
      usage: "translate ADDRESS",
      help: "linear to guest-physical address",
      run: ([text]) => {
        const address = this.address(text);
        const gpa = this.vcpu.translate(address);
        return `${hex(address, 16)} ${gpa === null ? "is not mapped" : `is at guest-physical ${hex(gpa, 12)}`}`;
      },
    },
    {
      names: ["symbol"],
      usage: "symbol ADDRESS|NAME",
      help: "the name of an address, the address of a name",
      run: ([text]) => {
        if (this.symbols === null) throw new CommandError("no symbols: start with --symbols FILE");
        const address = this.address(text);
        return `${hex(address, 16)} ${this.symbols.describe(address) ?? "has no name"}`;
      },
    },
    { names: ["cpu"], usage: "cpu [N]", help: "choose the vCPU, or list them", run: ([text]) => this.choose(text) },
    {
      names: ["interrupts"],
      usage: "interrupts",
      help: "local APICs and interrupt controllers",
      run: () => this.interrupts(),
    },
    {
      names: ["devices"],
      usage: "devices [NAME]",
      help: "the devices, or one device's state",
      run: ([name]) => this.devices(name),
    },
    {
      names: ["counters"],
      usage: "counters",
      help: "what the vCPU has counted",
      run: () => this.counters(),
    },
    {
      names: ["save"],
      usage: "save FILE",
      help: "write the machine to a file that boot --restore takes",
      run: (words) => {
        if (words.length === 0) throw new CommandError("a file name is missing");
        if (this.save === null) throw new CommandError("machines cannot be saved here");
        return this.save(words.join(" "));
      },
    },
    { names: ["continue", "c"], usage: "continue", help: "leave the monitor", verdict: "continue", run: () => "" },
    { names: ["quit", "q"], usage: "quit", help: "end the machine", verdict: "quit", run: () => "" },
    { names: ["help", "h", "?"], usage: "help", help: "this text", run: () => this.help() },
  ];

  constructor(
    private readonly machine: InspectedMachine,
    private readonly symbols: SymbolTable | null = null,
    /** Saves the paused machine to a file; what to answer. */
    private readonly save: ((file: string) => Promise<string>) | null = null,
  ) {}

  get prompt(): string {
    return this.machine.vcpus.length > 1 ? `(ringvisor cpu ${this.current}) ` : "(ringvisor) ";
  }

  /** Names that a line can begin with, for completion. */
  get names(): string[] {
    return this.commands.map((command) => command.names[0]);
  }

  /** Runs one line on the paused machine. Nothing that is typed makes it throw. */
  async execute(line: string): Promise<MonitorReply> {
    const [name, ...args] = line.trim().split(/\s+/);
    if (!name) return { text: "", verdict: "stay" };
    const exact = this.commands.find((command) => command.names.includes(name));
    const starting = this.commands.filter((command) => command.names[0].startsWith(name));
    const command = exact ?? (starting.length === 1 ? starting[0] : undefined);
    if (command === undefined) {
      return { text: `there is no command "${name.slice(0, 40)}"; help lists them`, verdict: "stay" };
    }
    try {
      return { text: await command.run(args), verdict: command.verdict ?? "stay" };
    } catch (error) {
      if (!(error instanceof CommandError))
        return { text: `that failed: ${(error as Error).message}`, verdict: "stay" };
      return { text: `${error.message} (usage: ${command.usage})`, verdict: "stay" };
    }
  }

  private get vcpu(): Vcpu {
    return this.machine.vcpus[this.current];
  }

  /** A number, hexadecimal with 0x; a register as $name; a symbol. With +OFFSET or -OFFSET behind. */
  private address(text: string | undefined): bigint {
    if (text === undefined) throw new CommandError("an address is missing");
    const match = /^(.*[^+-])([+-])(0x[0-9a-f]+|[0-9]+)$/i.exec(text);
    if (match && this.term(text) === null) {
      const base = this.address(match[1]);
      const offset = BigInt(match[3]);
      return BigInt.asUintN(64, match[2] === "+" ? base + offset : base - offset);
    }
    const value = this.term(text);
    if (value === null) throw new CommandError(`"${text.slice(0, 40)}" is no address`);
    return value;
  }

  private term(text: string): bigint | null {
    if (/^(0x[0-9a-f]{1,16}|[0-9]{1,20})$/i.test(text)) return BigInt.asUintN(64, BigInt(text));
    if (text.startsWith("$")) return this.register(text.slice(1).toLowerCase());
    if (/^[0-9a-f]{8,16}$/i.test(text)) return BigInt(`0x${text}`);
    return this.symbols?.find(text) ?? null;
  }

  private register(name: string): bigint | null {
    const state = this.vcpu.getState();
    if (name === "rip" || name === "pc") return linearRip(state);
    if (name === "rsp" || name === "sp") return linearRsp(state);
    const index = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"].indexOf(name);
    if (index >= 0) return state.gpr[index];
    const numbered = /^r([89]|1[0-5])$/.exec(name);
    if (numbered) return state.gpr[Number(numbered[1])];
    if (name === "cr2" || name === "cr3") return state[name];
    return null;
  }

  private count(text: string | undefined, fallback: number, max: number): number {
    if (text === undefined) return fallback;
    const value = /^(0x[0-9a-f]{1,8}|[0-9]{1,9})$/i.test(text) ? Number(text) : Number.NaN;
    if (!(value >= 1 && value <= max)) throw new CommandError(`"${text.slice(0, 40)}" is no number from 1 to ${max}`);
    return value;
  }

  private dump(address: bigint, size: number): string {
    const bytes = readLinear(this.vcpu, this.machine.memory, address, size);
    const text = dumpBytes(address, bytes);
    const end = BigInt.asUintN(64, address + BigInt(bytes.length));
    const gap = bytes.length < size ? `${hex(end, 16)}  no memory is mapped here` : "";
    return [text, gap].filter((part) => part !== "").join("\n");
  }

  private dumpPhysical(address: bigint, size: number): string {
    const { memory } = this.machine;
    const start = Number(address);
    const bytes: number[] = [];
    while (bytes.length < size && memory.contains(start + bytes.length, 1))
      bytes.push(memory.read8(start + bytes.length));
    return bytes.length > 0 ? dumpBytes(address, Uint8Array.from(bytes)) : `${hex(address, 16)}  no memory is here`;
  }

  private async disassemble(text: string | undefined, count: number): Promise<string> {
    const state = this.vcpu.getState();
    const rip = linearRip(state);
    const address = text === undefined ? rip : this.address(text);
    const { memory } = this.machine;
    const lines = await disassemble(this.vcpu, memory, {
      address,
      count,
      bits: codeBits(state),
      symbols: this.symbols,
      mark: rip,
    });
    return lines.length > 0 ? lines.join("\n") : `${hex(address, 16)}  no memory is mapped here`;
  }

  private choose(text: string | undefined): string {
    const { vcpus } = this.machine;
    if (text !== undefined) {
      const index = /^[0-9]{1,3}$/.test(text) ? Number(text) : -1;
      if (!(index >= 0 && index < vcpus.length)) throw new CommandError(`there is no vCPU "${text.slice(0, 40)}"`);
      this.current = index;
    }
    return vcpus
      .map((vcpu, index) => {
        const state = vcpu.getState();
        return `${index === this.current ? "*" : " "} ${index}  ${hex(state.rip, 16)}  ${state.runState}`;
      })
      .join("\n");
  }

  private interrupts(): string {
    const apics = this.machine.vcpus.map((vcpu) => formatApic(vcpu));
    const chips = [...this.machine.board.states]
      .filter(([name]) => INTERRUPT_CONTROLLERS.test(name))
      .map(([name, device]) => `${name}\n${formatState(device.save())}`);
    return [...apics, ...chips].join("\n");
  }

  private devices(name: string | undefined): string {
    const { states } = this.machine.board;
    if (name === undefined) return [...states.keys()].join("\n");
    const device = states.get(name);
    if (device === undefined) throw new CommandError(`there is no device "${name.slice(0, 40)}"`);
    return formatState(device.save());
  }

  private counters(): string {
    const { instructions, exits, details } = this.vcpu.counters();
    const rows = [["instructions", instructions] as const, ...Object.entries(exits), ...Object.entries(details)];
    return rows.map(([name, value]) => `${name.padEnd(24)} ${value}`).join("\n");
  }

  private help(): string {
    const rows = this.commands.map(({ usage, help, names }) => {
      const short = names.length > 1 ? ` (${names[1]})` : "";
      return `${usage.padEnd(32)}${help}${short}`;
    });
    return `${rows.join("\n")}\nAn ADDRESS is a number, 0x before hexadecimal, a register as $rip, or a symbol; +N may follow.`;
  }
}

/** Offsets in the local APIC's register page, divided by 16. Intel SDM 3A table 11-1. */
const APIC = { ID: 2, TPR: 8, SPURIOUS: 15, ISR: 16, TMR: 24, IRR: 32, LVT_TIMER: 50, LINT0: 53, LINT1: 54 } as const;

function formatApic(vcpu: Vcpu): string {
  const { apic } = vcpu.getState();
  const { registers } = apic;
  const vectors = (base: number) => {
    const set: string[] = [];
    for (let vector = 0; vector < 256; vector++) {
      if ((registers[base + (vector >> 5)] >>> (vector & 31)) & 1) set.push(hex(vector, 2));
    }
    return set.join(" ") || "none";
  };
  const register = (index: number) => hex((registers[index] ?? 0) >>> 0, 8);
  return [
    `local APIC of vCPU ${vcpu.id}`,
    `  id ${register(APIC.ID)}  TPR ${register(APIC.TPR)}  spurious ${register(APIC.SPURIOUS)}`,
    `  requested ${vectors(APIC.IRR)}  in service ${vectors(APIC.ISR)}  level-triggered ${vectors(APIC.TMR)}`,
    `  LVT timer ${register(APIC.LVT_TIMER)}  LINT0 ${register(APIC.LINT0)}  LINT1 ${register(APIC.LINT1)}  timer fires ${apic.timerDeadline === null ? "never" : `at ${apic.timerDeadline} ns`}`,
  ].join("\n");
}

/** A device's saved state, one field a line; numbers in hexadecimal. */
function formatState(data: PlainData, indent = "  "): string {
  if (data === null || typeof data !== "object") return `${indent}${scalar(data)}`;
  const rows = Array.isArray(data) ? data.map((value, index) => [String(index), value] as const) : Object.entries(data);
  return rows
    .map(([name, value]: readonly [string, PlainData]) => {
      if (value === null || typeof value !== "object") return `${indent}${name} ${scalar(value)}`;
      if (Array.isArray(value) && value.every((item) => typeof item !== "object")) {
        const shown = value.slice(0, 64).map(scalar).join(" ");
        return `${indent}${name} [${value.length}] ${shown}${value.length > 64 ? " ..." : ""}`;
      }
      return `${indent}${name}\n${formatState(value, `${indent}  `)}`;
    })
    .join("\n");
}

function scalar(value: PlainData): string {
  return typeof value === "number" && Number.isInteger(value) ? `0x${value.toString(16)}` : String(value);
}
