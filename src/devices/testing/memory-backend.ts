/** A byte stream in memory: the test is the other end. */
import type { CharBackend } from "../device.js";

export class MemoryBackend implements CharBackend {
  /** What the guest wrote. */
  readonly output: number[] = [];
  paused = false;
  private ready = true;
  private data: (bytes: Uint8Array) => void = () => {};
  private drained: () => void = () => {};

  write(bytes: Uint8Array): void {
    this.output.push(...bytes);
  }

  onData(callback: (bytes: Uint8Array) => void): void {
    this.data = callback;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  writable(): boolean {
    return this.ready;
  }

  onWritable(callback: () => void): void {
    this.drained = callback;
  }

  /** Makes the other end slow, or fast again. */
  setWritable(ready: boolean): void {
    this.ready = ready;
    if (ready) this.drained();
  }

  /** Sends text or bytes to the guest. */
  send(data: string | readonly number[]): void {
    this.data(typeof data === "string" ? new TextEncoder().encode(data) : Uint8Array.from(data));
  }

  get text(): string {
    return new TextDecoder().decode(Uint8Array.from(this.output));
  }
}
