import { setTimeout as delay } from "node:timers/promises";
import { openCgroup } from "../../../container/cgroups/index.js";
import { ContainerError } from "../../../container/errors.js";
import { statusOf } from "../../../container/lifecycle/status.js";
import { stringifyExactJson } from "../../../container/spec/exact-json.js";
import { describe, expectOperands, parse } from "../arguments.js";
import type { Verb } from "../context.js";

const OPTIONS = {
  interval: { kind: "value", placeholder: "DURATION", help: "between two statistics, such as 5s or 500ms" },
  stats: { kind: "flag", help: "statistics once, and no more" },
} as const;

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** How often to look whether the container ended or ran out of memory. */
const LOOK_MS = 100;

function parseDuration(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  const milliseconds = Number(number) * (UNITS[unit] ?? Number.NaN);
  if (!(milliseconds > 0)) throw new ContainerError("USAGE", "duration interval must be greater than 0");
  return milliseconds;
}

export const verb: Verb = {
  usage: `usage: ringvisor oci events [OPTIONS] ID\n\n${describe(OPTIONS)}`,
  async run(args, { store }) {
    const { options, operands } = parse(OPTIONS, args);
    expectOperands("events", operands, 1);
    const interval = parseDuration(options.interval ?? "5s");
    const record = store.load(operands[0]);
    if (statusOf(store, record) === "stopped") {
      throw new ContainerError("WRONG_STATE", `container with id ${record.id} is not running`);
    }
    const cgroup = openCgroup(record.cgroup);
    const show = () => {
      const data = stringifyExactJson(cgroup.statistics());
      process.stdout.write(`{"type":"stats","id":${JSON.stringify(record.id)},"data":${data}}\n`);
    };
    show();
    if (options.stats) return 0;
    let outOfMemory = cgroup.outOfMemoryCount();
    let next = Date.now() + interval;
    while (statusOf(store, record) !== "stopped") {
      await delay(Math.min(LOOK_MS, interval));
      const count = cgroup.outOfMemoryCount();
      for (; outOfMemory < count; outOfMemory++) {
        process.stdout.write(`${JSON.stringify({ type: "oom", id: record.id })}\n`);
      }
      if (Date.now() >= next) {
        next += interval;
        show();
      }
    }
    return 0;
  },
};
