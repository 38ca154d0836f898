/** What a terminal sends for a key, turned back into the key. */
import type { KeyStroke } from "../../devices/ps2/key-codes.js";

const ESC = "\x1b";
/** What follows ESC [ or ESC O, to its final character. */
const SEQUENCES: Readonly<Record<string, string>> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  H: "home",
  F: "end",
  P: "f1",
  Q: "f2",
  R: "f3",
  S: "f4",
  "1~": "home",
  "2~": "insert",
  "3~": "delete",
  "4~": "end",
  "5~": "pageup",
  "6~": "pagedown",
  "11~": "f1",
  "12~": "f2",
  "13~": "f3",
  "14~": "f4",
  "15~": "f5",
  "17~": "f6",
  "18~": "f7",
  "19~": "f8",
  "20~": "f9",
  "21~": "f10",
  "23~": "f11",
  "24~": "f12",
};
const CONTROL: Readonly<Record<string, KeyStroke>> = {
  "\r": { key: "enter" },
  "\n": { key: "enter" },
  "\t": { key: "tab" },
  "\b": { key: "backspace" },
  "\x7f": { key: "backspace" },
  [ESC]: { key: "escape" },
};

/** The keys of bytes that came together. An escape at their end, or before what is no sequence, is the key itself. */
export function keysOf(bytes: Uint8Array): KeyStroke[] {
  const text = String.fromCharCode(...bytes);
  const strokes: KeyStroke[] = [];
  const sequence = /[[O]([0-9;]*[A-Za-z~])/y;
  for (let at = 0; at < text.length; ) {
    sequence.lastIndex = at + 1;
    const match = text[at] === ESC ? sequence.exec(text) : null;
    if (match) {
      at += 1 + match[0].length;
      const key = SEQUENCES[match[1]];
      if (key !== undefined) strokes.push({ key });
      continue;
    }
    const character = text[at++];
    if (character === ESC && at < text.length) {
      const next = strokeOf(text[at++]);
      if (next !== null) strokes.push({ ...next, alt: true });
      continue;
    }
    const stroke = strokeOf(character);
    if (stroke !== null) strokes.push(stroke);
  }
  return strokes;
}

function strokeOf(character: string): KeyStroke | null {
  const control = CONTROL[character];
  if (control !== undefined) return control;
  const code = character.charCodeAt(0);
  if (code >= 1 && code <= 26) return { key: String.fromCharCode(code + 0x60), ctrl: true };
  return code >= 0x20 && code < 0x7f ? { key: character } : null;
}
