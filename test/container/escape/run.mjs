// npm run test:escape [-- [--runtimes ringvisor,runc] [--only attacks|neighbours] [WORD...]]
//
// Runs the same attacks in containers of each runtime and prints what came of them, a column a runtime; then what a
// neighbour loses while a container exhausts what it can. Exit code 0 if every attack on the first runtime
// was refused or contained.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ATTACKS } from "./attacks.mjs";
import { EXHAUSTIONS, measure } from "./exhaustion.mjs";
import { Host, lacking } from "./lib/host.mjs";
import { buildPrograms } from "./lib/programs.mjs";
import { findRuntimes } from "./lib/runtime.mjs";

function options(args) {
  const result = { runtimes: ["ringvisor", "runc"], only: undefined, words: [] };
  for (let index = 0; index < args.length; index++) {
    if (args[index] === "--runtimes") result.runtimes = (args[++index] ?? "").split(",");
    else if (args[index] === "--only") result.only = args[++index];
    else if (args[index].startsWith("--")) throw new Error(`unknown option ${args[index]}`);
    else result.words.push(args[index]);
  }
  return result;
}

function print(title, names, rows) {
  console.log(`\n| ${title} | ${names.join(" | ")} |\n| --- |${" --- |".repeat(names.length)}`);
  for (const row of rows) console.log(`| ${row.join(" | ")} |`);
}

const { runtimes: names, only, words } = options(process.argv.slice(2));
const reason = lacking();
if (reason !== undefined) {
  console.log(`the escape suite cannot run here: ${reason}`);
  process.exit(2);
}
const host = await new Host().open();
let failed = 0;
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    host.close();
    process.exit(130);
  });
}
try {
  const programs = buildPrograms();
  const { runtimes, missing } = findRuntimes(names, host.folder);
  for (const line of missing) console.log(line);
  let folders = 0;
  const newFolder = () => {
    const folder = join(host.folder, `bundle-${++folders}`);
    mkdirSync(folder);
    return folder;
  };
  const wanted = ({ name }) => words.length === 0 || words.some((word) => name.includes(word));
  /** A broken runtime must not hide the other's column. */
  const tried = async (body) => {
    host.renew();
    try {
      return await body();
    } catch (error) {
      return { ok: false, text: `BROKEN: ${error.message}` };
    }
  };
  const table = async (title, list, body) => {
    const rows = [];
    for (const one of list.filter(wanted)) {
      const verdicts = [];
      for (const runtime of runtimes)
        verdicts.push(await tried(() => body(one, { runtime, host, programs, newFolder, rounds: 20 })));
      if (verdicts[0]?.ok === false) failed++;
      rows.push([one.name, ...verdicts.map(({ text }) => text)]);
      for (const [index, { ok, text }] of verdicts.entries()) {
        console.error(`${ok ? "ok  " : "FAIL"} ${runtimes[index].name}: ${one.name}: ${text}`);
      }
    }
    if (rows.length > 0)
      print(
        title,
        runtimes.map(({ name }) => name),
        rows,
      );
  };
  if (only !== "neighbours") await table("attack", ATTACKS, (one, context) => one.run(context));
  if (only !== "attacks") await table("exhaustion: what it took; the neighbour's throughput", EXHAUSTIONS, measure);
} finally {
  host.close();
}
process.exit(failed > 0 ? 1 : 0);
