import { createContainer } from "../../../container/lifecycle/create.js";
import { deleteContainer } from "../../../container/lifecycle/delete.js";
import { followContainer } from "../../../container/lifecycle/follow.js";
import { startContainer } from "../../../container/lifecycle/start.js";
import { describe, expectOperands, parse } from "../arguments.js";
import type { Verb } from "../context.js";
import { CREATE_OPTIONS, createOptions } from "./create-options.js";

const OPTIONS = {
  ...CREATE_OPTIONS,
  detach: { kind: "flag", short: "d", help: "come back once the program runs" },
  keep: { kind: "flag", help: "keep the container when its program has ended" },
  "no-subreaper": { kind: "flag", help: "accepted: orphans are never adopted" },
} as const;

export const verb: Verb = {
  usage: `usage: ringvisor oci run [OPTIONS] ID\n\n${describe(OPTIONS)}`,
  async run(args, { store, log }) {
    const warn = (message: string) => log.write("warning", message);
    const { options, operands } = parse(OPTIONS, args);
    expectOperands("run", operands, 1);
    const [id] = operands;
    const { stage, record } = await createContainer(store, { ...createOptions(id, options, !options.detach), warn });
    try {
      await startContainer(store, record, warn);
      if (options.detach) return 0;
      return await followContainer(stage, record.process!.pid);
    } catch (error) {
      if (options.detach) await deleteContainer(store, id, true, warn);
      throw error;
    } finally {
      stage.close();
      if (!options.detach && !options.keep) await deleteContainer(store, id, true, warn);
    }
  },
};
