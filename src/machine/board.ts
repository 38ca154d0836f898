import type { CharBackend, MsiSink, PlainData, Stateful } from "../devices/device.js";
import type { ShadowSegment } from "../devices/pci/host-bridge.js";
import type { ScreenImage } from "../devices/vga/screen-image.js";
import type { GuestMemory } from "../guest-memory/guest-memory.js";
import type { InterruptMessage } from "../vcpu/accelerator.js";
import type { Bus } from "./bus.js";
import type { MachineClock } from "./clock.js";
import type { InterruptRouter } from "./interrupts.js";
import type { MemoryMap } from "./memory-map.js";

/** What the guest can do to the machine as a whole. Safe to call from inside a bus access. */
export interface PowerControl {
  powerOff(): void;
  reset(): void;
  /** Sleep state S3: RAM is kept, and of the board what {@link Board.keptInSleep} names. */
  suspend(): void;
  /** Ends S3. */
  wake(): void;
  /** The debug-exit port was written. */
  debugExit(value: number): void;
  /** An edge on the NMI wire. */
  nmi(): void;
}

/** What a board is built from. */
export interface BoardContext {
  readonly ports: Bus;
  readonly mmio: Bus;
  readonly clock: MachineClock;
  readonly router: InterruptRouter;
  readonly memory: GuestMemory;
  readonly map: MemoryMap;
  readonly cpus: number;
  readonly power: PowerControl;
  /** The first serial port's other end; null for none. */
  readonly console: CharBackend | null;
  readonly msi: MsiSink;
  /** Hands a message to the local APICs. False where none took it. */
  deliver(message: InterruptMessage): boolean;
  /** What an IOAPIC's pin sends has changed; null: nothing. */
  routeIoapicPin(pin: number, message: InterruptMessage | null): void;
  /** IGNNE# of the bootstrap processor. */
  ignoreFloatErrors(): void;
  /** Nobody waits for the effect of writes here: the accelerator may collect them. */
  coalesce(space: "ports" | "memory", address: number, size: number): void;
  /** The chipset decides anew what lies between 768 KiB and 1 MiB. Safe to call from inside a bus access. */
  remapShadow(segments: readonly ShadowSegment[]): void;
  /** Address line 20 is let through, or held low. Safe to call from inside a bus access. */
  gateA20(open: boolean): void;
  /** Shows `memory.video` at a guest-physical address, or nowhere. Safe to call from inside a bus access. */
  placeVideoMemory(gpa: number | null): void;
}

/** The chips of a machine, fresh from power-on. A reset builds a new one. */
export interface Board {
  /** Name, version and options, as far as the guest can tell: boards that say the same take each other's states. */
  readonly description: PlainData;
  /** The PIC's interrupt acknowledge cycle: the vector. */
  acknowledgePic(): number;
  /** FERR# of a processor. */
  floatError(): void;
  /** A local APIC ended a level-triggered interrupt. */
  endOfInterrupt(vector: number): void;
  /** Where the RSDP is that a kernel booted without firmware finds; the tables are written by this call. */
  writeAcpiTables(): number;
  /** The video adapter has been set to a text mode for a kernel that is booted without firmware. */
  readonly textMode?: boolean;
  /** What the video adapter shows. */
  screen?(): ScreenImage | null;
  /** Scan codes of set 2 from the PS/2 keyboard. */
  typeScanCodes?(codes: readonly number[]): void;
  /** Presses or releases a key of the PS/2 keyboard by its make code of set 2. */
  key?(make: readonly number[], pressed: boolean): void;
  /** Nothing waits in the PS/2 keyboard. */
  readonly keyboardIdle?: boolean;
  /** Names of the states that S3 keeps: chips with a supply of their own. */
  readonly keptInSleep?: readonly string[];
  /** Before firmware is entered after S3: leaves it the sign that this is no cold start. */
  markResume?(): void;
  /** The FACS that `writeAcpiTables` wrote, where there is no firmware: guest-physical address. */
  readonly facs?: number;
  /** Presses the power button; the guest's ACPI driver hears of it. */
  powerButton(): void;
  /**
   * Everything with a state, in the order in which it is restored: interrupt controllers last, so that
   * lines that devices set while they are restored leave no trace.
   */
  readonly states: ReadonlyMap<string, Stateful<PlainData>>;
}

export type BoardBuilder = (context: BoardContext) => Board;
