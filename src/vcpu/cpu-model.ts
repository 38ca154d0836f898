/** A CPU model: data. See the helper functions below for making one from a command-line name. */
export interface CpuModel {
  readonly name: string;
  readonly vendor: "amd" | "intel";
  /** Feature words, as `features.ts` numbers them. */
  readonly features: Uint32Array;
  readonly family: number;
  readonly modelNumber: number;
  readonly stepping: number;
  /** CPUID's brand string. */
  readonly brand: string;
  readonly physicalBits: number;
  readonly linearBits: number;
}
