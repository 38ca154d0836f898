/** The frames of gdb's remote serial protocol. "Debugging with GDB", appendix E.1. */

/** Longest packet that we take and, by PacketSize, ask for. */
export const MAX_PACKET = 0x4000;

const DOLLAR = 0x24;
const HASH = 0x23;
const ESCAPE = 0x7d;
const STAR = 0x2a;
const CTRL_C = 0x03;

export type GdbInput =
  /** A packet with a right checksum; escapes are undone. */
  | { kind: "packet"; data: Uint8Array }
  /** A packet that was damaged or too long. */
  | { kind: "bad" }
  | { kind: "ack" }
  | { kind: "resend" }
  | { kind: "interrupt" };

/** Cuts a byte stream into packets. Hostile input costs at most {@link MAX_PACKET} bytes. */
export class PacketReader {
  private state: "idle" | "data" | "checksum" = "idle";
  private data: number[] = [];
  private sum = 0;
  private escaped = false;
  private overlong = false;
  private digits = "";

  feed(bytes: Uint8Array): GdbInput[] {
    const inputs: GdbInput[] = [];
    for (const byte of bytes) {
      const input = this.step(byte);
      if (input !== null) inputs.push(input);
    }
    return inputs;
  }

  private step(byte: number): GdbInput | null {
    switch (this.state) {
      case "idle":
        if (byte === DOLLAR) this.start();
        if (byte === 0x2b) return { kind: "ack" };
        if (byte === 0x2d) return { kind: "resend" };
        return byte === CTRL_C ? { kind: "interrupt" } : null;
      case "data":
        // A new packet in the middle of one: the line lost the rest.
        if (byte === DOLLAR) this.start();
        else if (byte === HASH) this.state = "checksum";
        else this.add(byte);
        return null;
      case "checksum": {
        this.digits += String.fromCharCode(byte);
        if (this.digits.length < 2) return null;
        this.state = "idle";
        const right = /^[0-9a-f]{2}$/i.test(this.digits) && Number.parseInt(this.digits, 16) === this.sum;
        if (!right || this.overlong || this.escaped) return { kind: "bad" };
        return { kind: "packet", data: Uint8Array.from(this.data) };
      }
    }
  }

  private start(): void {
    this.state = "data";
    this.data = [];
    this.sum = 0;
    this.digits = "";
    this.escaped = false;
    this.overlong = false;
  }

  private add(byte: number): void {
    this.sum = (this.sum + byte) & 0xff;
    if (byte === ESCAPE && !this.escaped) {
      this.escaped = true;
      return;
    }
    if (this.data.length >= MAX_PACKET) this.overlong = true;
    else this.data.push(this.escaped ? byte ^ 0x20 : byte);
    this.escaped = false;
  }
}

/** A packet around `data`, ready to send. */
export function encodePacket(data: string | Uint8Array): Uint8Array {
  const raw = typeof data === "string" ? new TextEncoder().encode(data) : data;
  const body: number[] = [];
  for (const byte of raw) {
    if (byte === DOLLAR || byte === HASH || byte === ESCAPE || byte === STAR) body.push(ESCAPE, byte ^ 0x20);
    else body.push(byte);
  }
  const sum = body.reduce((total, byte) => (total + byte) & 0xff, 0);
  const check = new TextEncoder().encode(sum.toString(16).padStart(2, "0"));
  return Uint8Array.from([DOLLAR, ...body, HASH, ...check]);
}

export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** Null where it is not an even number of hexadecimal digits. */
export function fromHex(text: string): Uint8Array | null {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return null;
  return Uint8Array.from({ length: text.length / 2 }, (_, index) =>
    Number.parseInt(text.slice(index * 2, index * 2 + 2), 16),
  );
}
