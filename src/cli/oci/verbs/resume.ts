import { resumeContainer } from "../../../container/lifecycle/pause.js";
import { expectOperands, parse } from "../arguments.js";
import type { Verb } from "../context.js";

export const verb: Verb = {
  usage: "usage: ringvisor oci resume ID",
  async run(args, { store }) {
    const { operands } = parse({}, args);
    expectOperands("resume", operands, 1);
    await resumeContainer(store, store.load(operands[0]));
    return 0;
  },
};
