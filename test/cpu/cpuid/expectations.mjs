// What Debian's `cpuid` has to say of a CPU model.
import { FEATURES, hasFeature } from "../../../dist/vcpu/features.js";

/** The tool's lines of features, by group and ours. */
const LEAF1_EDX = {
  "x87 FPU on chip": "fpu",
  "VME: virtual-8086 mode enhancement": "vme",
  "DE: debugging extensions": "de",
  "PSE: page size extensions": "pse",
  "TSC: time stamp counter": "tsc",
  "RDMSR and WRMSR support": "msr",
  "PAE: physical address extensions": "pae",
  "MCE: machine check exception": "mce",
  "CMPXCHG8B inst.": "cx8",
  "APIC on chip": "apic",
  "SYSENTER and SYSEXIT": "sep",
  "MTRR: memory type range registers": "mtrr",
  "PTE global bit": "pge",
  "MCA: machine check architecture": "mca",
  "CMOV: conditional move/compare instr": "cmov",
  "PAT: page attribute table": "pat",
  "PSE-36: page size extension": "pse36",
  "PSN: processor serial number": null,
  "CLFLUSH instruction": "clflush",
  "DS: debug store": null,
  "MMX Technology": "mmx",
  "FXSAVE/FXRSTOR": "fxsr",
  "SSE extensions": "sse",
  "SSE2 extensions": "sse2",
  IA64: null,
};
const LEAF1_ECX = {
  "PNI/SSE3: Prescott New Instructions": "sse3",
  "PCLMULDQ instruction": "pclmulqdq",
  "MONITOR/MWAIT": "monitor",
  "VMX: virtual machine extensions": null,
  "SSSE3 extensions": "ssse3",
  "FMA instruction": "fma",
  "CMPXCHG16B instruction": "cx16",
  "PCID: process context identifiers": "pcid",
  "SSE4.1 extensions": "sse4_1",
  "SSE4.2 extensions": "sse4_2",
  "x2APIC: extended xAPIC support": "x2apic",
  "MOVBE instruction": "movbe",
  "POPCNT instruction": "popcnt",
  "time stamp counter deadline": "tsc_deadline",
  "AES instruction": "aes",
  "XSAVE/XSTOR states": "xsave",
  "AVX: advanced vector extensions": "avx",
  "F16C half-precision convert instruction": "f16c",
  "RDRAND instruction": "rdrand",
  "hypervisor guest status": "hypervisor",
};
const LEAF7 = {
  "FSGSBASE instructions": "fsgsbase",
  "IA32_TSC_ADJUST MSR supported": "tsc_adjust",
  "SGX: Software Guard Extensions supported": null,
  "BMI1 instructions": "bmi1",
  "AVX2: advanced vector extensions 2": "avx2",
  "SMEP supervisor mode exec protection": "smep",
  "BMI2 instructions": "bmi2",
  "enhanced REP MOVSB/STOSB": "erms",
  "INVPCID instruction": "invpcid",
  "RTM: restricted transactional memory": null,
  "AVX512F: AVX-512 foundation instructions": null,
  "RDSEED instruction": "rdseed",
  "ADX instructions": "adx",
  "SMAP: supervisor mode access prevention": "smap",
  "CLFLUSHOPT instruction": "clflushopt",
  "CLWB instruction": "clwb",
  "SHA instructions": "sha",
  "UMIP: user-mode instruction prevention": "umip",
  "PKU protection keys for user-mode": "pku",
  "LA57: 57-bit addrs & 5-level paging": "la57",
  "RDPID: read processor ID supported": "rdpid",
  "PKS: supervisor protection keys": "pks",
  "fast short REP MOV": "fsrm",
};
const EXTENDED = {
  "SYSCALL and SYSRET instructions": "syscall",
  "execution disable": "nx",
  "no-execute page protection": "nx",
  "AMD multimedia instruction extensions": "mmxext",
  "1-GB large page support": "page1gb",
  RDTSCP: "rdtscp",
  "long mode (AA-64)": "lm",
  "64-bit extensions technology available": "lm",
  "3DNow! instruction extensions": "3dnowext",
  "3DNow! instructions": "3dnow",
  "LAHF/SAHF supported in 64-bit mode": "lahf64",
  "SVM: secure virtual machine": "svm",
  AltMovCr8: "cr8_legacy",
  "LZCNT advanced bit manipulation": "lzcnt",
  "SSE4A support": "sse4a",
  "misaligned SSE mode": "misalignsse",
  "3DNow! PREFETCH/PREFETCHW instructions": "prefetchw",
  "topology extensions": "topoext",
};
const XSAVE = {
  "XSAVEOPT instruction": "xsaveopt",
  "XSAVEC instruction": "xsavec",
  "XGETBV instruction": "xgetbv1",
  "XSAVES/XRSTORS instructions": "xsaves",
};
const GROUPS = {
  "feature information (1/edx)": LEAF1_EDX,
  "feature information (1/ecx)": LEAF1_ECX,
  "extended feature flags (7)": LEAF7,
  "extended feature flags (0x80000001/edx)": EXTENDED,
  "AMD feature flags (0x80000001/ecx)": EXTENDED,
  "Intel feature flags (0x80000001/ecx)": EXTENDED,
  "XSAVE features (0xd/0)": XSAVE,
};

