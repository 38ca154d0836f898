// A JavaScript engine at work: compiled loops, objects, strings, regular expressions, JSON, garbage.
"use strict";
const { createHash } = require("node:crypto");
const { gzipSync, gunzipSync } = require("node:zlib");

const scale = Number(process.env.BENCH_SCALE);
const count = (n) => Math.max(1, Math.round(n * scale));
const digest = (text) => createHash("sha256").update(text).digest("hex").slice(0, 16);
let state = 42;
const pick = (n) => {
  state = (state * 16807) % 2147483647;
  return state % n;
};

function integers() {
  const table = new Int32Array(256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    table[n] = c;
  }
  let crc = -1;
  for (let i = 0; i < count(12e6); i++) crc = table[(crc ^ i) & 255] ^ (crc >>> 8);
  let big = 1n;
  for (let i = 1n; i <= BigInt(count(1200)); i++) big *= i;
  return `${(~crc >>> 0).toString(16)} ${digest(big.toString(16))}`;
}

function floats() {
  const bodies = Array.from({ length: 5 }, (_, i) => ({ x: i, y: i * 0.7, z: 1 / (i + 1), vx: 0, vy: 0.1 * i, vz: 0, m: 1 + i }));
  for (let step = 0; step < count(60000); step++) {
    for (let i = 0; i < bodies.length; i++) {
      const a = bodies[i];
      for (let j = i + 1; j < bodies.length; j++) {
        const b = bodies[j];
        const dx = a.x - b.x;
        const dy = a.y - b.y;
        const dz = a.z - b.z;
        const d2 = dx * dx + dy * dy + dz * dz + 0.01;
        const force = 0.001 / (d2 * Math.sqrt(d2));
        a.vx -= dx * b.m * force;
        a.vy -= dy * b.m * force;
        a.vz -= dz * b.m * force;
        b.vx += dx * a.m * force;
        b.vy += dy * a.m * force;
        b.vz += dz * a.m * force;
      }
    }
    for (const body of bodies) {
      body.x += 0.001 * body.vx;
      body.y += 0.001 * body.vy;
      body.z += 0.001 * body.vz;
    }
  }
  let sum = 0;
  for (let i = 1; i < count(300000); i++) sum += Math.sin(i) * Math.log(i) + Math.atan2(i, 7) ** 0.5;
  return bodies.map(({ x, y, z }) => [x, y, z].join(" ")).concat(sum).join("|");
}

function json() {
  let rows = Array.from({ length: count(12000) }, (_, id) => ({
    id,
    name: `user${pick(5000)}`,
    score: pick(1e6) / 7,
    tags: [pick(9), pick(9), String(pick(99))],
    nested: { flag: id % 3 === 0, none: null, text: "quote \" back \\ \u00e9" },
  }));
  let text = "";
  for (let round = 0; round < 4; round++) {
    text = JSON.stringify(rows);
    rows = JSON.parse(text);
  }
  rows.sort((a, b) => a.score - b.score || a.id - b.id);
  const groups = new Map();
  for (const { name, score } of rows) groups.set(name, (groups.get(name) ?? 0) + score);
  return `${digest(text)} ${digest(JSON.stringify([...groups]))} ${gunzipSync(gzipSync(text)).length}`;
}

function strings() {
  const words = Array.from({ length: count(40000) }, () => pick(2 ** 31).toString(36));
  const text = words.join(" ");
  let matches = 0;
  for (const match of text.matchAll(/\b([a-f])(\w*?)(\d)\w*\b/g)) matches += match[2].length + Number(match[3]);
  const changed = text.replace(/(?<=\s)[0-9]+(?=[a-z])/gu, (digits) => `<${digits.length}>`).toUpperCase();
  const counts = {};
  for (const word of words) counts[word.slice(0, 2)] = (counts[word.slice(0, 2)] ?? 0) + 1;
  return `${matches} ${digest(changed)} ${digest(Object.keys(counts).sort().join())} ${digest(words.sort().join())}`;
}

class Tree {
  constructor(depth) {
    this.left = depth > 0 ? new Tree(depth - 1) : null;
    this.right = depth > 0 ? new Tree(depth - 1) : null;
  }
  check() {
    return this.left ? 1 + this.left.check() + this.right.check() : 1;
  }
}

function garbage() {
  const kept = new Tree(15);
  let total = 0;
  for (let i = 0; i < count(150); i++) total += new Tree(11).check();
  const map = new Map();
  for (let i = 0; i < count(300000); i++) {
    map.set(pick(20000), [i, `${i}`]);
    if (i % 7 === 0) map.delete(pick(20000));
  }
  return `${total} ${kept.check()} ${map.size}`;
}

function* numbers(n) {
  for (let i = 0; i < n; i++) yield i;
}

async function asynchronous() {
  let sum = 0;
  for (let i = 0; i < count(30000); i++) sum += await i;
  for (const n of numbers(count(200000))) sum += n % 3;
  for (let i = 0; i < count(3000); i++) {
    try {
      if (i % 2) throw new RangeError(String(i));
    } catch (error) {
      sum += Number(error.message);
    }
  }
  // Code that is compiled anew again and again.
  for (let i = 0; i < count(300); i++) sum += new Function("a", `let s = a; for (let i = 0; i < 50; i++) s = (s * ${i + 3} + i) % 9973; return s`)(i);
  return sum;
}

(async () => {
  for (const part of [integers, floats, json, strings, garbage, asynchronous]) console.log(part.name, await part());
})();
