// Our decoder, compiled by itself, with the features of a CPU model.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const ENTRY = fileURLToPath(new URL("decoder.entry.ts", import.meta.url));
const LAYOUT = new URL("../../../dist/accel/translate/layout.js", import.meta.url);
/** Bytes of code for each instruction, of a record, and instructions in a batch. */
export const SLOT = 16;
export const RECORD = 32;
export const BATCH = 1 << 15;
const MODES = { 16: 0, 32: 1, 64: 2 };

/** What decode answers. */
export const TOO_LONG = 3;
export const SHORT = 2;

async function compile() {
  const folder = mkdtempSync(join(tmpdir(), "ringvisor-decoder-"));
  try {
    const path = join(folder, "decoder.wasm");
    const options = ["-O3", "--runtime", "stub", "--importMemory", "--noAssert", "--memoryBase", "4096"];
    options.push("--enable", "simd,bulk-memory,sign-extension,nontrapping-f2i", "--disableWarning", "112");
    options.push("--initialMemory", "2560", "--maximumMemory", "65536");
    const { error, stderr } = await asc.main([ENTRY, "-o", path, ...options]);
    if (error) throw new Error(`${error.message}\n${stderr}`);
    return readFileSync(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Loads the decoder. `dist/` has to be built. */
export async function loadDecoder() {
  const { FEATURES, VCPU_BASE, VENDOR } = await import(LAYOUT);
  const memory = new WebAssembly.Memory({ initial: 2560, maximum: 65536 });
  const { instance } = await WebAssembly.instantiate(await compile(), {
    env: {
      memory,
      abort: () => {
        throw new Error("the decoder aborted");
      },
    },
  });
  const code = VCPU_BASE + 0x100000;
  const records = code + BATCH * SLOT;
  const answers = records + BATCH * RECORD;
  const view = new DataView(memory.buffer);
  return {
    /** Where the code of a batch goes. */
    code: new Uint8Array(memory.buffer, code, BATCH * SLOT),
    /** Where its records are. */
    records: new DataView(memory.buffer, records, BATCH * RECORD),
    answers: new Uint8Array(memory.buffer, answers, BATCH),
    sseDecode: (...parts) => BigInt.asUintN(64, instance.exports.sseDecode(...parts)),
    vexDecode: (...parts) => BigInt.asUintN(64, instance.exports.vexDecode(...parts)),
    /** @param model features (words) and vendor of a CPU model */
    setModel({ features, vendor }) {
      features.forEach((word, index) => {
        view.setUint32(VCPU_BASE + FEATURES + index * 4, word, true);
      });
      view.setUint32(VCPU_BASE + VENDOR, vendor === "intel" ? 1 : 0, true);
    },
    decode(bits, count) {
      instance.exports.decodeMany(VCPU_BASE, MODES[bits], count, code, records, answers);
    },
  };
}
