/** Documentation/admin-guide/cgroup-v2.rst, "IO Interface Files". */
import { deviceNumber, hasBlockIo, THROTTLES } from "../block-io.js";
import { integer } from "../control-folder.js";
import { type Controller, isGiven } from "../controller.js";
import { invalid } from "../errors.js";
import { parsePressure } from "../stats.js";

export const io: Controller = {
  name: "io",

  isAsked: ({ blockIO }) => hasBlockIo(blockIO),

  set(folder, { blockIO: asked }) {
    if (!asked) return;
    // BFQ's file has v1's range; without it the general file has one of its own.
    const bfq = folder.has("io.bfq.weight");
    const file = bfq ? "io.bfq.weight" : "io.weight";
    const weightText = (field: string, weight: number) => {
      const text = integer("io", field, weight, 10, 1000);
      return bfq ? text : String(weightOfBlkioWeight(weight));
    };
    if (isGiven(asked.leafWeight)) throw invalid("io", "blockIO.leafWeight: cgroup v2 has no such weight");
    if (isGiven(asked.weight)) folder.write(file, `default ${weightText("blockIO.weight", asked.weight)}`);
    for (const device of asked.weightDevice ?? []) {
      if (isGiven(device.leafWeight))
        throw invalid("io", "blockIO.weightDevice.leafWeight: cgroup v2 has no such weight");
      if (!isGiven(device.weight)) continue;
      const weight = weightText("blockIO.weightDevice.weight", device.weight);
      folder.write(file, `${deviceNumber("io", device)} ${weight}`);
    }
    for (const { field, key } of THROTTLES) {
      for (const device of asked[field] ?? []) {
        const rate = integer("io", `blockIO.${field}.rate`, device.rate, 0);
        folder.write("io.max", `${deviceNumber("io", device)} ${key}=${rate === "0" ? "max" : rate}`);
      }
    }
  },

  readStats(folder, { blkio: stats }) {
    stats.ioServiceBytesRecursive = [];
    stats.ioServicedRecursive = [];
    for (const line of (folder.tryRead("io.stat") ?? "").split("\n")) {
      const device = /^(\d+):(\d+) /.exec(line);
      if (!device) continue;
      const [major, minor] = [Number(device[1]), Number(device[2])];
      for (const [, key, value] of line.matchAll(/(\w+)=(\d+)/g)) {
        const counter = COUNTERS[key!];
        if (counter) stats[counter[0]]!.push({ major, minor, op: counter[1], value: BigInt(value!) });
      }
    }
    stats.psi = parsePressure(folder.tryRead("io.pressure"));
  },
};

const COUNTERS: Record<string, ["ioServiceBytesRecursive" | "ioServicedRecursive", string]> = {
  rbytes: ["ioServiceBytesRecursive", "Read"],
  wbytes: ["ioServiceBytesRecursive", "Write"],
  dbytes: ["ioServiceBytesRecursive", "Discard"],
  rios: ["ioServicedRecursive", "Read"],
  wios: ["ioServicedRecursive", "Write"],
  dios: ["ioServicedRecursive", "Discard"],
};

/** From 10 to 1000 to 1 to 10000, along a line. */
export function weightOfBlkioWeight(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990);
}
