/**
 * Where a machine's screen is shown. On a terminal it is drawn live, what differs at a time. Elsewhere the text of the
 * whole screen is printed when it has changed and then rested a moment, at most every two seconds, and at the end.
 */
import type { ScreenImage } from "../../devices/vga/screen-image.js";
import { screenText } from "../../devices/vga/screen-image.js";
import { AnsiScreen, ENTER_SCREEN, LEAVE_SCREEN } from "./ansi.js";

const FRAME_MS = 40;
const LOOK_MS = 200;
const PRINT_MS = 2000;

/** Whose screen it is. */
export interface ScreenSource {
  screen(): ScreenImage | null;
}

export interface HostScreen {
  /** Begins to show. */
  start(source: ScreenSource): void;
  /** Somebody else has the terminal until `resume`. */
  suspend(): void;
  resume(): void;
  /** Shows what is there at the end. May be called twice. */
  close(): void;
}

export function createScreen(output: NodeJS.WriteStream): HostScreen {
  return output.isTTY ? new TerminalScreen(output) : new PrintedScreen(output);
}

class TerminalScreen implements HostScreen {
  private readonly ansi = new AnsiScreen();
  private source: ScreenSource | null = null;
  private timer: NodeJS.Timeout | null = null;
  private active = false;
  private readonly onResize = () => this.redraw();
  private readonly atExit = () => this.suspend();

  constructor(private readonly output: NodeJS.WriteStream) {}

  start(source: ScreenSource): void {
    this.source = source;
    this.output.on("resize", this.onResize);
    process.once("exit", this.atExit);
    this.timer = setInterval(() => this.draw(), FRAME_MS);
    this.resume();
  }

  suspend(): void {
    if (!this.active) return;
    this.active = false;
    this.output.write(LEAVE_SCREEN);
  }

  resume(): void {
    if (this.active || this.source === null) return;
    this.active = true;
    this.output.write(ENTER_SCREEN);
    this.redraw();
  }

  /** The last picture stays among what the terminal has shown. */
  close(): void {
    if (this.timer === null) return;
    clearInterval(this.timer);
    this.timer = null;
    this.output.removeListener("resize", this.onResize);
    process.removeListener("exit", this.atExit);
    const image = this.source?.screen() ?? null;
    this.suspend();
    if (image !== null) this.output.write(`${screenText(image).trimEnd()}\n`);
  }

  private redraw(): void {
    this.ansi.forget();
    this.draw();
  }

  private draw(): void {
    const image = this.source?.screen() ?? null;
    // A terminal that is slower than the guest gets the newest picture later.
    if (image === null || !this.active || this.output.writableNeedDrain) return;
    // A terminal that does not know its size tells 0.
    const text = this.ansi.draw(image, this.output.columns || 80, this.output.rows || 25);
    if (text !== "") this.output.write(text);
  }
}

class PrintedScreen implements HostScreen {
  private source: ScreenSource | null = null;
  private timer: NodeJS.Timeout | null = null;
  private printed = "";
  private last = "";
  private printedAt = 0;

  constructor(private readonly output: NodeJS.WriteStream) {}

  start(source: ScreenSource): void {
    this.source = source;
    this.timer = setInterval(() => this.look(), LOOK_MS);
  }

  suspend(): void {}
  resume(): void {}

  close(): void {
    if (this.timer === null) return;
    clearInterval(this.timer);
    this.timer = null;
    this.print(this.text());
  }

  private text(): string {
    const image = this.source?.screen() ?? null;
    return image === null ? "" : screenText(image).trimEnd();
  }

  private look(): void {
    const text = this.text();
    const rested = text === this.last;
    this.last = text;
    const since = performance.now() - this.printedAt;
    // A screen that never rests is shown in the middle of it.
    if (since >= PRINT_MS && (rested || since >= 2 * PRINT_MS)) this.print(text);
  }

  /** Screens are set apart by a form feed. */
  private print(text: string): void {
    if (text === this.printed || text === "") return;
    this.printed = text;
    this.printedAt = performance.now();
    this.output.write(`${text}\n\f`);
  }
}
