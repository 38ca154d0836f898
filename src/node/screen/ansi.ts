/** Draws a text screen on a terminal: escape sequences for what differs from what is there already. */
import { CODE_PAGE_437 } from "../../devices/vga/code-page-437.js";
import { type ScreenImage, screenText, type TextImage } from "../../devices/vga/screen-image.js";

/** A VGA counts blue, green, red; terminals red, green, blue. */
const COLORS = [0, 4, 2, 6, 1, 5, 3, 7];
const ESC = "\x1b[";

export const ENTER_SCREEN = `${ESC}?1049h${ESC}0m${ESC}2J`;
export const LEAVE_SCREEN = `${ESC}0m${ESC}?25h${ESC}?1049l`;

function colors(attribute: number, blink: boolean): string {
  const foreground = attribute & 0x0f;
  const background = (attribute >> 4) & (blink ? 7 : 15);
  const code = (color: number, dark: number, bright: number) => (color & 8 ? bright : dark) + COLORS[color & 7];
  const blinking = blink && attribute & 0x80 ? ";5" : "";
  return `${ESC}0;${code(foreground, 30, 90)};${code(background, 40, 100)}${blinking}m`;
}

/** A cursor's place as terminals count it; empty where it is not to be seen. */
function place(cursor: TextImage["cursor"], columns: number, rows: number): string {
  return cursor === null || cursor.row >= rows || cursor.column >= columns
    ? ""
    : `${cursor.row + 1};${cursor.column + 1}`;
}

export class AnsiScreen {
  private shown: TextImage | null = null;
  private graphics = "";

  /** Nothing of what the terminal shows is ours any more. */
  forget(): void {
    this.shown = null;
    this.graphics = "";
  }

  /** What to write so that the terminal, of this size, shows the image; empty where it does already. */
  draw(image: ScreenImage, columns: number, rows: number): string {
    if (image.kind === "graphics") {
      const text = screenText(image).trimEnd();
      if (text === this.graphics) return "";
      this.shown = null;
      this.graphics = text;
      return `${ESC}0m${ESC}2J${ESC}?25l${ESC}1;1H${text}`;
    }
    let old = this.shown;
    let output = "";
    if (old === null || old.columns !== image.columns || old.rows !== image.rows || old.blink !== image.blink) {
      old = null;
      this.graphics = "";
      output += `${ESC}0m${ESC}2J`;
    }
    const width = Math.min(columns, image.columns);
    let attribute = -1;
    for (let row = 0; row < Math.min(rows, image.rows); row++) {
      let next = -1;
      for (let column = 0; column < width; column++) {
        const at = row * image.columns + column;
        if (old?.characters[at] === image.characters[at] && old.attributes[at] === image.attributes[at]) continue;
        if (column !== next) output += `${ESC}${row + 1};${column + 1}H`;
        if (image.attributes[at] !== attribute) {
          attribute = image.attributes[at];
          output += colors(attribute, image.blink);
        }
        output += CODE_PAGE_437[image.characters[at]];
        next = column + 1;
      }
    }
    const cursor = place(image.cursor, width, rows);
    const before = old === null ? null : place(old.cursor, width, rows);
    if (output !== "" || cursor !== before) {
      output += cursor === "" ? `${ESC}?25l` : `${ESC}${cursor}H${ESC}?25h`;
    }
    this.shown = image;
    return output;
  }
}
