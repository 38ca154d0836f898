/** Instructions to choose from, out of the tables of the differential tests. */
import { forBits } from "../differential/generator.js";
import type { Spec } from "../differential/instruction.js";
import type { Random } from "../random.js";
import { RSP } from "./operands.js";
import type { CodeBits } from "./program.js";

/** Instructions that need what this generator does not give them, or that it makes itself. */
const LEFT_OUT =
  /^(refused|pop [a-z]s|mov (to segment|offset)|push [a-z]s|l[defgs]s|xlat|leave|enter|maskmov.*|call|ret|jmp|jcc|loop|popa|pusha|movs|cmps|stos|lods|scas|into|std)$/;

export interface Table {
  specs: readonly Spec[];
  sums: Float64Array;
}

const tables = new Map<string, Table>();

/** The instructions of a table that code of this size has, with running sums of their weights. */
export function tableOf(name: string, all: readonly Spec[], bits: CodeBits): Table {
  const key = `${name} ${bits}`;
  let table = tables.get(key);
  if (!table) {
    const specs = all
      .flatMap((spec) => forBits(spec, bits === 64 ? 64 : 32))
      .filter((spec) => !LEFT_OUT.test(spec.name) && !spec.clobbers?.includes(RSP) && !spec.branch);
    let sum = 0;
    const sums = Float64Array.from(specs, ({ weight = 1 }) => (sum += weight));
    table = { specs, sums };
    tables.set(key, table);
  }
  return table;
}

export function pickSpec(random: Random, { specs, sums }: Table): Spec {
  const wanted = (random.u32() / 0x1_0000_0000) * sums[sums.length - 1]!;
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle]! > wanted) high = middle;
    else low = middle + 1;
  }
  return specs[low]!;
}

/** Bytes of an instruction's constant. */
export function immediateBytes(spec: Spec, size: number, bits: CodeBits): number {
  if (spec.immediate === "z") return size === 1 ? 1 : spec.sizes ? (size === 2 ? 2 : 4) : bits === 16 ? 2 : 4;
  if (spec.immediate === "v") return size;
  return spec.immediate ?? 0;
}
