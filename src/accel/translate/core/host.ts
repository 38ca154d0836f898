// What the core asks of its host. The host's side is ../core-module.ts.

/** Unwinds to the host's run loop. State is all in memory: an exception or an exit reason is set before. */
// @ts-ignore: decorator
@external("host", "unwind")
declare function hostUnwind(): void;

// @ts-ignore: decorator
@external("host", "portRead")
export declare function hostPortRead(cpu: usize, port: u32, size: u32): u32;
// @ts-ignore: decorator
@external("host", "portWrite")
export declare function hostPortWrite(cpu: usize, port: u32, size: u32, value: u32): void;
/** Guest-physical addresses cross as f64: they are below 2^52. Sizes 1, 2, 4. */
// @ts-ignore: decorator
@external("host", "mmioRead")
export declare function hostMmioRead(cpu: usize, gpa: f64, size: u32): u32;
// @ts-ignore: decorator
@external("host", "mmioWrite")
export declare function hostMmioWrite(cpu: usize, gpa: f64, size: u32, value: u32): void;
/** The PIC's acknowledge cycle: the vector. */
// @ts-ignore: decorator
@external("host", "acknowledgePic")
export declare function hostAcknowledgePic(cpu: usize): u32;
/** A level-triggered interrupt was ended in the local APIC. */
// @ts-ignore: decorator
@external("host", "endOfInterrupt")
export declare function hostEndOfInterrupt(cpu: usize, vector: u32): void;
/** FERR#: an x87 error waits, and CR0.NE is clear. */
// @ts-ignore: decorator
@external("host", "floatError")
export declare function hostFloatError(cpu: usize): void;
/** The ICR was written: the host routes it. */
// @ts-ignore: decorator
@external("host", "sendIpi")
export declare function hostSendIpi(cpu: usize, icrLow: u32, destination: u32): void;
/** The machine's clock in nanoseconds. */
// @ts-ignore: decorator
@external("host", "now")
export declare function hostNow(cpu: usize): f64;
/** 32 random bits, for RDRAND and RDSEED. */
// @ts-ignore: decorator
@external("host", "random")
export declare function hostRandom(cpu: usize): u32;
/** A block has been entered often. Nothing runs in a region meanwhile, so that the host may translate at once. */
// @ts-ignore: decorator
@external("host", "hot")
export declare function hostHot(cpu: usize, block: usize): void;
/** Blocks with BLOCK_TRANSLATED of the code page at this wasm offset were retired; perhaps under a running region. */
// @ts-ignore: decorator
@external("host", "codeRetired")
export declare function hostCodeRetired(page: u32): void;
/** The arena was given back: there are no blocks any more. No region is running. */
// @ts-ignore: decorator
@external("host", "codeCacheEmptied")
export declare function hostCodeCacheEmptied(): void;

/** Leaves the wasm stack. Never returns. */
export function unwind(): void {
  hostUnwind();
  unreachable();
}
