/** A mismatch in words: the program disassembled, what it starts from, and what differed. */
import { Decoder, DecoderOptions, Formatter, FormatterSyntax } from "iced-x86";
import { GPR_NAMES } from "../../vcpu/state.js";
import * as L from "./layout.js";
import type { Mismatch } from "./lockstep.js";
import { type Program, place } from "./program.js";

export function describeMismatch({ program, slice, instructions, differences }: Mismatch): string[] {
  return [
    ...describeProgram(program),
    `after slice ${slice + 1} of ${program.slices.length}, ${instructions} instructions:`,
    ...differences.slice(0, 24).map((line) => `  ${line}`),
  ];
}

export function describeProgram(program: Program): string[] {
  const { bits, kernel, ring, base, registers, rflags, mxcsr, fcw, cleared, slices } = program;
  const start = base + BigInt(program.sections[0]!.offset);
  return [
    `${bits} bits, kernel of ${kernel}, ring ${ring}, from ${start.toString(16)}, rflags ${rflags.toString(16)}, mxcsr ${mxcsr.toString(16)}, fcw ${fcw.toString(16)}`,
    registers.flatMap((value, index) => (value === 0n ? [] : [`${GPR_NAMES[index]}=${value.toString(16)}`])).join(" "),
    ...(cleared.length > 0
      ? [
          `page-table bits cleared: ${cleared.map(({ page, bits: gone }) => `${(page * L.PAGE).toString(16)}:${gone}`).join(" ")}`,
        ]
      : []),
    ...disassemble(program).map((line) => `  ${line}`),
    `slices: ${slices.map((each) => [...each.events.map((event) => JSON.stringify(event)), each.instructions].join(" ")).join(", ")}`,
  ];
}

function disassemble(program: Program): string[] {
  const formatter = new Formatter(FormatterSyntax.Intel);
  const { instructions, labels } = place(program);
  const named = new Map<number, number[]>();
  for (const [label, offset] of labels) named.set(offset, [...(named.get(offset) ?? []), label]);
  const lines = instructions.map(({ offset, bytes }) => {
    const decoder = new Decoder(program.bits, bytes, DecoderOptions.AMD);
    const address = program.base + BigInt(offset);
    decoder.ip = address;
    const instruction = decoder.decode();
    const text = formatter.format(instruction);
    instruction.free();
    decoder.free();
    const hex = Buffer.from(bytes).toString("hex");
    return `${address.toString(16)}  ${hex.padEnd(22)} ${text}`;
  });
  formatter.free();
  return lines;
}
