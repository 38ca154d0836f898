import { describeContainer } from "../../../container/lifecycle/state.js";
import { statusOf } from "../../../container/lifecycle/status.js";
import { expectOperands, parse } from "../arguments.js";
import type { Verb } from "../context.js";

export const verb: Verb = {
  usage: "usage: ringvisor oci state ID",
  async run(args, { store }) {
    const { operands } = parse({}, args);
    expectOperands("state", operands, 1);
    const record = store.load(operands[0]);
    const state = describeContainer(record, store.loadConfig(record.id), statusOf(store, record));
    process.stdout.write(`${JSON.stringify(state, null, 2)}\n`);
    return 0;
  },
};
