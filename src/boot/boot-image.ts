import type { GuestMemory } from "../guest-memory/guest-memory.js";
import type { VcpuState } from "../vcpu/state.js";
import type { E820Entry } from "./e820.js";
import type { BootFile } from "./file-reader.js";

/** What the user wants to boot. */
export interface BootOptions {
  /** bzImage, ELF with a PVH note, or multiboot kernel: told apart by their contents. */
  kernel?: BootFile;
  /** The initial RAM disk of a Linux kernel, or the first module of a PVH kernel. */
  initrd?: BootFile;
  /** Multiboot modules with their command lines. */
  modules?: readonly { file: BootFile; commandLine: string }[];
  /** A flat ROM, entered at the reset vector. Instead of a kernel. */
  bios?: BootFile;
  /** The kernel's command line. */
  commandLine?: string;
  /** Decompress a bzImage's payload on the host (the default) or leave it to the guest's own code. */
  hostDecompress?: boolean;
  payloadCache?: PayloadCache;
}

/** Keeps unpacked payloads between runs: asked before a payload is unpacked, told after. */
export interface PayloadCache {
  /** @param packed the payload as the kernel's file has it */
  load(packed: Uint8Array): Promise<Uint8Array | null>;
  store(packed: Uint8Array, unpacked: Uint8Array): Promise<void>;
}

/** The machine as a loader needs to see it. */
export interface BootTarget {
  readonly memory: GuestMemory;
  /** Sorted by base. */
  readonly e820: readonly E820Entry[];
  /** Guest-physical address of the ACPI RSDP. */
  readonly rsdp: number;
  /** A VGA is there and shows its text mode 3: 80 columns, 25 rows. */
  readonly textMode?: boolean;
}

/** Puts the bootstrap processor, fresh from reset, into the state that the image's boot protocol asks for. */
export type EntryState = (reset: VcpuState) => VcpuState;

/** A checked boot image, held on the host. It can be loaded any number of times: at power-on and at each reset. */
export interface BootImage {
  readonly kind: "bzimage" | "pvh" | "multiboot" | "bios";
  /** For people: the kernel's version, the ROM's size. */
  readonly description: string;
  /** Contents of the ROM below 4 GiB, or null. */
  readonly rom: Uint8Array | null;
  /**
   * Writes the image and what its boot protocol needs into guest memory.
   *
   * @returns the entry state, or null to start at the reset vector
   * @throws BootFileError where the machine's memory cannot hold it
   */
  load(target: BootTarget): EntryState | null;
}
