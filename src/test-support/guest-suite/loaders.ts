/** Each boot protocol, from a file to its guest's first instructions. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import type { BootOptions } from "../../boot/boot-image.js";
import { prepareBoot } from "../../boot/prepare.js";
import { concat, file, lz4Payload, makeBzImage, makeElf } from "../../boot/testing/images.js";
import { assemble } from "../assemble.js";
import { CODE, Guest, until } from "./guest.js";
import type { GuestCase } from "./suite.js";

const LOAD = 0x1000000;

const words = (...values: number[]) => new Uint8Array(new Uint32Array(values).buffer);

function loader(name: string, options: () => BootOptions, expected: number): GuestCase {
  return {
    group: "loaders",
    name,
    run: async (accelerator) => {
      const guest = new Guest(accelerator, await prepareBoot(options()), { memory: 32 << 20 });
      const outcome = await guest.run();
      assert.deepEqual([outcome, guest.output], [{ kind: "debug-exit", value: expected }, "go"]);
    },
  };
}

const linux64 = loader(
  "Linux's 64-bit protocol: RSI leads to the boot parameters",
  () => {
    // The protocol's signature "HdrS" in the zero page.
    const code = assemble(
      `${CODE.print("go")}\ncmp dword ptr [rsi + 0x202], 0x53726448\nmov al, 1\njne 1f\nmov al, 7\n1: ${CODE.exit("al")}`,
      64,
      LOAD,
    );
    return {
      kernel: file("bzImage", makeBzImage(lz4Payload(makeElf(64, LOAD, [{ physical: LOAD, bytes: code }])))),
      commandLine: "x",
    };
  },
  7,
);

const pvh = loader(
  "PVH: 32-bit protected mode, EBX at the start info",
  () => {
    const code = assemble(
      `${CODE.print("go")}\ncmp dword ptr [ebx], 0x336ec578\nmov al, 1\njne 1f\nmov al, 8\n1: ${CODE.exit("al")}`,
      32,
      LOAD,
    );
    const note = { name: "Xen", type: 18, description: words(LOAD) };
    return { kernel: file("vmlinux", makeElf(64, LOAD, [{ physical: LOAD, bytes: code }], [note])) };
  },
  8,
);

const multiboot = loader(
  "multiboot: EAX has the magic, EBX leads to the information",
  () => {
    const header = words(0x1badb002, 3, -(0x1badb002 + 3) >>> 0);
    const code = assemble(
      `cmp eax, 0x2badb002\nmov cl, 1\njne 1f\ntest dword ptr [ebx], 1\njz 1f\nmov cl, 9\n1: ${CODE.print("go")}\nmov al, cl\n${CODE.exit("al")}`,
      32,
      LOAD + 16,
    );
    const bytes = concat([header, new Uint8Array(4), code]);
    return { kernel: file("kernel", makeElf(32, LOAD + 16, [{ physical: LOAD, bytes }])) };
  },
  9,
);

const bios = loader(
  "a ROM from the reset vector, in real mode below 4 GiB, that jumps below 1 MiB",
  () => {
    const rom = new Uint8Array(0x10000).fill(0xf4);
    rom.set(
      assemble(
        `mov ax, cs\ncmp ax, 0xf000\nmov bl, 1\njne 1f\nmov bl, 10\n1: ${CODE.print("go")}\nmov al, bl\n${CODE.exit("al")}`,
        16,
        0x100,
      ),
      0x100,
    );
    // jmp 0xf000:0x100
    rom.set([0xea, 0x00, 0x01, 0x00, 0xf0], 0xfff0);
    return { bios: file("rom", rom) };
  },
  10,
);

/** Debian's package seabios. */
const SEABIOS = "/usr/share/seabios/bios-256k.bin";

const seabios: GuestCase = {
  group: "loaders",
  name: "SeaBIOS finds our fw_cfg and memory map, and says so on the debug port",
  skip: existsSync(SEABIOS) ? false : "Debian's package seabios is not installed",
  run: async (accelerator) => {
    let text = "";
    const debugConsole = {
      write: (bytes: Uint8Array) => {
        text += Buffer.from(bytes).toString("latin1");
      },
    };
    const boot = await prepareBoot({ bios: file("seabios", new Uint8Array(readFileSync(SEABIOS))) });
    const guest = new Guest(accelerator, boot, { memory: 64 << 20, board: { debugConsole } });
    const running = guest.machine.start();
    await until(() => text.includes("PCI bus & bridge init"));
    await guest.machine.stop();
    await guest.finish(running);
    guest.machine.close();
    assert.match(text, /^SeaBIOS \(version /);
    assert.match(text, /QEMU fw_cfg DMA interface supported/);
    assert.match(text, /e820: addr 0x0*100000 len 0x0*3f00000 \[RAM\]/);
  },
};

export const loaderCases: readonly GuestCase[] = [linux64, pvh, multiboot, bios, seabios];
