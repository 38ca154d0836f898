/** Scan codes of set 2 for the keys of a US keyboard, by the character or the name on them. */
import { releaseCodes } from "./keyboard.js";

const KEYS: Readonly<Record<string, readonly number[]>> = {
  ...plain(
    "abcdefghijklmnopqrstuvwxyz",
    [
      0x1c, 0x32, 0x21, 0x23, 0x24, 0x2b, 0x34, 0x33, 0x43, 0x3b, 0x42, 0x4b, 0x3a, 0x31, 0x44, 0x4d, 0x15, 0x2d, 0x1b,
      0x2c, 0x3c, 0x2a, 0x1d, 0x22, 0x35, 0x1a,
    ],
  ),
  ...plain("0123456789", [0x45, 0x16, 0x1e, 0x26, 0x25, 0x2e, 0x36, 0x3d, 0x3e, 0x46]),
  ...plain("`-=\\[];',./ ", [0x0e, 0x4e, 0x55, 0x5d, 0x54, 0x5b, 0x4c, 0x52, 0x41, 0x49, 0x4a, 0x29]),
  backspace: [0x66],
  tab: [0x0d],
  enter: [0x5a],
  escape: [0x76],
  shift: [0x12],
  ctrl: [0x14],
  alt: [0x11],
  f1: [0x05],
  f2: [0x06],
  f3: [0x04],
  f4: [0x0c],
  f5: [0x03],
  f6: [0x0b],
  f7: [0x83],
  f8: [0x0a],
  f9: [0x01],
  f10: [0x09],
  f11: [0x78],
  f12: [0x07],
  up: [0xe0, 0x75],
  down: [0xe0, 0x72],
  left: [0xe0, 0x6b],
  right: [0xe0, 0x74],
  home: [0xe0, 0x6c],
  end: [0xe0, 0x69],
  pageup: [0xe0, 0x7d],
  pagedown: [0xe0, 0x7a],
  insert: [0xe0, 0x70],
  delete: [0xe0, 0x71],
};

/** Characters on the same key, with Shift. */
const SHIFTED = new Map(
  Array.from('~_+|{}:"<>?)!@#$%^&*(', (character, index) => [character, "`-=\\[];',./0123456789"[index]]),
);

function plain(characters: string, codes: readonly number[]): Record<string, readonly number[]> {
  return Object.fromEntries(codes.map((code, index) => [characters[index], [code]]));
}

export interface KeyStroke {
  /** A character of a US keyboard, or a key's name: enter, escape, f1, up, pagedown ... */
  readonly key: string;
  readonly ctrl?: boolean;
  readonly alt?: boolean;
}

/** The key with the modifiers that it needs, pressed and released; empty for a key that the keyboard does not have. */
export function strokeCodes({ key, ctrl = false, alt = false }: KeyStroke): number[] {
  const upper = key.length === 1 && key !== key.toLowerCase();
  const base = SHIFTED.get(key) ?? (upper ? key.toLowerCase() : key);
  if (!Object.hasOwn(KEYS, base)) return [];
  const held: string[] = [];
  if (ctrl) held.push("ctrl");
  if (alt) held.push("alt");
  if (upper || SHIFTED.has(key)) held.push("shift");
  return [
    ...held.flatMap((name) => KEYS[name]),
    ...KEYS[base],
    ...[base, ...held.reverse()].flatMap((name) => releaseCodes(KEYS[name])),
  ];
}

/** The make code of a key by its name, or null where the keyboard does not have it. */
export function makeCode(key: string): readonly number[] | null {
  return Object.hasOwn(KEYS, key) ? KEYS[key] : null;
}
