"use strict";
// Loads the runtime from one file, with the compiler's results of an earlier run beside it: most of a short command's
// time would go to reading and compiling modules. Where there is nothing to be had from before, it is made.
const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const FOLDER = path.join(__dirname, "../dist/cli");
const BUNDLE = path.join(FOLDER, "oci-bundle.cjs");
/** Each has results of its own: only the functions that it uses. */
const VERBS = new Set(
  "create delete events exec features kill list pause ps resume run spec start state update".split(" "),
);

const { size, mtimeMs } = fs.statSync(BUNDLE);
const verb = process.argv.slice(2).find((word) => VERBS.has(word)) ?? "none";
// V8 refuses what another version made; what it does not see is another content of the same length.
const cache = path.join(FOLDER, `oci-bundle.${verb}.${process.version}.${size}.${Math.floor(mtimeMs)}.cache`);

function readCache() {
  try {
    // It is code: only what we or root wrote is taken.
    const { uid, mode } = fs.statSync(cache);
    return (uid === 0 || uid === process.getuid()) && (mode & 0o022) === 0 ? fs.readFileSync(cache) : undefined;
  } catch {
    return undefined;
  }
}

function writeCache() {
  try {
    const file = `${cache}.${process.pid}`;
    fs.writeFileSync(file, script.createCachedData(), { mode: 0o644 });
    fs.renameSync(file, cache);
  } catch {
    // A package folder that we may not write to: it goes without.
  }
}

const cachedData = readCache();
const source = `(function (require, __dirname, exports) {${fs.readFileSync(BUNDLE, "latin1")}\n})`;
const script = new vm.Script(source, { filename: BUNDLE, cachedData });
const bundle = {};
script.runInThisContext()(require, FOLDER, bundle);
bundle.main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
  if ((cachedData === undefined || script.cachedDataRejected) && code === 0) writeCache();
});
