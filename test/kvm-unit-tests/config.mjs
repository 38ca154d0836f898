// unittests.cfg of kvm-unit-tests: sections of `name = value` lines, and QEMU's options in our words.

/** Seconds for what runs billions of instructions. */
const SLOW = { "access_test.flat": 600, "sieve.flat": 300 };

/** The entries for one architecture. Throws where a line is none of the file's forms. */
export function parseConfig(text, arch) {
  const entries = [];
  for (const [number, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const section = /^\[(.+)\]$/.exec(line);
    if (section) {
      entries.push({ name: section[1] });
      continue;
    }
    const pair = /^(\w+)\s*=\s*(.*)$/.exec(line);
    const entry = entries.at(-1);
    if (!pair || !entry)
      throw new Error(`unittests.cfg, line ${number + 1}: "${line}" is neither a section nor a value`);
    entry[pair[1]] = pair[2];
  }
  return entries
    .filter((entry) => entry.arch === undefined || entry.arch === arch)
    .map((entry) => ({
      name: entry.name,
      file: entry.file,
      cpus: Number(entry.smp ?? 1),
      args: words(entry.test_args ?? "").join(" "),
      timeout: Math.max(Number(entry.timeout ?? 90), SLOW[entry.file] ?? 0),
      ...machineOf(entry),
    }));
}

// A shell's words, without quotes; `date` is for kvmclock_test only.
function words(text) {
  return text.match(/'[^']*'|"[^"]*"|\S+/g)?.map((word) => word.replace(/^(['"])(.*)\1$/, "$2")) ?? [];
}

/** Features of QEMU's `max` on TCG that a bare `qemu64` lacks are of no use to the tests that ask for qemu64: `default`. */
const MODELS = { max: "max", qemu64: "default", Opteron_G1: "x86-64-v1" };

/** CPU model and memory, or `skip`: why this machine cannot run the test. */
function machineOf(entry) {
  let cpu = "max";
  let memory = "128M";
  const options = words(entry.qemu_params ?? "");
  if (entry.accel === "kvm" || options.includes("-enable-kvm")) return { skip: "for KVM only" };
  if (entry.check !== undefined) return { skip: `wants ${entry.check.split(" ")[0]} of the host` };
  for (let index = 0; index < options.length; index++) {
    const option = options[index];
    const value = options[index + 1];
    if (option === "-cpu") {
      const [model, ...changes] = value.split(",");
      if (model === "host") return { skip: "wants -cpu host" };
      if (!Object.hasOwn(MODELS, model)) return { skip: `wants CPU model ${model}` };
      const feature = changes.find((change) => /^\+(vmx|svm)$/.test(change));
      if (feature) return { skip: `wants ${feature.slice(1)}` };
      cpu = [MODELS[model], ...changes.flatMap(changeOf)].join(",");
      index++;
    } else if (option === "-m") {
      memory = /^\d+$/.test(value) ? `${value}M` : value.toUpperCase();
      index++;
    } else if (option === "-device") {
      return { skip: `wants ${value.split(",")[0]}` };
    } else if (option === "-machine" && value === "pit=off") {
      index++; // for AVIC only
    } else {
      return { skip: `wants ${option} ${value ?? ""}` };
    }
  }
  return { cpu, memory };
}

function changeOf(change) {
  if (change === "vendor=GenuineIntel") return ["vendor=intel"];
  if (change === "vendor=AuthenticAMD") return ["vendor=amd"];
  return /^[+-]/.test(change) ? [change] : [];
}
