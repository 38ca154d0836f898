import { killContainer, parseSignal } from "../../../container/lifecycle/kill.js";
import { describe, expectOperands, parse } from "../arguments.js";
import type { Verb } from "../context.js";

const OPTIONS = {
  all: { kind: "flag", short: "a", help: "every process of the container" },
} as const;

export const verb: Verb = {
  usage: `usage: ringvisor oci kill [OPTIONS] ID [SIGNAL]\n\n${describe(OPTIONS)}`,
  async run(args, { store }) {
    const { options, operands } = parse(OPTIONS, args);
    expectOperands("kill", operands, 1, 2);
    const [id, signal = "SIGTERM"] = operands;
    await killContainer(store, store.load(id), parseSignal(signal), options.all);
    return 0;
  },
};
