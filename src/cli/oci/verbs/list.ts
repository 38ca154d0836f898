import { ContainerError } from "../../../container/errors.js";
import { describeContainer } from "../../../container/lifecycle/state.js";
import { statusOf } from "../../../container/lifecycle/status.js";
import { describe, expectOperands, parse } from "../arguments.js";
import type { Context, Verb } from "../context.js";

const OPTIONS = {
  format: { kind: "value", short: "f", placeholder: "table|json", help: "how to show them" },
  quiet: { kind: "flag", short: "q", help: "ids alone" },
} as const;

function collect({ store }: Context) {
  return store.list().flatMap((id) => {
    // One that is being made or removed just now has no state to show.
    const record = store.tryLoad(id);
    if (record === null) return [];
    try {
      return [describeContainer(record, store.loadConfig(id), statusOf(store, record))];
    } catch {
      return [];
    }
  });
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(12, ...rows.map((row) => row[column].length + 3)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]))
          .join("")
          .trimEnd()}\n`,
    )
    .join("");
}

export const verb: Verb = {
  usage: `usage: ringvisor oci list [OPTIONS]\n\n${describe(OPTIONS)}`,
  async run(args, context) {
    const { options, operands } = parse(OPTIONS, args);
    expectOperands("list", operands, 0);
    const containers = collect(context);
    const format = options.format ?? "table";
    if (format !== "table" && format !== "json") throw new ContainerError("USAGE", `invalid format option ${format}`);
    if (options.quiet) process.stdout.write(containers.map(({ id }) => `${id}\n`).join(""));
    else if (format === "json") process.stdout.write(`${JSON.stringify(containers)}\n`);
    else {
      const rows = containers.map((one) => [one.id, `${one.pid}`, one.status, one.bundle, one.created, one.owner]);
      process.stdout.write(table([["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"], ...rows]));
    }
    return 0;
  },
};
