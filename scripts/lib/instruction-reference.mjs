// The reference of instructions, made by trying: each instruction that iced-x86 knows is given to our decoder with the
// features of each CPU model, and with each single feature gone.
import { CodeExt, Mnemonic } from "iced-x86";
import { CPU_MODEL_NAMES, parseCpuModel } from "../../dist/vcpu/cpu-model.js";
import { FEATURES, hasFeature } from "../../dist/vcpu/features.js";
import { enumerate } from "../../test/cpu/decoder/enumerate.mjs";
import { CONSTANTS, isCalled, isUndefined, RecordFields } from "../../test/cpu/decoder/operations.mjs";
import { SLOT } from "../../test/cpu/decoder/our-decoder.mjs";

const X87 = [CONSTANTS.get("OPS_X87"), CONSTANTS.get("OPS_FPU_STATE")];
/** Features of x87 instructions, which decide when they execute: opcode, ModRM's reg field, register form or memory. */
const X87_FEATURES = [
  { feature: "cmov", mnemonics: /^fcmov|^fu?comip?$/ },
  { feature: "sse3", mnemonics: /^fisttp$/ },
];

const mnemonicName = (code) => {
  const info = CodeExt.opCode(code);
  const { mnemonic } = info;
  info.free();
  return Mnemonic[mnemonic].toLowerCase();
};

/** An encoding without what only says its size. */
function encodingOf(code) {
  const info = CodeExt.opCode(code);
  const text = info.opCodeString;
  info.free();
  return text
    .replace(/\b[oa](16|32|64) /g, "")
    .replace(/^REX\.W /, "")
    .replace(/ \(.*\)$/, "");
}

/** Whether our decoder takes bytes for the instruction of this name, with a model's features. */
class Trial {
  constructor(ours) {
    this.ours = ours;
  }
  has(model, { bits, bytes, mnemonic }) {
    this.ours.setModel(model);
    this.ours.code.fill(0, 0, SLOT);
    this.ours.code.set(bytes);
    this.ours.decode(bits, 1);
    if (this.ours.answers[0] > 1) return false;
    const record = new RecordFields(this.ours.records, 0);
    if (isUndefined(record) || !isCalled(record, mnemonic)) return false;
    if (record.op < X87[0] || record.op >= X87[1]) return true;
    return X87_FEATURES.every(
      ({ feature, mnemonics }) => !mnemonics.test(mnemonic) || hasFeature(model.features, feature),
    );
  }
}

function without(model, feature) {
  const features = model.features.slice();
  features[FEATURES[feature] >> 5] &= ~(1 << (FEATURES[feature] & 31));
  return { ...model, features };
}

/**
 * All instructions that some model has.
 * @param ours from loadDecoder
 * @returns entries of mnemonic, encodings, features, vendor (null for both), first model, whether 64-bit mode alone has
 * it, and iced's codes
 */
export function collectInstructions(ours) {
  const trial = new Trial(ours);
  const vendors = ["amd", "intel"];
  const models = CPU_MODEL_NAMES.map((name) => [
    name,
    vendors.map((vendor) => parseCpuModel(`${name},vendor=${vendor}`)),
  ]);
  // The default model comes after the levels, which are what software asks for.
  models.sort(([a], [b]) => Number(a === "default" || a === "max") - Number(b === "default" || b === "max"));
  const most = vendors.map((vendor) => parseCpuModel(`max,vendor=${vendor}`));
  const samples = new Map();
  for (const bits of [32, 16, 64]) {
    for (const [code, bytes] of enumerate(bits)) {
      if (!samples.has(code)) samples.set(code, { code, bits, bytes, mnemonic: mnemonicName(code) });
    }
  }
  const entries = new Map();
  for (const sample of samples.values()) {
    const owners = most.filter((model) => trial.has(model, sample));
    if (owners.length === 0) continue;
    const [full] = owners;
    const features = Object.keys(FEATURES).filter(
      (feature) => hasFeature(full.features, feature) && !trial.has(without(full, feature), sample),
    );
    const first = models.findIndex(([, both]) =>
      both.some((model) => (sample.bits !== 64 || hasFeature(model.features, "lm")) && trial.has(model, sample)),
    );
    const vendor = owners.length === 2 ? null : full.vendor;
    const key = [sample.mnemonic, features.join(), vendor].join(" ");
    let entry = entries.get(key);
    if (!entry) {
      entry = { mnemonic: sample.mnemonic, encodings: new Set(), features, vendor, first, only64: true, codes: [] };
      entries.set(key, entry);
    }
    entry.encodings.add(encodingOf(sample.code));
    entry.first = Math.min(entry.first, first);
    entry.only64 &&= sample.bits === 64;
    entry.codes.push(sample.code);
  }
  return [...entries.values()]
    .map((entry) => ({ ...entry, encodings: [...entry.encodings], first: models[entry.first][0] }))
    .sort((a, b) =>
      a.mnemonic < b.mnemonic ? -1 : a.mnemonic > b.mnemonic ? 1 : a.features.length - b.features.length,
    );
}

/** The columns of one instruction but the tests. */
export function rowOf({ mnemonic, encodings, features, vendor, first, only64 }) {
  const remarks = [...features, ...(vendor === null ? [] : [`${vendor} only`]), ...(only64 ? ["64-bit mode"] : [])];
  return [mnemonic.toUpperCase(), encodings.map((text) => `\`${text}\``).join(", "), remarks.join(", "), first];
}

export const HEADER = ["Instruction", "Encodings", "Needs", "First model", "Held by"];

/** The lines of docs/instructions.md. `testsOf` from instructionTests. */
export function renderReference(entries, testsOf) {
  const rows = entries.map((entry) => [...rowOf(entry), testsOf(entry.codes, entry.mnemonic).join(", ") || "—"]);
  const unheld = rows.filter((row) => row.at(-1) === "—").length;
  const codes = entries.reduce((sum, { codes }) => sum + codes.length, 0);
  return `# Instructions

Made by \`npm run docs:instructions\`: do not edit. Each instruction that iced-x86 knows was given to our decoder with
the features of each CPU model and with each feature gone: ${rows.length} rows, ${codes} of iced's forms.

*Encodings* are iced's, without the operand and address size. *Needs* names the CPU features without which it is
undefined, a vendor that alone has it, and 64-bit mode where no other has it. *First model* is the first of
${CPU_MODEL_NAMES.map((name) => `\`${name}\``).join(", ")} that has it, with either vendor; \`default\` comes after the levels.

*Held by*: \`test:cpu TABLE\` are random sequences against the processor below, from that table (\`npm run test:cpu\`);
\`test/cpu/sse\` and \`test/cpu/avx\` compare every encoding with it; the others are unit tests in \`src/\` (\`npm test -- NAME\`)
whose assembly has the instruction. All encodings are in the comparison with iced-x86 (\`npm run test:decoder\`) and may
come up in \`test:cpu\`'s \`encodings\` and \`vex\`;
${rows.length - unheld} rows in another test; ${unheld} are in none that this looks at.

| ${HEADER.join(" | ")} |
| ${HEADER.map(() => "---").join(" | ")} |
${rows.map((row) => `| ${row.join(" | ")} |`).join("\n")}
`;
}
