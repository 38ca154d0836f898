/** What `--stats` writes: one JSON object. */
import { writeFileSync } from "node:fs";
import type { MachineStats } from "../machine/machine.js";
import { fileError } from "../node/files.js";

export interface StatsInput {
  /** performance.now() when the command began. */
  started: number;
  /** performance.now() at the guest's first console byte, or null. */
  firstByte: number | null;
  exitCode: number;
  reason: string;
  /** The accelerator that ran it, and why that one. */
  accel: string;
  accelReason: string;
  machine: MachineStats;
}

function sum(records: readonly Record<string, number>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const record of records) {
    for (const [name, value] of Object.entries(record)) total[name] = (total[name] ?? 0) + value;
  }
  return total;
}

/** Details called `group:name`, as `{ group: { name: count } }`, beside the others. */
function grouped(details: Record<string, number>): Record<string, number | Record<string, number>> {
  const all: Record<string, number | Record<string, number>> = {};
  for (const [key, value] of Object.entries(details)) {
    const colon = key.indexOf(":");
    const group = colon < 0 ? undefined : (all[key.slice(0, colon)] ?? {});
    if (typeof group !== "object") all[key] = value;
    else all[key.slice(0, colon)] = { ...group, [key.slice(colon + 1)]: value };
  }
  return all;
}

/** Seconds, bytes and counts. */
export function collectStats(input: StatsInput): object {
  const { machine } = input;
  const { user, system } = process.cpuUsage();
  const details = sum(machine.vcpus.map((vcpu) => vcpu.details));
  return {
    exitCode: input.exitCode,
    outcome: input.reason,
    accel: input.accel,
    accelReason: input.accelReason,
    wallSeconds: (performance.now() - input.started) / 1000,
    cpuSeconds: (user + system) / 1e6,
    machineSeconds: machine.time / 1e9,
    idleSeconds: machine.idle / 1e9,
    firstConsoleByteSeconds: input.firstByte === null ? null : (input.firstByte - input.started) / 1000,
    instructions: machine.instructions,
    exits: sum(machine.vcpus.map((vcpu) => vcpu.exits)),
    details: grouped(details),
    slices: machine.slices,
    inputs: machine.inputs,
    resets: machine.resets,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  };
}

/** @param target a file's path, or true for standard error. @throws FileError */
export function writeReport(target: string | true, text: string): void {
  if (target === true) {
    process.stderr.write(text);
    return;
  }
  try {
    writeFileSync(target, text);
  } catch (error) {
    throw fileError(target, error);
  }
}
