/** Types on a machine's keyboard no faster than its guest reads: a keyboard holds a few keys and loses the rest. */
import { type KeyStroke, strokeCodes } from "../../devices/ps2/key-codes.js";
import type { Machine } from "../../machine/machine.js";

/** How often it is looked whether the last key has been taken. */
const LOOK_MS = 10;
/** More than this is not kept: somebody has piped a file in. */
const MAX_WAITING = 65_536;

export class Typist {
  private readonly waiting: number[][] = [];
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly machine: Pick<Machine, "typeScanCodes" | "keyboardIdle">) {}

  type(strokes: readonly KeyStroke[]): void {
    for (const stroke of strokes) {
      const codes = strokeCodes(stroke);
      if (codes.length > 0 && this.waiting.length < MAX_WAITING) this.waiting.push(codes);
    }
    this.look();
  }

  close(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    this.waiting.length = 0;
  }

  private look(): void {
    if (this.waiting.length > 0 && this.machine.keyboardIdle) this.machine.typeScanCodes(this.waiting.shift() ?? []);
    if (this.waiting.length === 0) {
      if (this.timer !== null) clearInterval(this.timer);
      this.timer = null;
    } else {
      this.timer ??= setInterval(() => this.look(), LOOK_MS);
    }
  }
}
