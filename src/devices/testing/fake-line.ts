/** An interrupt line that remembers what happened on it. */
import type { InterruptLine } from "../device.js";

export class FakeLine implements InterruptLine {
  level = false;
  /** Rising edges so far. */
  edges = 0;

  set(level: boolean): void {
    if (level && !this.level) this.edges++;
    this.level = level;
  }
}
