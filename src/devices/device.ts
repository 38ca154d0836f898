/**
 * What a device sees of its machine: a bus, an interrupt line, a clock, a backend. Nothing else.
 *
 * A device implements {@link BusDevice} for each of its register windows and {@link Stateful} once.
 */

/** A window of registers, in ports or in memory. Offsets are from the window's first byte. */
export interface BusDevice {
  /** `size` is 1, 2 or 4; the result is unsigned. What nobody answers reads as all ones. */
  read(offset: number, size: number): number;
  write(offset: number, size: number, value: number): void;
}

/** One wire to an interrupt controller. Level: high while asserted. Edge users pulse it. */
export interface InterruptLine {
  set(level: boolean): void;
}

/** A message-signalled interrupt, as PCI's MSI writes it: address 0xfeexxxxx and data. */
export interface MsiSink {
  send(address: number, data: number): void;
}

/** A timer of the machine's clock. One shot: its owner arms it again. */
export interface ClockTimer {
  /** Calls back once the clock reaches `deadline` (nanoseconds). A later `arm` replaces it. */
  arm(deadline: number): void;
  cancel(): void;
}

/** The machine's one clock, in nanoseconds since power-on. It stands still while the machine is paused. */
export interface DeviceClock {
  now(): number;
  timer(callback: () => void): ClockTimer;
  /** Wall-clock time at `now()`, in milliseconds since 1970, for the RTC. */
  wallTime(): number;
}

/**
 * A byte stream to the outside: a terminal, a file, a socket. The optional members are for streams that can be
 * slow: without them the device takes whatever comes and the stream takes whatever the guest writes.
 */
export interface CharBackend {
  /** Bytes from the guest. */
  write(bytes: Uint8Array): void;
  /** Bytes to the guest come by this callback. The device keeps what its FIFO cannot take yet. */
  onData(callback: (bytes: Uint8Array) => void): void;
  /** The device has much waiting: bring no more until `resume`. */
  pause?(): void;
  resume?(): void;
  /** Whether `write` may be called now. While not, the guest's bytes stay in the device, and it sees a busy line. */
  writable?(): boolean;
  /** Calls back whenever `writable` turns true. */
  onWritable?(callback: () => void): void;
}

/** Plain data that survives JSON: numbers, strings, booleans, arrays, objects of these. */
export type PlainData = null | boolean | number | string | readonly PlainData[] | { readonly [key: string]: PlainData };

/** Saving and restoring. A state carries `version`; a version that is not known is refused by StateError. */
export interface Stateful<State> {
  save(): State;
  /** Whether `restore` would take the state; changes nothing. @throws StateError */
  check(state: unknown): void;
  /** @throws StateError, and then nothing has changed */
  restore(state: State): void;
}

/** A saved state that cannot be restored: another version, or values out of range. */
export class StateError extends Error {
  override readonly name = "StateError";
  readonly code = "STATE";
}
