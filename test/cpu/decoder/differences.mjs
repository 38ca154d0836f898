// Why our decoder and iced-x86 may differ. docs/conformance.md explains each reason by its name.
import { FEATURES, hasFeature } from "../../../dist/vcpu/features.js";
import { namesOf } from "./operations.mjs";

/** iced's names of what every model has. */
const ALWAYS = new Set(
  [
    "INTEL8086",
    "INTEL186",
    "INTEL286",
    "INTEL386",
    "INTEL486",
    "FPU",
    "FPU287",
    "FPU387",
    "CPUID",
    "RDPMC",
    "RSM",
  ].concat(["MULTIBYTENOP", "PAUSE", "X64", "INTEL8086_ONLY", "SMM"]),
);
/** iced's names of our features, where not the same in capitals. */
const OURS = {
  CLFSH: "clflush",
  CMPXCHG16B: "cx16",
  PREFETCHW: "prefetchw",
  BMI1: "bmi1",
  D3NOW: "3dnow",
  D3NOWEXT: "3dnowext",
  SSE4_1: "sse4_1",
  SSE4_2: "sse4_2",
};

/** What an instruction with a prefix is to processors that do not know it. */
const OLDER = { tzcnt: "bsf", lzcnt: "bsr", wbnoinvd: "wbinvd", vmgexit: "vmcall or vmmcall" };

const names = new Map();
/** The feature of ours that iced calls so; null: every model has it; undefined: none has. */
function featureOf(icedName) {
  if (ALWAYS.has(icedName)) return null;
  const name = OURS[icedName] ?? icedName.toLowerCase();
  return Object.hasOwn(FEATURES, name) ? name : undefined;
}

/** The features that iced names for an instruction and the model lacks. */
export function missingFeatures(features, model) {
  const key = features.join();
  let needed = names.get(key);
  if (!needed) {
    needed = features.map((name) => [name, featureOf(name)]);
    names.set(key, needed);
  }
  return needed
    .filter(([, ours]) => ours !== null && (ours === undefined || !hasFeature(model.features, ours)))
    .map(([name]) => name);
}

/**
 * The reason for a difference, or null.
 * @param ours `known`: an instruction to us; its record's fields, length
 * @param other what iced says, or null where it is no instruction to it
 */
export function explain({ record, known, length, other, model }) {
  if (other && !known) {
    if (/^ud[012]$/.test(other.mnemonic)) return "ud: an instruction that is there to be undefined";
    if (/^Reservednop_\w+_0F0D$/.test(other.code) && model.vendor === "amd") {
      return "prefetch: AMD's processors have 0F 0D with a memory operand alone";
    }
    const missing = missingFeatures(other.features, model);
    if (missing.length > 0) return `feature: no model has ${missing.join(", ")}`;
  }
  if (other && known && length === other.length) {
    const [older, newer] = [namesOf(record), other.mnemonic];
    if (newer === "pause" && older === "xchg") return "pause: with REX.B it is an exchange with R8";
    if (model.vendor === "amd" && /^loopn?e loopn?e$/.test(`${older} ${newer}`)) {
      return "loop: on AMD's processors F2 and F3 choose between LOOPNE and LOOPE";
    }
    if (OLDER[newer] === older && missingFeatures(other.features, model).length > 0) {
      return `prefix: without its feature, ${newer} is ${older} with a prefix that says nothing`;
    }
  }
  return null;
}
