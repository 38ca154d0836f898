// What a guest's `cpuid` and /proc/cpuinfo say, against the model's table.
import { parseCpuModel } from "../../../dist/vcpu/cpu-model.js";
import { cpuidTable } from "../../../dist/vcpu/cpuid.js";
import { FEATURES, hasFeature } from "../../../dist/vcpu/features.js";
import { faultsOf } from "./expectations.mjs";
import { lookUp, parseRaw } from "./raw.mjs";
import { parseDecoded } from "./tool.mjs";

/** Ticks a second of the interpreter's TSC. */
const TSC_HERTZ = 1e9;
/** Bits that follow from what runs: OSXSAVE, OSPKE, and the size of what XCR0 and XSS have switched on. */
const RUNNING = [
  { leaf: 1, subleaf: 0, register: "ecx", mask: 1 << 27 },
  { leaf: 7, subleaf: 0, register: "ecx", mask: 1 << 4 },
  { leaf: 0xd, subleaf: 0, register: "ebx", mask: -1 },
  { leaf: 0xd, subleaf: 1, register: "ebx", mask: -1 },
];
/** Linux's names of features, where not ours; null: it shows none, or goes by more than CPUID. */
const LINUX = {
  htt: "ht",
  sse3: "pni",
  tsc_deadline: "tsc_deadline_timer",
  hypervisor: "hypervisor",
  sha: "sha_ni",
  page1gb: "pdpe1gb",
  lahf64: "lahf_lm",
  lzcnt: "abm",
  prefetchw: null,
  ffxsr: "fxsr_opt",
  osxsave: null,
  ospke: null,
  pks: null,
  la57: null,
};

/** The table of each vCPU. */
export function tablesOf(model, count) {
  return Array.from({ length: count }, (_, id) => cpuidTable(model, { id, count, tscHertz: TSC_HERTZ }));
}

/** Raw answers that are not the table's, in words. */
export function rawFaults(raw, model, count) {
  const cpus = parseRaw(raw);
  if (cpus.length !== count) return [`${cpus.length} CPUs, not ${count}`];
  const faults = [];
  tablesOf(model, count).forEach((table, id) => {
    for (const answer of cpus[id]) {
      const { leaf, subleaf } = answer;
      // The tool asks for leaves beyond the highest, too.
      const highest = lookUp(table, leaf & 0xf0000000, 0).eax;
      if (leaf >>> 0 > highest) continue;
      const expected = { ...lookUp(table, leaf, subleaf) };
      if ((leaf === 0xb || leaf === 0x1f) && (expected.ecx & 0xff00) === 0) expected.ecx = subleaf;
      for (const register of ["eax", "ebx", "ecx", "edx"]) {
        const running = RUNNING.find(
          (each) => each.leaf === leaf && each.subleaf === subleaf && each.register === register,
        );
        const mask = ~(running?.mask ?? 0);
        if (((answer[register] ^ expected[register]) & mask) === 0) continue;
        const at = `CPU ${id}, leaf ${leaf.toString(16)}.${subleaf}, ${register}`;
        faults.push(`${at}: ${answer[register].toString(16)}, not ${expected[register].toString(16)}`);
      }
    }
  });
  return faults;
}

/** What /proc/cpuinfo has otherwise than the model, in words. */
export function cpuinfoFaults(cpuinfo, model, count) {
  const faults = [];
  const cpus = cpuinfo
    .trim()
    .split(/\n\n+/)
    .map((block) => Object.fromEntries(block.split("\n").map((line) => line.split(/\s*:\s*/, 2))));
  if (cpus.length !== count) return [`${cpus.length} CPUs in cpuinfo, not ${count}`];
  cpus.forEach((cpu, id) => {
    const expect = (name, expected) => {
      if (cpu[name] !== String(expected)) faults.push(`cpuinfo ${id}, ${name}: ${cpu[name]}, not ${expected}`);
    };
    expect("vendor_id", model.vendor === "amd" ? "AuthenticAMD" : "GenuineIntel");
    expect("cpu family", model.family);
    expect("model", model.modelNumber);
    expect("model name", model.brand);
    expect("stepping", model.stepping);
    expect("siblings", count);
    expect("cpu cores", count);
    expect("core id", id);
    expect("physical id", 0);
    expect("apicid", id);
    expect("address sizes", `${model.physicalBits} bits physical, ${model.linearBits} bits virtual`);
    const flags = new Set(cpu.flags.split(" "));
    for (const feature of Object.keys(FEATURES)) {
      const name = LINUX[feature] === undefined ? feature : LINUX[feature];
      if (name === null) continue;
      const expected = feature === "htt" ? count > 1 : hasFeature(model.features, feature);
      if (flags.has(name) !== expected) faults.push(`cpuinfo ${id}: ${name} is ${expected ? "missing" : "there"}`);
    }
  });
  return faults;
}

/** All that is wrong in what a guest printed (runCpuidInGuest). */
export function guestFaults({ raw, decoded, cpuinfo }, text, count) {
  const model = parseCpuModel(text);
  const lines = parseDecoded(decoded);
  return [
    ...rawFaults(raw, model, count),
    ...lines.flatMap((cpu, id) => faultsOf(cpu, model, id, count)),
    ...(lines.length === count ? [] : [`${lines.length} CPUs decoded, not ${count}`]),
    ...cpuinfoFaults(cpuinfo, model, count),
  ];
}
