/** Kernels of a few instructions, as bzImages: they run in 64-bit mode with RAM mapped one to one. */
import { lz4Payload, makeBzImage, makeElf } from "../../boot/testing/images.js";
import { assemble } from "../../test-support/assemble.js";

/** Where the first instruction is. */
export const LOAD_ADDRESS = 0x1000000;

/** Pieces of assembly that kernels are made of. */
export const CODE = {
  /** Writes a text to the first serial port. */
  print: (text: string) =>
    ["mov dx, 0x3f8", ...[...text].flatMap((one) => [`mov al, ${one.charCodeAt(0)}`, "out dx, al"])].join("\n"),
  powerOff: "mov dx, 0x604\nmov ax, 0x2000\nout dx, ax\nhlt",
  reset: "mov dx, 0xcf9\nmov al, 6\nout dx, al\nhlt",
  debugExit: (value: number) => `mov al, ${value}\nout 0xf4, al\nhlt`,
  /** No interrupt descriptor is there to take #UD, #DF or the next. */
  tripleFault: "push 0\npush 0\nlidt [rsp]\nud2",
  spin: "1: jmp 1b",
  /** CR4.OSFXSR and OSXMMEXCPT: without them SSE raises #UD. */
  enableSse: "mov rax, cr4\nor rax, 0x600\nmov cr4, rax",
  /** Sends back what comes in, until a q. */
  echo: `mov dx, 0x3fd
1: in al, dx
test al, 1
jz 1b
mov dx, 0x3f8
in al, dx
cmp al, 'q'
je 2f
out dx, al
mov dx, 0x3fd
jmp 1b
2:`,
} as const;

/** Address of the instruction that comes after these. */
export function addressAfter(...code: string[]): string {
  return `0x${(LOAD_ADDRESS + assemble(code.join("\n"), 64, LOAD_ADDRESS).length).toString(16)}`;
}

export function makeKernel(...code: string[]): Uint8Array {
  const bytes = assemble(code.join("\n"), 64, LOAD_ADDRESS);
  return makeBzImage(lz4Payload(makeElf(64, LOAD_ADDRESS, [{ physical: LOAD_ADDRESS, bytes }])));
}
