// The attacks' programs: C, static, compiled once and kept in the temporary folder by the digest of their source.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const SOURCES = fileURLToPath(new URL("../programs", import.meta.url));

/** The folder with one program a source. */
export function buildPrograms() {
  const files = readdirSync(SOURCES).sort();
  const digest = createHash("sha256");
  for (const file of files) digest.update(`${file}\n`).update(readFileSync(join(SOURCES, file)));
  const folder = join(tmpdir(), `ringvisor-escape-${digest.digest("hex").slice(0, 16)}`);
  if (existsSync(folder)) return folder;
  mkdirSync(tmpdir(), { recursive: true });
  const building = mkdtempSync(`${folder}-`);
  for (const file of files.filter((name) => name.endsWith(".c"))) {
    const output = join(building, basename(file, ".c"));
    const flags = ["-D_GNU_SOURCE", "-static", "-O1", "-pthread", "-Wall", "-Wno-unused-result"];
    execFileSync("gcc", [...flags, "-o", output, join(SOURCES, file)], { stdio: ["ignore", "ignore", "inherit"] });
  }
  try {
    renameSync(building, folder);
  } catch {
    // Another run was quicker.
    rmSync(building, { recursive: true });
  }
  return folder;
}
