/** Ports for test programs: 0xf4 ends the run with a code, 0x402 is the firmware's debug console, 0x80 takes POST codes. */
import type { BusDevice, CharBackend, Stateful } from "../device.js";
import { byte, literal, object, type StateOf } from "../state-shape.js";

/** Writing v ends the machine with exit code (v << 1) | 1. */
export class DebugExit implements BusDevice {
  constructor(private readonly exit: (value: number) => void) {}

  read(): number {
    return 0;
  }

  write(_offset: number, _size: number, value: number): void {
    this.exit(value);
  }
}

/** SeaBIOS and OVMF write their messages here when a read answers 0xe9. */
export class DebugConsole implements BusDevice {
  constructor(private readonly backend: Pick<CharBackend, "write">) {}

  read(): number {
    return 0xe9;
  }

  write(_offset: number, _size: number, value: number): void {
    this.backend.write(Uint8Array.of(value & 0xff));
  }
}

const POST_CODE_SHAPE = object({ version: literal(1), code: byte });

/** Port 0x80: the last POST code can be read back. */
export class PostCode implements BusDevice, Stateful<StateOf<typeof POST_CODE_SHAPE>> {
  private code = 0;

  read(): number {
    return this.code;
  }

  write(_offset: number, _size: number, value: number): void {
    this.code = value & 0xff;
  }

  save(): StateOf<typeof POST_CODE_SHAPE> {
    return { version: 1, code: this.code };
  }

  check(state: unknown): void {
    POST_CODE_SHAPE.parse(state, "POST code");
  }

  restore(state: StateOf<typeof POST_CODE_SHAPE>): void {
    this.code = POST_CODE_SHAPE.parse(state, "POST code").code;
  }
}
