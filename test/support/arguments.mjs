// What the scripts of test/ are given: a wrong value ends them with one line and exit code 2, before they do anything.
import { existsSync } from "node:fs";
import { fail } from "../../scripts/lib/project.mjs";

/** The option's value as a whole number from `least` on. */
export function wholeNumber(values, name, least = 0) {
  const text = values[name];
  const number = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(number) || number < least) {
    fail(`--${name} ${text} is not a whole number from ${least} on`, 2);
  }
  return number;
}

/** A value that has to be one of those there are. */
export function oneOf(text, name, choices) {
  if (!choices.includes(text)) fail(`--${name} ${text} is none of ${choices.join(", ")}`, 2);
  return text;
}

/** A path where something is. */
export function existing(path) {
  if (!existsSync(path)) fail(`${path}: no such file or directory`, 2);
  return path;
}
