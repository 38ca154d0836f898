import { spawnSync } from "node:child_process";
import { openCgroup } from "../../../container/cgroups/index.js";
import { ContainerError } from "../../../container/errors.js";
import { describe, expectOperands, parse } from "../arguments.js";
import type { Verb } from "../context.js";

const OPTIONS = {
  format: { kind: "value", short: "f", placeholder: "table|json", help: "how to show them" },
} as const;

/** The lines of ps(1) for these processes, with its heading. */
function selectLines(output: string, pids: ReadonlySet<number>): string {
  const [heading, ...lines] = output.trimEnd().split("\n");
  const column = heading.trim().split(/\s+/).indexOf("PID");
  if (column < 0) throw new ContainerError("USAGE", "couldn't find PID field in ps output");
  const selected = lines.filter((line) => pids.has(Number(line.trim().split(/\s+/)[column])));
  return `${[heading, ...selected].join("\n")}\n`;
}

export const verb: Verb = {
  usage: `usage: ringvisor oci ps [OPTIONS] ID [OPTIONS OF ps...]\n\n${describe(OPTIONS)}`,
  async run(args, { store }) {
    const { options, operands } = parse(OPTIONS, args);
    expectOperands("ps", operands, 1, Number.POSITIVE_INFINITY);
    const [id, ...psOptions] = operands;
    const pids = openCgroup(store.load(id).cgroup).processes();
    const format = options.format ?? "table";
    if (format === "json") {
      process.stdout.write(`${JSON.stringify(pids)}\n`);
      return 0;
    }
    if (format !== "table") throw new ContainerError("USAGE", `invalid format option ${format}`);
    const { stdout, error, status, stderr } = spawnSync("ps", psOptions.length > 0 ? psOptions : ["-ef"], {
      encoding: "utf8",
      maxBuffer: 64 << 20,
    });
    if (error || status !== 0) throw new ContainerError("FILE", `ps: ${error?.message ?? stderr.trim()}`);
    process.stdout.write(selectLines(stdout, new Set(pids)));
    return 0;
  },
};
