/**
 * Notices a Linux kernel's panic by what it prints on the console.
 *
 * A kernel that will reboot says "Kernel panic - not syncing: ..." and later "Rebooting in ..."; one that
 * will not ends with "---[ end Kernel panic - not syncing: ... ]---" and loops for ever, silent. Programs
 * can print these lines too, so whoever acts on them looks at the vCPUs first.
 */

const PANIC = "Kernel panic - not syncing";
const END = "---[ end Kernel panic";
/** Longer lines are no kernel's. */
const MAX_LINE = 1024;

export class PanicWatch {
  /** The last panic's line, or null. */
  message: string | null = null;
  /** The end line was the last thing printed. */
  ended = false;
  private line = "";

  /** Feeds what the guest wrote to its console. */
  feed(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === 0x0a || byte === 0x0d) this.endLine();
      else if (this.line.length < MAX_LINE) this.line += String.fromCharCode(byte);
    }
    if (this.line !== "") this.ended = false;
  }

  /** The machine was reset: what was said before does not count. */
  reset(): void {
    this.message = null;
    this.ended = false;
    this.line = "";
  }

  private endLine(): void {
    const { line } = this;
    this.line = "";
    if (line === "") return;
    this.ended = line.includes(END);
    if (!this.ended && line.includes(PANIC)) this.message = line.slice(line.indexOf(PANIC)).trim();
  }
}
