// npm run check:layers [-- FOLDER]: holds the layers of FOLDER/src (default: this project's).
//
// Imports are dependency-cruiser's work, by the rules in .dependency-cruiser.cjs. It cannot see globals,
// so what the portable layers use of Node's and the DOM's is found here, by TypeScript's own resolution.
import { existsSync, readdirSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { runTool } from "./lib/project.mjs";

const PORTABLE = ["guest-memory", "vcpu", "accel/translate", "devices", "boot", "machine", "pv", "block", "net"];
const TEST_FILE = /\.test\.ts$|\/testing\//;
/** AssemblyScript: its builtins are not TypeScript's; what it may import is a rule of dependency-cruiser's. */
const CORE = /^src\/accel\/translate\/core\//;
/** Declared with the DOM, but there on every host: standards of the language's wider family. */
const EVERYWHERE = new Set([
  "WebAssembly",
  "TextEncoder",
  "TextDecoder",
  "DecompressionStream",
  "CompressionStream",
  "ReadableStream",
  "WritableStream",
  "TransformStream",
  "AbortController",
  "AbortSignal",
  "Blob",
  "BufferSource",
  "Response",
  "URL",
  "crypto",
  "structuredClone",
  "queueMicrotask",
]);

const root = resolve(process.argv[2] ?? fileURLToPath(new URL("..", import.meta.url)));
const rules = fileURLToPath(new URL("../.dependency-cruiser.cjs", import.meta.url));

/** "file:line: name" for each use of a global that only Node or the DOM declares. */
function findGlobals() {
  const files = PORTABLE.map((layer) => join(root, "src", layer))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { recursive: true }).map((name) => join(folder, name)))
    .filter((file) => file.endsWith(".ts") && !TEST_FILE.test(file) && !CORE.test(relative(root, file)));
  const program = ts.createProgram(files, {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.esnext.disposable.d.ts"],
    types: ["node"],
    // Planted files in a test have no node_modules of their own.
    typeRoots: [fileURLToPath(new URL("../node_modules/@types", import.meta.url))],
    skipLibCheck: true,
    noEmit: true,
  });
  const checker = program.getTypeChecker();
  const isHost = (declaration) => {
    const file = declaration.getSourceFile().fileName;
    return /\/lib\.(dom|webworker)[^/]*\.d\.ts$/.test(file) || file.includes("/@types/node/");
  };
  /** At the top of its file or in a `declare global`: not a member of something. */
  const isGlobal = (declaration) => {
    let node = declaration.parent;
    if (ts.isVariableDeclarationList(node)) node = node.parent.parent;
    return ts.isSourceFile(node) || (ts.isModuleBlock(node) && node.parent.name.text === "global");
  };
  const found = [];
  for (const file of program.getSourceFiles().filter((source) => files.includes(resolve(source.fileName)))) {
    const visit = (node) => {
      if (ts.isIdentifier(node) && !EVERYWHERE.has(node.text)) {
        const declarations = checker.getSymbolAtLocation(node)?.declarations ?? [];
        if (declarations.length > 0 && declarations.every((one) => isHost(one) && isGlobal(one))) {
          const { line } = file.getLineAndCharacterOfPosition(node.getStart());
          found.push(`${relative(root, file.fileName)}:${line + 1}: ${node.text} is a global of Node or the DOM`);
        }
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return found;
}

const cruise = runTool("dependency-cruiser/bin/dependency-cruise.mjs", ["--config", rules, "src"], { cwd: root });
const globals = findGlobals();
for (const line of globals) console.error(`error portable-layers-use-no-host-global: ${line}`);
process.exit(cruise === 0 && globals.length === 0 ? 0 : 1);
