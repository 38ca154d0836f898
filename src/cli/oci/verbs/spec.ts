import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ContainerError } from "../../../container/errors.js";
import { DEFAULT_CONFIG, rootlessConfig } from "../../../container/spec/default.js";
import { describe, expectOperands, parse } from "../arguments.js";
import type { Verb } from "../context.js";

const OPTIONS = {
  bundle: { kind: "value", short: "b", placeholder: "DIR", help: "where to; without it the working folder" },
  rootless: { kind: "flag", help: "for a user without privileges" },
  print: { kind: "flag", help: "to standard output instead of config.json" },
} as const;

export const verb: Verb = {
  usage: `usage: ringvisor oci spec [OPTIONS]\n\n${describe(OPTIONS)}`,
  async run(args) {
    const { options, operands } = parse(OPTIONS, args);
    expectOperands("spec", operands, 0);
    const config = options.rootless
      ? rootlessConfig(process.geteuid?.() ?? 0, process.getegid?.() ?? 0)
      : DEFAULT_CONFIG;
    const text = `${JSON.stringify(config, null, 2)}\n`;
    if (options.print) {
      process.stdout.write(text);
      return 0;
    }
    const file = join(options.bundle ?? process.cwd(), "config.json");
    try {
      writeFileSync(file, text, { flag: "wx" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      throw new ContainerError("FILE", `file ${file} exists. Remove it first`);
    }
    return 0;
  },
};
