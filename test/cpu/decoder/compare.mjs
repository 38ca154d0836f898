// Our decoder beside iced-x86's: the same length, the same mnemonic, or an instruction that neither knows.
import { Code, CpuidFeature, Decoder, DecoderOptions, Instruction, Mnemonic } from "iced-x86";
import { explain } from "./differences.mjs";
import { memoryDifference } from "./memory-operand.mjs";
import { isCalled, isUndefined, namesOf, RecordFields } from "./operations.mjs";
import { BATCH, RECORD, SHORT, SLOT, TOO_LONG } from "./our-decoder.mjs";
import { fillStrings, Random } from "./strings.mjs";

const MNEMONICS = Object.entries(Mnemonic).reduce((names, [name, number]) => {
  if (typeof number === "number") names[number] = name.toLowerCase();
  return names;
}, []);

/** What iced said of one instruction. */
function describeOther(instruction, bytes) {
  const features = [...instruction.cpuidFeatures()].map((feature) => CpuidFeature[feature]);
  return {
    code: Code[instruction.code],
    mnemonic: MNEMONICS[instruction.mnemonic],
    length: instruction.length,
    features,
    bytes,
  };
}

/**
 * Compares `count` strings of one mode.
 *
 * @param ours from loadDecoder
 * @param model the CPU model that it decodes for
 * @returns how many were instructions to both and of how many the memory operands are the same, how many differ by which reason, and the first that nothing explains
 */
export function compareStrings({ ours, bits, model, count, seed, maxFailures = 20, fill = fillStrings }) {
  ours.setModel(model);
  const random = new Random(seed);
  const { vendor } = model;
  const options = vendor === "amd" ? DecoderOptions.AMD : DecoderOptions.None;
  const instruction = new Instruction();
  const reasons = new Map();
  const failures = [];
  let same = 0;
  let neither = 0;
  let operands = 0;
  for (let done = 0; done < count; ) {
    const batch = Math.min(BATCH, count - done);
    fill(ours.code, batch, random);
    ours.decode(bits, batch);
    const decoder = new Decoder(bits, ours.code.subarray(0, batch * SLOT), options);
    for (let slot = 0; slot < batch; slot++) {
      decoder.position = slot * SLOT;
      decoder.decodeOut(instruction);
      const record = new RecordFields(ours.records, slot * RECORD);
      const answer = ours.answers[slot];
      const failed = answer === TOO_LONG || answer === SHORT;
      const known = !failed && !isUndefined(record);
      const otherKnows = instruction.code !== Code.INVALID;
      if (!known && !otherKnows) {
        neither++;
        continue;
      }
      const length = ours.records.getUint8(slot * RECORD + 2);
      const agree =
        known && otherKnows && length === instruction.length && isCalled(record, MNEMONICS[instruction.mnemonic]);
      const operand = agree ? memoryDifference(ours.records, slot * RECORD, record, instruction, bits) : undefined;
      if (agree && typeof operand !== "string") {
        same++;
        if (operand === null) operands++;
        continue;
      }
      const bytes = ours.code.slice(slot * SLOT, slot * SLOT + SLOT);
      const other = otherKnows ? describeOther(instruction, bytes) : null;
      const reason =
        operand !== undefined ? null : explain({ record, known, failed, length, other, bytes, bits, model });
      if (reason !== null) {
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
        continue;
      }
      failures.push({
        bits,
        vendor,
        bytes: Buffer.from(bytes).toString("hex"),
        operand,
        ours: failed ? "too long" : known ? `${namesOf(record)}, ${length} bytes` : "#UD",
        other: other
          ? `${other.mnemonic} (${other.code}; ${other.features.join(", ")}), ${other.length} bytes`
          : "invalid",
      });
      if (failures.length >= maxFailures) return { same, neither, operands, reasons, failures, count: done + slot };
    }
    decoder.free();
    done += batch;
  }
  instruction.free();
  return { same, neither, operands, reasons, failures, count };
}
