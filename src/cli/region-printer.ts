/** `--print-regions`: writes what the translator makes, as it makes it. */
import { closeSync, openSync, writeSync } from "node:fs";
import { REGION_NAMES } from "../accel/translate/translator/region-names.js";
import type { RegionReport } from "../accel/translate/translator/region-report.js";
import { listRegion } from "../inspect/region-listing.js";
import type { SymbolTable } from "../inspect/symbols.js";
import { fileError } from "../node/files.js";

export class RegionPrinter {
  private readonly name: string;
  private descriptor: number | null;
  /** Disassembling is asynchronous: one region after the other. */
  private last: Promise<void> = Promise.resolve();
  private failure: Error | null = null;

  /** @param target a file's path, or true for standard error. @throws FileError */
  constructor(
    private readonly target: string | true,
    private readonly symbols: SymbolTable | null,
  ) {
    this.name = target === true ? "standard error" : target;
    try {
      this.descriptor = target === true ? process.stderr.fd : openSync(target, "w");
    } catch (error) {
      throw fileError(this.name, error);
    }
  }

  print(region: RegionReport): void {
    this.last = this.last
      .then(() => this.write(region))
      .catch((error) => {
        this.failure ??= fileError(this.name, error);
      });
  }

  /** Waits until all is written. @throws FileError for what went wrong on the way */
  async finish(): Promise<void> {
    await this.last;
    if (this.failure !== null) throw this.failure;
  }

  /** What is not written yet is not written any more. */
  close(): void {
    if (this.descriptor !== null && this.target !== true) closeSync(this.descriptor);
    this.descriptor = null;
  }

  private async write(region: RegionReport): Promise<void> {
    const lines = await listRegion(region, { symbols: this.symbols, names: REGION_NAMES });
    if (this.descriptor === null || this.failure !== null) return;
    const bytes = new TextEncoder().encode(`${lines.join("\n")}\n\n`);
    for (let at = 0; at < bytes.length; ) at += writeSync(this.descriptor, bytes, at);
  }
}
