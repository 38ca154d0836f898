import { deleteContainer } from "../../../container/lifecycle/delete.js";
import { describe, expectOperands, parse } from "../arguments.js";
import type { Verb } from "../context.js";

const OPTIONS = {
  force: { kind: "flag", short: "f", help: "kill it if it runs; no error if it is not there" },
} as const;

export const verb: Verb = {
  usage: `usage: ringvisor oci delete [OPTIONS] ID\n\n${describe(OPTIONS)}`,
  async run(args, { store, log }) {
    const { options, operands } = parse(OPTIONS, args);
    expectOperands("delete", operands, 1);
    await deleteContainer(store, operands[0], options.force, (message) => log.write("warning", message));
    return 0;
  },
};
