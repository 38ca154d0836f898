/** JSON whose integers beyond 2^53 stay what they are, as bigints: masks of 64 bits in seccomp profiles. */

/** A string, so that digits in it are passed over, or a number. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** The fields of config.json that are masks of 64 bits: operands of conditions in linux.seccomp. */
export const WIDE_KEYS: ReadonlySet<string> = new Set(["value", "valueTwo"]);

/** As JSON.parse, but with a bigint under `keys` for each integer that a number would round. @throws SyntaxError */
export function parseExactJson(json: string, keys: ReadonlySet<string>): unknown {
  if (!/\d{16}/.test(json)) return JSON.parse(json);
  // Only what is JSON already is rewritten.
  JSON.parse(json);
  const mark = absentFrom(json);
  const marked = json.replace(TOKENS, (token) =>
    /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${mark}${token}"` : token,
  );
  return JSON.parse(marked, (key, value) => {
    if (typeof value !== "string" || !value.startsWith(mark)) return value;
    const digits = value.slice(mark.length);
    return keys.has(key) ? BigInt(digits) : Number(digits);
  });
}

/** As JSON.stringify, with bigints as integers. */
export function stringifyExactJson(value: unknown): string {
  let hasWide = false;
  const plain = JSON.stringify(value, (_key, one) => {
    if (typeof one !== "bigint") return one;
    hasWide = true;
    return 0;
  });
  if (!hasWide) return plain;
  const mark = absentFrom(plain);
  const json = JSON.stringify(value, (_key, one) => (typeof one === "bigint" ? `${mark}${one}` : one));
  return json.replaceAll(new RegExp(`"${mark}(-?\\d+)"`, "g"), "$1");
}

/** A word that the text does not contain. (node:crypto has some, and takes a tenth of a short command's time to load.) */
function absentFrom(text: string): string {
  let number = 0;
  while (text.includes(`integer${number}:`)) number++;
  return `integer${number}:`;
}
