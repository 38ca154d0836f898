/** Keys that a terminal keeps from the guest: Ctrl-A and one key after it. */

export type EscapeAction = "quit" | "monitor" | "help";

export const ESCAPE_HELP =
  "Ctrl-A X  quit\r\nCtrl-A C  monitor: registers, memory, disassembly, devices\r\nCtrl-A Ctrl-A  send Ctrl-A to the guest\r\nCtrl-A H  this help\r\n";

const CTRL_A = 0x01;

const ACTIONS: Record<string, EscapeAction> = { x: "quit", c: "monitor", h: "help", "?": "help" };

export class EscapeKeys {
  private escaped = false;

  /**
   * Splits what was typed into bytes for the guest and actions, in order. An action ends the call's work:
   * `rest` is what was typed after it.
   */
  feed(typed: Uint8Array): { bytes: Uint8Array; action: EscapeAction | null; rest: Uint8Array } {
    const bytes: number[] = [];
    for (let index = 0; index < typed.length; index++) {
      const byte = typed[index];
      if (!this.escaped) {
        if (byte === CTRL_A) this.escaped = true;
        else bytes.push(byte);
        continue;
      }
      this.escaped = false;
      if (byte === CTRL_A) {
        bytes.push(byte);
        continue;
      }
      const action = ACTIONS[String.fromCharCode(byte).toLowerCase()];
      // A key without a meaning goes to nobody: it was meant for us.
      if (action) return { bytes: Uint8Array.from(bytes), action, rest: typed.subarray(index + 1) };
    }
    return { bytes: Uint8Array.from(bytes), action: null, rest: new Uint8Array(0) };
  }
}
