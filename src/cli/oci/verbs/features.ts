import { features } from "../../../container/features.js";
import { expectOperands, parse } from "../arguments.js";
import type { Verb } from "../context.js";

export const verb: Verb = {
  usage: "usage: ringvisor oci features",
  async run(args) {
    const { operands } = parse({}, args);
    expectOperands("features", operands, 0);
    process.stdout.write(`${JSON.stringify(features(), null, 2)}\n`);
    return 0;
  },
};
