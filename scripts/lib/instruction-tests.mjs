// Which tests hold which instruction, found by what they are made of: generators' tables, decoders' tables, the assembly in
// unit tests.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Decoder, DecoderOptions, Instruction } from "iced-x86";
import { TABLES } from "../../dist/test-support/differential/tester.js";
import { Random } from "../../dist/test-support/random.js";
import * as avx from "../../test/cpu/avx/encodings.mjs";
import * as sse from "../../test/cpu/sse/encodings.mjs";
import { ROOT } from "./project.mjs";

/** Tables that are none: random encodings, which come upon what they come upon. */
const RANDOM = new Set(["encodings", "vex"]);
/** Unit tests that are named; then it is said how many there are more. */
const FILES = 4;
/** Cases from each table: enough for each of its entries, sizes and forms to occur. */
const CASES = 8000;

/** iced's code of the bytes in 64-bit mode. */
function codeOf(bytes) {
  const decoder = new Decoder(64, Uint8Array.from(bytes), DecoderOptions.AMD);
  const instruction = new Instruction();
  decoder.decodeOut(instruction);
  const { code } = instruction;
  instruction.free();
  decoder.free();
  return code;
}

/** The tables of `npm run test:cpu`: a set of iced's codes for each. */
function differentialCodes() {
  const tables = Object.entries(TABLES).filter(([name]) => !RANDOM.has(name));
  return tables.map(([name, source]) => {
    const random = new Random(1);
    const generate = source(() => true, 64);
    const codes = new Set();
    for (let index = 0; index < CASES; index++) {
      for (const { bytes } of generate(random).instructions) codes.add(codeOf(bytes));
    }
    return [`test:cpu ${name}`, codes];
  });
}

/** The comparisons of single instructions with a processor. */
function tableTesters(ours) {
  const vector = new Set();
  for (const encoding of sse.encodings(ours.sseDecode)) vector.add(codeOf(sse.encode(encoding, 1, 2, 0, 0)));
  const wide = new Set();
  for (const encoding of avx.encodings(ours.vexDecode)) {
    if (encoding.decoded === null) continue;
    const { vvvv, zero } = encoding.decoded;
    const operands = { reg: 1, rm: 2, vvvv: vvvv && !zero ? 3 : 0, imm: 0, index: encoding.decoded.vsib ? 5 : 4 };
    wide.add(codeOf(avx.encode(encoding, { ...operands, address: 0x1000 })));
  }
  return [
    ["test/cpu/sse", vector],
    ["test/cpu/avx", wide],
  ];
}

/** Words that stand where an instruction does in the assembly of a test: a set for each test file. */
function unitTests() {
  const folder = join(ROOT, "src");
  const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".test.ts"));
  return files.sort().map((name) => {
    const text = readFileSync(join(folder, name), "utf8");
    const words = new Set();
    for (const [, word] of text.matchAll(
      /(?:["'`;\n:]|\\n|lock |rep[nez]* )[ \t]*([a-z][a-z0-9]+)(?=[ ;"'`\n\\]|$)/g,
    )) {
      words.add(word);
    }
    return [
      name
        .split("/")
        .at(-1)
        .replace(/\.test\.ts$/, ""),
      words,
    ];
  });
}

/** GNU's names, where they are not iced's. */
const GNU = {
  retf: "lret",
  wait: "fwait",
  int1: "icebp",
  xlatb: "xlat",
  pushad: "pushal",
  popad: "popal",
  iretd: "iret",
};

/**
 * Tells for an instruction which tests hold it.
 * @param ours from loadDecoder
 * @returns a function of iced's codes and the mnemonic to names of tests
 */
export function instructionTests(ours) {
  const byCode = [...differentialCodes(), ...tableTesters(ours)];
  const units = unitTests();
  return (codes, mnemonic) => {
    const tables = byCode.filter(([, held]) => codes.some((code) => held.has(code))).map(([name]) => name);
    const names = [mnemonic, GNU[mnemonic]].filter((name) => name !== undefined);
    const files = units.filter(([, words]) => names.some((name) => words.has(name))).map(([name]) => name);
    const different = [...new Set(files)];
    const more = different.length - FILES;
    return [...tables, ...different.slice(0, FILES), ...(more > 0 ? [`${more} more`] : [])];
  };
}
