/** What a screen shows, as plain data. */
import { CODE_PAGE_437 } from "./code-page-437.js";

export interface TextImage {
  readonly kind: "text";
  readonly columns: number;
  readonly rows: number;
  /** Characters of code page 437, row by row. */
  readonly characters: Uint8Array;
  /** Foreground in bits 0-3, background in bits 4-7 (or 4-6, and bit 7 blinks). */
  readonly attributes: Uint8Array;
  /** Bit 7 of an attribute means blinking, not a bright background. */
  readonly blink: boolean;
  /** Null where it is switched off or elsewhere. */
  readonly cursor: { readonly column: number; readonly row: number } | null;
}

export interface GraphicsImage {
  readonly kind: "graphics";
  readonly width: number;
  readonly height: number;
  readonly bitsPerPixel: number;
}

export type ScreenImage = TextImage | GraphicsImage;

/** The rows as Unicode text, without spaces at their ends. */
export function screenRows(image: TextImage): string[] {
  return Array.from({ length: image.rows }, (_, row) => {
    let text = "";
    for (let column = 0; column < image.columns; column++) {
      text += CODE_PAGE_437[image.characters[row * image.columns + column]];
    }
    return text.trimEnd();
  });
}

/** A text screen's rows, each with a line feed; a line that names the mode where graphics are shown. */
export function screenText(image: ScreenImage): string {
  if (image.kind === "text")
    return screenRows(image)
      .map((row) => `${row}\n`)
      .join("");
  return `[graphics: ${image.width}x${image.height}, ${image.bitsPerPixel} bits a pixel]\n`;
}
