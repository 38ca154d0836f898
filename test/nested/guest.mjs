// Runs in the Debian that QEMU boots: `ringvisor boot` to the default guest's shell and out again.
// The inner console's lines are printed with a bar before them, so that nothing in it is taken for ours.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const STATS = "/tmp/stats.json";
/** What guest/init prints when it runs. */
const INIT_LINE = /RINGVISOR-INIT-OK (\S+)/;
/** The shell's prompt: what is sent before it is there gets lost. */
const PROMPT = /^\S+:\/root# $/;
const COMMANDS = "uname -srvm; grep -m1 'model name' /proc/cpuinfo; grep ' kB' /proc/meminfo | head -n 1; poweroff\n";
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL_SEQUENCES = /\r|\x1b\[[0-9;?]*[A-Za-z]/g;

const CLI = "dist/cli/main.js";
/**
 * An exit takes milliseconds here, so the inner kernel is kept from what needs thousands of them, and from measuring
 * its clocks against each other in loops that expect microseconds: it would find them all broken.
 */
const SLOW_EXITS = "quiet no_timer_check tsc=reliable pci=lastbus=0 cryptomgr.notests rcupdate.rcu_expedited=1";

console.log(`$ node ${CLI} doctor`);
spawnSync(process.execPath, [CLI, "doctor"], { stdio: ["ignore", "inherit", "inherit"] });
const options = JSON.parse(readFileSync(process.argv[2] ?? "/opt/boot-options.json", "utf8"));
const append = `${SLOW_EXITS} tsc_early_khz=${await tscKilohertz()} ${options.append}`.trim();
const args = [CLI, "boot", ...options.boot, "--append", append, `--stats=${STATS}`];
console.log(`$ node ${args.map((word) => (word.includes(" ") ? `"${word}"` : word)).join(" ")}`);
const started = performance.now();
const seconds = () => ((performance.now() - started) / 1000).toFixed(1);
const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "pipe"] });
child.stdin.on("error", () => {});

let initSeen = false;
let asked = false;
for (const stream of [child.stdout, child.stderr]) {
  let rest = "";
  stream.setEncoding("utf8").on("data", (text) => {
    const lines = plain(rest + text).split("\n");
    rest = lines.pop();
    for (const line of lines) see(line);
    if (asked || !PROMPT.test(rest)) return;
    asked = true;
    child.stdin.write(COMMANDS);
  });
  stream.on("end", () => rest !== "" && see(rest));
}

function see(line) {
  console.log(`  | ${line}`);
  const init = INIT_LINE.exec(line);
  if (init === null || initSeen) return;
  initSeen = true;
  console.log(`NESTED-INIT ${seconds()} s after the start of the command; the guest's own clock says ${init[1]} s`);
}

/** What KVM says of this processor's TSC. */
async function tscKilohertz() {
  const { createKvm } = await import("../../dist/accel/kvm/accelerator.js");
  const kvm = createKvm();
  kvm.close();
  return Math.round(kvm.tscFrequency / 1000);
}

/** Without carriage returns and what the shell asks the terminal. */
function plain(text) {
  return text.replace(CONTROL_SEQUENCES, "");
}

child.on("close", (code, signal) => {
  console.log(`ringvisor ended with ${signal ?? code} after ${seconds()} s`);
  try {
    console.log(`stats: ${readFileSync(STATS, "utf8").trim()}`);
  } catch (error) {
    console.log(`no stats: ${error.message}`);
  }
  if (code === 0 && initSeen) console.log("NESTED-POWEROFF");
  process.exitCode = code === 0 && initSeen ? 0 : 1;
});
