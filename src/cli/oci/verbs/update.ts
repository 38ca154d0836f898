import { readFileSync } from "node:fs";
import { openCgroup } from "../../../container/cgroups/index.js";
import { ContainerError } from "../../../container/errors.js";
import { attachDeviceProgram } from "../../../container/lifecycle/device-program.js";
import { withDefaultDevices } from "../../../container/lifecycle/device-rules.js";
import { statusOf } from "../../../container/lifecycle/status.js";
import type { Resources } from "../../../container/spec/config.js";
import { checkResources } from "../../../container/spec/validate.js";
import { describe, expectOperands, type Options, parse } from "../arguments.js";
import type { Verb } from "../context.js";

const OPTIONS = {
  resources: { kind: "value", short: "r", placeholder: "FILE", help: "linux.resources as JSON; - is standard input" },
  "blkio-weight": { kind: "value", placeholder: "N", help: "weight of block I/O, 10 to 1000" },
  "cpu-period": { kind: "value", placeholder: "US", help: "period of the CPU quota" },
  "cpu-quota": { kind: "value", placeholder: "US", help: "CPU time in a period" },
  "cpu-burst": { kind: "value", placeholder: "US", help: "CPU time that may be saved up" },
  "cpu-share": { kind: "value", placeholder: "N", help: "CPU shares against other containers" },
  "cpu-rt-period": { kind: "value", placeholder: "US", help: "period of real-time scheduling" },
  "cpu-rt-runtime": { kind: "value", placeholder: "US", help: "real-time in a period" },
  "cpuset-cpus": { kind: "value", placeholder: "LIST", help: "CPUs to use" },
  "cpuset-mems": { kind: "value", placeholder: "LIST", help: "memory nodes to use" },
  "cpu-idle": { kind: "value", placeholder: "0|1", help: "run only when nobody else does" },
  memory: { kind: "value", placeholder: "BYTES", help: "memory limit" },
  "memory-reservation": { kind: "value", placeholder: "BYTES", help: "soft memory limit" },
  "memory-swap": { kind: "value", placeholder: "BYTES", help: "memory and swap; -1 is without limit" },
  "kernel-memory": { kind: "value", placeholder: "BYTES", help: "obsolete: ignored, as by runc" },
  "kernel-memory-tcp": { kind: "value", placeholder: "BYTES", help: "obsolete: ignored, as by runc" },
  "pids-limit": { kind: "value", placeholder: "N", help: "processes at most" },
  "l3-cache-schema": { kind: "value", placeholder: "TEXT", help: "Intel RDT (not supported)" },
  "mem-bw-schema": { kind: "value", placeholder: "TEXT", help: "Intel RDT (not supported)" },
} as const;

const UNITS: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

function bytes(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, number, unit = ""] = /^(-?\d+(?:\.\d+)?)([kmgt]?)b?$/i.exec(text) ?? [];
  if (number === undefined) throw new ContainerError("USAGE", `invalid value for ${name}: ${text}`);
  return Math.floor(Number(number) * UNITS[unit.toLowerCase()]);
}

function integer(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^-?\d+$/.test(text)) throw new ContainerError("USAGE", `invalid value for ${name}: ${text}`);
  return Number(text);
}

/** Without what is undefined; undefined where nothing is left. */
function compact<T extends object>(object: T): T | undefined {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined);
  return entries.length > 0 ? (Object.fromEntries(entries) as T) : undefined;
}

function fromOptions(options: Options<typeof OPTIONS>): Resources {
  const number = (name: keyof typeof OPTIONS) => integer(name, options[name]);
  const pids = number("pids-limit");
  return (
    compact({
      cpu: compact({
        shares: number("cpu-share"),
        quota: number("cpu-quota"),
        burst: number("cpu-burst"),
        period: number("cpu-period"),
        realtimeRuntime: number("cpu-rt-runtime"),
        realtimePeriod: number("cpu-rt-period"),
        cpus: options["cpuset-cpus"],
        mems: options["cpuset-mems"],
        idle: number("cpu-idle"),
      }),
      memory: compact({
        limit: bytes("memory", options.memory),
        reservation: bytes("memory-reservation", options["memory-reservation"]),
        swap: bytes("memory-swap", options["memory-swap"]),
      }),
      pids: pids === undefined ? undefined : { limit: pids },
      blockIO: compact({ weight: number("blkio-weight") }),
    }) ?? {}
  );
}

function readResources(file: string): Resources {
  let text: string;
  try {
    text = readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    throw new ContainerError("FILE", `cannot read ${file}: ${(error as Error).message}`);
  }
  try {
    return checkResources(JSON.parse(text));
  } catch (error) {
    if (error instanceof ContainerError) throw error;
    throw new ContainerError("SPEC_INVALID", `${file} is not JSON: ${(error as Error).message}`);
  }
}

export const verb: Verb = {
  usage: `usage: ringvisor oci update [OPTIONS] ID\n\n${describe(OPTIONS)}`,
  async run(args, { store }) {
    const { options, operands } = parse(OPTIONS, args);
    expectOperands("update", operands, 1);
    if (options["l3-cache-schema"] || options["mem-bw-schema"]) {
      throw new ContainerError("NOT_IMPLEMENTED", "Intel RDT is not supported");
    }
    const record = store.load(operands[0]);
    if (statusOf(store, record) === "stopped") throw new ContainerError("WRONG_STATE", "container not running");
    const resources = options.resources ? readResources(options.resources) : checkResources(fromOptions(options));
    const program = openCgroup(record.cgroup).update(withDefaultDevices(resources));
    if (program) await attachDeviceProgram(program, store.folder(record.id));
    return 0;
  },
};
