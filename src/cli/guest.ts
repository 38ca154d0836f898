/** `ringvisor guest`: makes or shows the default guest. */
import { describeDefaultGuest, getDefaultGuest } from "../node/default-guest.js";
import { createProgress } from "../node/progress.js";
import { UsageError } from "./errors.js";
import { describeOptions, type OptionTable, parseArguments } from "./options.js";

const OPTIONS = {
  json: { kind: "flag", help: "print one JSON object" },
} as const satisfies OptionTable;

const HELP = `usage: ringvisor guest build|info [OPTIONS]

The default guest: Debian's kernel for virtual machines and an initramfs of busybox, made from
packages that apt fetches and checks, kept in the cache folder.

  build   make it anew
  info    show what is in the cache

${describeOptions(OPTIONS)}
`;

/** Runs the command; its exit code. @throws what main.ts turns into a line */
export async function run(args: string[]): Promise<number> {
  const { options, operands, help } = parseArguments(OPTIONS, args);
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [verb, ...rest] = operands;
  if (verb === undefined) throw new UsageError("guest needs build or info");
  if (rest.length > 0) throw new UsageError(`guest ${verb} takes no "${rest[0]}"`);
  if (verb !== "build" && verb !== "info") throw new UsageError(`guest has build and info, not "${verb}"`);
  if (verb === "build") await getDefaultGuest(createProgress(), { rebuild: true });
  const guest = await describeDefaultGuest();
  if (options.json) {
    process.stdout.write(`${JSON.stringify(guest)}\n`);
  } else if (guest === null) {
    process.stdout.write("there is no default guest in the cache; `ringvisor guest build` makes one\n");
  } else {
    process.stdout.write(`folder   ${guest.folder}\n`);
    for (const { name, version } of guest.packages) process.stdout.write(`package  ${name} ${version}\n`);
    for (const part of [guest.kernel, guest.initrd]) {
      process.stdout.write(`file     ${part.file}, ${part.size} bytes, sha256 ${part.sha256}\n`);
    }
  }
  return 0;
}
