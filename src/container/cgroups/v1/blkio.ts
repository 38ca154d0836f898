/** Documentation/admin-guide/cgroup-v1/blkio-controller.rst. */

import { deviceNumber, hasBlockIo, THROTTLES } from "../block-io.js";
import { type ControlFolder, integer } from "../control-folder.js";
import { type Controller, isGiven } from "../controller.js";
import type { BlkioEntry } from "../stats.js";

const THROTTLE_FILES = {
  rbps: "blkio.throttle.read_bps_device",
  wbps: "blkio.throttle.write_bps_device",
  riops: "blkio.throttle.read_iops_device",
  wiops: "blkio.throttle.write_iops_device",
} as const;

export const blkio: Controller = {
  name: "blkio",

  isAsked: ({ blockIO }) => hasBlockIo(blockIO),

  set(folder, { blockIO: asked }) {
    if (!asked) return;
    const prefix = folder.has("blkio.weight") || !folder.has("blkio.bfq.weight") ? "blkio" : "blkio.bfq";
    if (isGiven(asked.weight)) {
      folder.write(`${prefix}.weight`, integer("blkio", "blockIO.weight", asked.weight, 10, 1000));
    }
    if (isGiven(asked.leafWeight)) {
      folder.write("blkio.leaf_weight", integer("blkio", "blockIO.leafWeight", asked.leafWeight, 10, 1000));
    }
    for (const device of asked.weightDevice ?? []) {
      const number = deviceNumber("blkio", device);
      if (isGiven(device.weight)) {
        const weight = integer("blkio", "blockIO.weightDevice.weight", device.weight, 10, 1000);
        folder.write(`${prefix}.weight_device`, `${number} ${weight}`);
      }
      if (isGiven(device.leafWeight)) {
        const weight = integer("blkio", "blockIO.weightDevice.leafWeight", device.leafWeight, 10, 1000);
        folder.write("blkio.leaf_weight_device", `${number} ${weight}`);
      }
    }
    for (const { field, key } of THROTTLES) {
      for (const device of asked[field] ?? []) {
        const rate = integer("blkio", `blockIO.${field}.rate`, device.rate, 0);
        folder.write(THROTTLE_FILES[key], `${deviceNumber("blkio", device)} ${rate}`);
      }
    }
  },

  readStats(folder, { blkio: stats }) {
    const first = (...names: string[]) =>
      names.map((name) => readEntries(folder, name)).find((list) => list.length > 0);
    stats.ioServiceBytesRecursive = first(
      "blkio.bfq.io_service_bytes_recursive",
      "blkio.io_service_bytes_recursive",
      "blkio.throttle.io_service_bytes_recursive",
    );
    stats.ioServicedRecursive = first(
      "blkio.bfq.io_serviced_recursive",
      "blkio.io_serviced_recursive",
      "blkio.throttle.io_serviced_recursive",
    );
    stats.ioQueueRecursive = first("blkio.bfq.io_queued_recursive", "blkio.io_queued_recursive");
    stats.ioServiceTimeRecursive = first("blkio.bfq.io_service_time_recursive", "blkio.io_service_time_recursive");
    stats.ioWaitTimeRecursive = first("blkio.bfq.io_wait_time_recursive", "blkio.io_wait_time_recursive");
    stats.ioMergedRecursive = first("blkio.bfq.io_merged_recursive", "blkio.io_merged_recursive");
    stats.ioTimeRecursive = first("blkio.bfq.time_recursive", "blkio.time_recursive");
    stats.sectorsRecursive = first("blkio.bfq.sectors_recursive", "blkio.sectors_recursive");
  },
};

/** Lines "8:0 Read 4096" or "8:0 4096"; the sum at the end has no device. */
function readEntries(folder: ControlFolder, name: string): BlkioEntry[] {
  return (folder.tryRead(name) ?? "").split("\n").flatMap((line) => {
    const match = /^(\d+):(\d+) (?:(\S+) )?(\d+)$/.exec(line);
    if (!match) return [];
    return [{ major: Number(match[1]), minor: Number(match[2]), op: match[3] ?? "", value: BigInt(match[4]!) }];
  });
}
