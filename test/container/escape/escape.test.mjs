// Every attack on our own runtime; run.mjs has other runtimes beside it, and the neighbours.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ATTACKS } from "./attacks.mjs";
import { Host, lacking } from "./lib/host.mjs";
import { buildPrograms } from "./lib/programs.mjs";
import { findRuntimes } from "./lib/runtime.mjs";

describe("a container does not get out", { skip: lacking() ?? false }, () => {
  let context;
  before(async () => {
    const host = await new Host().open();
    let folders = 0;
    const newFolder = () => {
      const folder = join(host.folder, `bundle-${++folders}`);
      mkdirSync(folder);
      return folder;
    };
    const { runtimes } = findRuntimes(["ringvisor"], host.folder);
    context = { runtime: runtimes[0], host, programs: buildPrograms(), newFolder, rounds: 4 };
  });
  after(() => context?.host.close());

  for (const { name, run } of ATTACKS) {
    it(name, async () => {
      context.host.renew();
      const { ok, text } = await run(context);
      assert.ok(ok, text);
    });
  }
});