/** Features that the decoded lines did not tell of, over all calls: a name that the tool spells otherwise. */
export const toldOf = new Set();

/**
 * What is wrong with the tool's lines for one CPU, in words.
 * @param lines from decode
 */
export function faultsOf(lines, model, id, vcpus) {
  const faults = [];
  const expect = (what, actual, expected) => {
    if (actual !== expected) faults.push(`${what}: ${actual}, not ${expected}`);
  };
  const value = (name, group) =>
    lines.find((line) => line.name === name && (group === undefined || line.group === group))?.value;
  const number = (name, group) => {
    const text = value(name, group);
    return text === undefined ? undefined : Number.parseInt(text, text.startsWith("0x") ? 16 : 10);
  };
  const has = (feature) => hasFeature(model.features, feature);
  const amd = model.vendor === "amd";
  // 32-bit processors are packages of their own.
  const count = has("lm") ? vcpus : 1;

  // The brand index 0 that all later processors have, and chips that are told apart by a brand of their maker's.
  for (const { name, value } of lines) {
    const text = `${name} ${value}`;
    if (/unknown|unrecognized/i.test(text) && !/^brand id 0x00 |synth\) .*\(unknown type\)/.test(text)) {
      faults.push(text);
    }
  }
  expect("vendor", value("vendor_id"), amd ? '"AuthenticAMD"' : '"GenuineIntel"');
  expect("family", number("(family synth)"), model.family);
  expect("model", number("(model synth)"), model.modelNumber);
  expect("stepping", number("stepping id"), model.stepping);
  if (has("lm") || (amd && has("sse"))) expect("brand", value("brand"), `"${model.brand}"`);
  if (has("hypervisor")) expect("hypervisor", value("hypervisor_id (0x40000000)"), '"RingvisorVMM"');

  for (const { group, name, value } of lines) {
    const feature = GROUPS[group]?.[name];
    if (feature === undefined) continue;
    if (feature !== null) toldOf.add(feature);
    // AMD repeats leaf 1's bits in 80000001, by names of their own that are not in the list.
    expect(`${group}, ${name}`, value, feature !== null && has(feature) ? "true" : "false");
  }

  expect("APIC id", number("process local APIC physical ID"), id);
  // Leaf 4 has room for cores, leaf B counts them.
  const cores = amd || has("x2apic") ? count : 2 ** Math.ceil(Math.log2(count));
  expect("topology", value("(multi-processing synth)"), cores > 1 ? `multi-core (c=${cores})` : "none");
  if (has("x2apic")) {
    const group = "x2APIC features / processor topology (0xb)";
    expect("x2APIC id", number("extended APIC ID", group), id);
    const levels = lines.filter(
      (line) => line.group === group && line.name === "number of logical processors at level",
    );
    const counts = levels.map((line) => Number.parseInt(line.value, 16));
    expect("threads and cores", counts.slice(0, 2).join(), `1,${count}`);
  }
  if (has("lm")) {
    const sizes = lines
      .filter(({ name }) => name === "(size synth)" || name === "(synth size)")
      .map((line) => line.value);
    const caches = amd
      ? ["32768 (32 KB)", "65536 (64 KB)", "524288 (512 KB)", "8388608 (8 MB)"]
      : ["32768 (32 KB)", "32768 (32 KB)", "524288 (512 KB)", "8388608 (8 MB)"];
    if (!amd || has("topoext")) expect("caches", sizes.join(), caches.join());
    expect("L2", number("size (KB)", "L2 unified cache information (0x80000006/ecx)"), 512);
    expect("physical address bits", number("maximum physical address bits"), model.physicalBits);
    expect("linear address bits", number("maximum linear (virtual) address bits"), model.linearBits);
  }
  return faults;
}

/** Features whose lines the tool has, but that no call has met. */
export function untold() {
  const all = Object.values(GROUPS).flatMap((group) => Object.values(group).filter((name) => name !== null));
  return [...new Set(all)].filter((name) => !toldOf.has(name) && Object.hasOwn(FEATURES, name));
}
