// Builds the validation suite of opencontainers/runtime-tools in its own checkout, outside this repository.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../../../scripts/lib/project.mjs";

export const REPOSITORY = "https://github.com/opencontainers/runtime-tools";

/** What the suite takes from newer Go libraries than Debian 12 has. */
const SLICES = `package slices

func Contains[T comparable](s []T, v T) bool {
	for _, x := range s {
		if x == v {
			return true
		}
	}
	return false
}

func DeleteFunc[T any](s []T, del func(T) bool) []T {
	kept := s[:0]
	for _, x := range s {
		if !del(x) {
			kept = append(kept, x)
		}
	}
	return kept
}
`;
const NEWER = (name) => `package ${name}

import "sync"

func onceValue[T any](f func() T) func() T {
	var once sync.Once
	var v T
	return func() T { once.Do(func() { v = f() }); return v }
}

func onceValues[A, B any](f func() (A, B)) func() (A, B) {
	var once sync.Once
	var a A
	var b B
	return func() (A, B) { once.Do(func() { a, b = f() }); return a, b }
}

func cutPrefix(s, prefix string) (string, bool) {
	if len(s) >= len(prefix) && s[:len(prefix)] == prefix {
		return s[len(prefix):], true
	}
	return s, false
}
`;

function go(checkout, args) {
  const env = { ...process.env, GOFLAGS: "-mod=vendor", GOTOOLCHAIN: "local", GOWORK: "off", CGO_ENABLED: "0" };
  const { status, stdout, stderr, error } = spawnSync("go", args, { cwd: checkout, env, encoding: "utf8" });
  if (error) fail(`cannot run go: ${error.message} (Debian: golang-go)`);
  if (status !== 0) fail(`go ${args.join(" ")} failed in ${checkout}:\n${stderr}`);
  return stdout;
}

/** Lets Go 1.19 compile a checkout that asks for 1.21: it lacks three small functions and one package. */
function adaptToOldGo(checkout) {
  const [, minor] = /go1\.(\d+)/.exec(go(checkout, ["env", "GOVERSION"])) ?? [];
  if (Number(minor) >= 21) return;
  mkdirSync(join(checkout, "vendor/slices"), { recursive: true });
  writeFileSync(join(checkout, "vendor/slices/slices.go"), SLICES);
  for (const folder of ["validate/capabilities", "vendor/github.com/moby/sys/capability"]) {
    for (const name of readdirSync(join(checkout, folder)).filter((file) => file.endsWith(".go"))) {
      const path = join(checkout, folder, name);
      const before = readFileSync(path, "utf8");
      let text = before.replace(/sync\.OnceValue/g, "onceValue").replace(/strings\.CutPrefix/g, "cutPrefix");
      if (text !== before && !/sync\.[A-Z]/.test(text)) text = text.replace(/^\t"sync"\n/m, "");
      if (text !== before && !/strings\.[A-Z]/.test(text)) text = text.replace(/^\t"strings"\n/m, "");
      if (text !== before) writeFileSync(path, text);
    }
    writeFileSync(join(checkout, folder, "newer.go"), NEWER(folder.split("/").at(-1)));
  }
}

/** The names of the suite's programs, sorted: the folders of validation/. */
export function programs(checkout) {
  return readdirSync(join(checkout, "validation"))
    .filter((name) => existsSync(join(checkout, "validation", name, `${name}.go`)))
    .sort();
}

/** The path of a built program. */
export const programPath = (checkout, name) => join(checkout, "validation", name, `${name}.t`);

/** Clones what is not there and builds what is not built. */
export function prepareCheckout(checkout) {
  if (!existsSync(join(checkout, "validation"))) {
    console.log(`cloning ${REPOSITORY} into ${checkout}`);
    const { status } = spawnSync("git", ["clone", "--quiet", "--depth=1", REPOSITORY, checkout], { stdio: "inherit" });
    if (status !== 0) fail(`cannot clone it: give the path of a checkout with --checkout`);
  }
  const wanted = programs(checkout).filter((name) => !existsSync(programPath(checkout, name)));
  if (wanted.length === 0 && existsSync(join(checkout, "runtimetest"))) return;
  console.log(`building ${wanted.length} programs of runtime-tools`);
  adaptToOldGo(checkout);
  go(checkout, ["build", "-o", "runtimetest", "./cmd/runtimetest"]);
  for (const name of wanted)
    go(checkout, ["build", "-o", programPath(checkout, name), `./validation/${name}/${name}.go`]);
}
