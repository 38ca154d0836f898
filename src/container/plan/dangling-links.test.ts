import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { mountsPastDanglingLinks, pastDanglingLinks } from "./dangling-links.js";

describe("a mount's target behind symbolic links of the image", () => {
  let root: string;
  const link = (target: string, name: string) => symlinkSync(target, join(root, name));
  before(() => {
    root = mkdtempSync(join(tmpdir(), "ringvisor-links-"));
    for (const folder of ["etc", "run/there"]) mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, "run/there/file"), "");
    link("../run/systemd/resolv.conf", "etc/resolv.conf");
    link("../run/there/file", "etc/file");
    link("/run", "var");
    link("../../../../../missing", "up");
    link("loop", "loop");
    link("etc/resolv.conf", "twice");
  });
  after(() => rmSync(root, { recursive: true }));

  for (const [path, leads] of [
    ["/etc/resolv.conf", "/run/systemd/resolv.conf"],
    ["/var/new/folder", "/run/new/folder"],
    ["/up/a", "/missing/a"],
    ["/twice", "/run/systemd/resolv.conf"],
  ] as const) {
    it(`is where they point: ${path}`, () => assert.equal(pastDanglingLinks(root, path), leads));
  }

  for (const path of ["/etc/file", "/var/there", "/etc/new/folder", "/loop/a", "/etc/file/below", "/"]) {
    it(`stays as it is written where nothing dangles: ${path}`, () =>
      assert.equal(pastDanglingLinks(root, path), path));
  }

  it("changes nothing else in the mounts", () => {
    const mounts = [{ destination: "/etc/resolv.conf", type: "bind", source: "/x" }, { destination: "/proc" }];
    assert.deepEqual(mountsPastDanglingLinks(root, mounts), [
      { destination: "/run/systemd/resolv.conf", type: "bind", source: "/x" },
      { destination: "/proc" },
    ]);
  });
});
