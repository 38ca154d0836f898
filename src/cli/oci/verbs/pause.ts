import { pauseContainer } from "../../../container/lifecycle/pause.js";
import { expectOperands, parse } from "../arguments.js";
import type { Verb } from "../context.js";

export const verb: Verb = {
  usage: "usage: ringvisor oci pause ID",
  async run(args, { store }) {
    const { operands } = parse({}, args);
    expectOperands("pause", operands, 1);
    await pauseContainer(store, store.load(operands[0]));
    return 0;
  },
};
