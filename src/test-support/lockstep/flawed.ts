/** An accelerator with a defect, to see that lockstep runs find one: after IMUL of two operands bit 7 of RAX is wrong. */
import * as B from "../../accel/translate/layout.js";
import type { GuestMemory } from "../../guest-memory/guest-memory.js";
import type { Accelerator, RunLimits, Vcpu, VcpuExit } from "../../vcpu/accelerator.js";

export function flawedAccelerator(sound: Accelerator): Accelerator {
  return {
    ...sound,
    createVm: (memory) => {
      const vm = sound.createVm(memory);
      return Object.assign(Object.create(vm) as typeof vm, {
        createVcpu: (...options: Parameters<typeof vm.createVcpu>) => flawedVcpu(vm.createVcpu(...options), memory),
      });
    },
  };
}

function flawedVcpu(vcpu: Vcpu, memory: GuestMemory): Vcpu {
  const block = new DataView(memory.memory.buffer, B.VCPU_BASE, B.VCPU_STRIDE);
  const run = ({ instructions }: RunLimits): VcpuExit => {
    const end = vcpu.instructions + instructions;
    const pages = new Map<bigint, number | null>();
    for (;;) {
      const isMultiplication = /^(66)?(4.)?0faf/.test(bytesAt(pages, block.getBigUint64(B.RIP, true)));
      const before = vcpu.instructions;
      const exit = vcpu.run({ instructions: 1 }) as VcpuExit;
      if (isMultiplication && vcpu.instructions === before + 1) block.setUint8(B.GPR, block.getUint8(B.GPR) ^ 0x80);
      if (exit.reason !== "budget" || vcpu.instructions >= end) return exit;
    }
  };
  return Object.create(vcpu, { run: { value: run } }) as Vcpu;

  // Of one page: nobody changes page tables meanwhile.
  function bytesAt(pages: Map<bigint, number | null>, rip: bigint): string {
    const page = rip & ~0xfffn;
    if (!pages.has(page)) pages.set(page, vcpu.translate(page));
    const gpa = pages.get(page) ?? null;
    const offset = Number(rip & 0xfffn);
    const bytes =
      gpa === null || !memory.contains(gpa, 4096) ? [] : memory.view(gpa, 4096).subarray(offset, offset + 4);
    return Buffer.from(bytes).toString("hex");
  }
}
