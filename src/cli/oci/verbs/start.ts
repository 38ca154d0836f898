import { startContainer } from "../../../container/lifecycle/start.js";
import { expectOperands, parse } from "../arguments.js";
import type { Verb } from "../context.js";

export const verb: Verb = {
  usage: "usage: ringvisor oci start ID",
  async run(args, { store, log }) {
    const { operands } = parse({}, args);
    expectOperands("start", operands, 1);
    await startContainer(store, store.load(operands[0]), (message) => log.write("warning", message));
    return 0;
  },
};
