/**
 * Machine code out of assembly text, for tests: GNU as and ld (Debian package `binutils`), Intel syntax.
 * Results are kept in the temporary directory by the digest of what they were made from.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class AssembleError extends Error {
  override readonly name = "AssembleError";
  constructor(
    readonly code: "BINUTILS_MISSING" | "ASSEMBLY_SYNTAX",
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const CACHE = join(tmpdir(), "ringvisor-assembled");

/**
 * Assembles `source` for the mode of `bits`, to run at linear address `origin`.
 * @throws AssembleError
 */
export function assemble(source: string, bits: 16 | 32 | 64, origin = 0): Uint8Array {
  const text = `.intel_syntax noprefix\n.code${bits}\n.text\n${source}\n`;
  const key = createHash("sha256").update(`${bits} ${origin}\n${text}`).digest("hex");
  const cached = join(CACHE, key);
  if (existsSync(cached)) return new Uint8Array(readFileSync(cached));
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, "build-"));
  try {
    const at = (name: string) => join(folder, name);
    writeFileSync(at("code.s"), text);
    const wide = bits === 64;
    tool("as", [wide ? "--64" : "--32", "-mx86-used-note=no", "-o", at("code.o"), at("code.s")], text);
    const link = ["-m", wide ? "elf_x86_64" : "elf_i386", "--oformat", "binary", "-N", "-e", "0"];
    tool("ld", [...link, `-Ttext=0x${origin.toString(16)}`, "-o", at("code.bin"), at("code.o")], text);
    const bytes = existsSync(at("code.bin")) ? readFileSync(at("code.bin")) : Buffer.alloc(0);
    // Renaming is atomic: another test process may assemble the same text now.
    renameSync(at("code.bin"), cached);
    return new Uint8Array(bytes);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function tool(name: string, args: string[], source: string): void {
  try {
    execFileSync(name, args, { stdio: ["ignore", "ignore", "pipe"] });
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: Buffer };
    if (code === "ENOENT") {
      throw new AssembleError("BINUTILS_MISSING", `these tests need ${name}: apt-get install binutils`, {
        cause: error,
      });
    }
    throw new AssembleError("ASSEMBLY_SYNTAX", `${name} refused\n${source}\n${stderr ?? ""}`, { cause: error });
  }
}
