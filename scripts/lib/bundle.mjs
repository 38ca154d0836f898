// dist/cli/oci-bundle.cjs: the OCI runtime's modules as one script, for a quick start (bin/load-oci.cjs).
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, posix } from "node:path";
import { ROOT } from "./project.mjs";

const DIST = join(ROOT, "dist");
const ENTRY = "cli/oci/main.js";
const OUTPUT = join(DIST, "cli/oci-bundle.cjs");

/** A module and what it imports, as CommonJS by TypeScript, into `modules`. */
function collect(name, modules, ts) {
  if (modules.has(name)) return;
  const source = readFileSync(join(DIST, name), "utf8").replace(/^\/\/# sourceMappingURL=.*$/m, "");
  const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, removeComments: true };
  const { outputText } = ts.transpileModule(source, { compilerOptions });
  const code = outputText.replaceAll("import.meta.url", `urlOf(${JSON.stringify(name)})`);
  modules.set(name, code);
  for (const [, target] of code.matchAll(/\brequire\("(\.[^"]+)"\)/g))
    collect(posix.join(dirname(name), target), modules, ts);
}

/** Modules run when they are first required, as Node has it. */
const RUNTIME = `
const loaded = {};
const urlOf = (name) => require("node:url").pathToFileURL(__dirname + "/../" + name);
const load = (name) => {
  if (loaded[name] === undefined) {
    loaded[name] = {};
    const folder = name.slice(0, name.lastIndexOf("/"));
    modules[name](loaded[name], (target) => (target[0] === "." ? load(join(folder, target)) : require(target)));
  }
  return loaded[name];
};
const join = (folder, target) => {
  const parts = folder.split("/");
  for (const part of target.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
};
exports.main = load(${JSON.stringify(ENTRY)}).main;
`;

export function bundle() {
  // Not imported above: npm start and npm test load this module before they install TypeScript.
  const ts = createRequire(import.meta.url)("typescript");
  const modules = new Map();
  collect(ENTRY, modules, ts);
  const entries = [...modules].map(([name, code]) => `${JSON.stringify(name)}: (exports, require) => {\n${code}},\n`);
  const text = `"use strict";\nconst modules = {\n${entries.join("")}};\n${RUNTIME}`;
  // It is read as Latin-1, the quickest way.
  writeFileSync(
    OUTPUT,
    text.replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`),
  );
  for (const name of readdirSync(dirname(OUTPUT))) {
    if (/^oci-bundle\..*\.cache/.test(name)) rmSync(join(dirname(OUTPUT), name));
  }
}
