/**
 * What a vCPU's run met outside of it, in order: the accesses it made with what they answered, and what happened to the
 * machine inside of each. The other vCPU's run gets the same from here.
 */
import type { VcpuBus } from "../../../vcpu/accelerator.js";

interface Entry {
  /** The access, with its operands. */
  access: string;
  answer: number;
  /** What it brought about: memory written by devices, wires that fell. */
  effects: (() => void)[];
}

export class AccessLog {
  /** The first access of the second run that the first one did not make, or made otherwise. */
  divergence: string | null = null;
  private entries: Entry[] = [];
  private next = 0;
  private open: Entry | null = null;

  /** @param settle called when an access is over, before what it brought about is complete */
  constructor(private readonly settle: () => void) {}

  /** Forgets a run. */
  clear(): void {
    this.entries = [];
    this.next = 0;
    this.divergence = null;
  }

  /** For the first run: performs and notes an access. */
  note(access: string, perform: () => number): number {
    const entry: Entry = { access, answer: 0, effects: [] };
    this.entries.push(entry);
    const outer = this.open;
    this.open = entry;
    try {
      entry.answer = perform();
      this.settle();
    } finally {
      this.open = outer;
    }
    return entry.answer;
  }

  /** What happens now belongs to the access under way. */
  effect(apply: () => void): void {
    this.open?.effects.push(apply);
  }

  get isOpen(): boolean {
    return this.open !== null;
  }

  /** For the second run: the answer that the first one got. */
  replay(access: string): number {
    const entry = this.entries[this.next++];
    if (entry === undefined || entry.access !== access) {
      this.divergence ??= `${access}, where the other did ${entry?.access ?? "nothing"}`;
      return 0;
    }
    for (const apply of entry.effects) apply();
    return entry.answer;
  }

  /** After the second run: an access that it did not make. */
  finish(): void {
    const rest = this.entries[this.next];
    if (rest !== undefined) this.divergence ??= `nothing, where the other did ${rest.access}`;
  }
}

/** A bus whose accesses go through `through`: performed and noted, or answered from the log. */
export function busThrough(bus: VcpuBus | null, through: (access: string, perform: () => number) => number): VcpuBus {
  const nothing = (perform: () => void) => () => {
    perform();
    return 0;
  };
  return {
    portRead: (port, size) => through(`in ${hex(port)} ${size}`, () => bus!.portRead(port, size)),
    portWrite: (port, size, value) => {
      through(
        `out ${hex(port)} ${size} ${hex(value)}`,
        nothing(() => bus!.portWrite(port, size, value)),
      );
    },
    mmioRead: (gpa, size) => through(`read ${hex(gpa)} ${size}`, () => bus!.mmioRead(gpa, size)),
    mmioWrite: (gpa, size, value) => {
      through(
        `write ${hex(gpa)} ${size} ${hex(value)}`,
        nothing(() => bus!.mmioWrite(gpa, size, value)),
      );
    },
    acknowledgePic: () => through("interrupt acknowledge", () => bus!.acknowledgePic()),
    endOfInterrupt: (vector) => {
      through(
        `end of interrupt ${hex(vector)}`,
        nothing(() => bus!.endOfInterrupt(vector)),
      );
    },
    floatError: () => {
      through(
        "x87 error",
        nothing(() => bus!.floatError?.()),
      );
    },
    sendIpi: (message, from) => {
      through(
        `IPI ${JSON.stringify(message)}`,
        nothing(() => bus!.sendIpi(message, from)),
      );
    },
  };
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
