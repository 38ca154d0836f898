import { createContainer } from "../../../container/lifecycle/create.js";
import { describe, expectOperands, parse } from "../arguments.js";
import type { Verb } from "../context.js";
import { CREATE_OPTIONS, createOptions } from "./create-options.js";

export const verb: Verb = {
  usage: `usage: ringvisor oci create [OPTIONS] ID\n\n${describe(CREATE_OPTIONS)}`,
  async run(args, { store, log }) {
    const { options, operands } = parse(CREATE_OPTIONS, args);
    expectOperands("create", operands, 1);
    const { stage } = await createContainer(store, {
      ...createOptions(operands[0], options, false),
      warn: (message) => log.write("warning", message),
    });
    stage.close();
    return 0;
  },
};
