import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CODE, makeKernel } from "./testing/kernels.js";
import { NO_TERMINAL, onTerminal, Running, ringvisor, temporaryFolder } from "./testing/ringvisor.js";

type Context = Parameters<typeof temporaryFolder>[0];

/** Arguments that boot a kernel of these instructions. */
function bootArgs(t: Context, code: string[], ...options: string[]): string[] {
  const kernel = join(temporaryFolder(t), "kernel");
  writeFileSync(kernel, makeKernel(...code));
  return ["boot", "--memory", "32M", "--kernel", kernel, ...options];
}

test("the guest powers off: 0, and its console is our output", (t) => {
  const { code, stdout, stderr } = ringvisor(...bootArgs(t, [CODE.print("hello\n"), CODE.powerOff]));
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "hello\n", stderr: "" });
});

test("debug exit: (v<<1)|1, and only where it is asked for", (t) => {
  const code = [CODE.debugExit(0x15), CODE.powerOff];
  assert.equal(ringvisor(...bootArgs(t, code, "--debug-exit")).code, 0x2b);
  assert.equal(ringvisor(...bootArgs(t, ["mov al, 1\nout 0xf4, al", CODE.powerOff])).code, 0);
});

test("a reset: the guest starts again, or the run ends with 0", (t) => {
  // RAM survives a reset: the second time around the mark is there.
  const code = [
    "mov rax, 0x1800000",
    "cmp byte ptr [rax], 7",
    "je 9f",
    "mov byte ptr [rax], 7",
    CODE.print("1"),
    CODE.reset,
  ];
  const twice = [...code, "9:", CODE.print("2"), CODE.powerOff];
  assert.deepEqual(ringvisor(...bootArgs(t, twice)).stdout, "12");
  const once = ringvisor(...bootArgs(t, twice, "--no-reboot"));
  assert.deepEqual([once.code, once.stdout], [0, "1"]);
});

test("a triple fault: 126, with registers and names", (t) => {
  const folder = temporaryFolder(t);
  const map = join(folder, "System.map");
  writeFileSync(map, "0000000001000000 T start_of_it_all\n");
  const args = bootArgs(t, ["mov rbx, 0x1234567890", "nop", CODE.tripleFault], "--symbols", map);
  const { code, stderr } = ringvisor(...args);
  assert.equal(code, 126);
  assert.match(stderr, /the guest crashed: triple fault/);
  assert.match(stderr, /RBX 0000001234567890/);
  assert.match(stderr, /RIP 000000000100[0-9a-f]{4} {2}\(start_of_it_all\+0x[0-9a-f]+\)/);
  assert.match(stderr, /-> 000000000100[0-9a-f]{4} {2}0f0b +ud2/);
});

test("a kernel that says that it panicked and spins: 126, with registers", (t) => {
  const text = "Kernel panic - not syncing: test\n---[ end Kernel panic - not syncing: test ]---\n";
  const { code, stderr } = ringvisor(...bootArgs(t, [CODE.print(text), CODE.spin], "--timeout", "100"));
  assert.equal(code, 126);
  assert.match(stderr, /the guest crashed: Kernel panic - not syncing: test/);
  assert.match(stderr, /-> .* jmp/);
});

test("a guest that only prints a panic's lines lives on", (t) => {
  const text = "Kernel panic - not syncing: test\n---[ end Kernel panic - not syncing: test ]---\n# ";
  const args = bootArgs(t, [CODE.print(text), CODE.spin], "--timeout", "3");
  assert.equal(ringvisor(...args).code, 124);
});

test("a panic that reboots: 126 with --no-reboot", (t) => {
  const text = "Kernel panic - not syncing: test\nRebooting in 1 seconds..\n";
  const { code, stderr } = ringvisor(...bootArgs(t, [CODE.print(text), CODE.reset], "--no-reboot"));
  assert.equal(code, 126);
  assert.match(stderr, /Kernel panic - not syncing: test/);
});

test("--timeout: 124, whether the guest spins or sleeps", (t) => {
  for (const code of [CODE.spin, "cli\nhlt"]) {
    const { code: exitCode, stderr } = ringvisor(...bootArgs(t, [code], "--timeout", "0.5"));
    assert.equal(exitCode, 124);
    assert.match(stderr, /^ringvisor: stopped after 0.5 s/);
  }
});

test("--console file and none", (t) => {
  const file = join(temporaryFolder(t), "log");
  const code = [CODE.print("to a file\n"), CODE.powerOff];
  assert.deepEqual(ringvisor(...bootArgs(t, code, "--console", `file:${file}`)), { code: 0, stdout: "", stderr: "" });
  assert.equal(readFileSync(file, "utf8"), "to a file\n");
  assert.deepEqual(ringvisor(...bootArgs(t, code, "--console=none")), { code: 0, stdout: "", stderr: "" });
});

test("a console file on a full disk ends the run", { skip: existsSync("/dev/full") ? false : "no /dev/full" }, (t) => {
  const { code, stderr } = ringvisor(...bootArgs(t, [CODE.print("x"), CODE.spin], "--console", "file:/dev/full"));
  assert.equal(code, 125);
  assert.match(stderr, /\/dev\/full: no space left/);
});

test("--stats writes one JSON object", (t) => {
  const file = join(temporaryFolder(t), "stats.json");
  const args = bootArgs(t, [CODE.print("x"), CODE.powerOff], `--stats=${file}`);
  assert.equal(ringvisor(...args).code, 0);
  const stats = JSON.parse(readFileSync(file, "utf8"));
  assert.equal(stats.exitCode, 0);
  assert.equal(stats.outcome, "poweroff");
  assert.equal(stats.accel, "translate");
  assert.match(stats.accelReason, /^[^\n]+$/);
  assert.ok(stats.instructions >= 5 && stats.instructions < 100, `${stats.instructions}`);
  for (const name of ["wallSeconds", "cpuSeconds", "firstConsoleByteSeconds", "peakRssBytes"]) {
    assert.ok(stats[name] > 0, name);
  }
  const { stderr } = ringvisor(...args.slice(0, -1), "--stats");
  assert.equal(JSON.parse(stderr).outcome, "poweroff");
});

/** Counts to a hundred thousand, which makes its loop hot. */
const BUSY = ["mov ecx, 100000", "1: add eax, ecx", "dec ecx", "jnz 1b"];

test("--accel translate translates what is hot, and --print-regions shows it", (t) => {
  const folder = temporaryFolder(t);
  const [listing, statistics] = ["regions", "stats"].map((name) => join(folder, name));
  const args = bootArgs(t, [...BUSY, CODE.print("x"), CODE.powerOff], "--accel", "translate", `--stats=${statistics}`);
  const { code, stdout, stderr } = ringvisor(...args, "--print-regions", listing);
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "x", stderr: "" });
  const stats = JSON.parse(readFileSync(statistics, "utf8"));
  assert.equal(stats.accel, "translate");
  assert.ok(stats.details.regionsTranslated >= 1);
  const text = readFileSync(listing, "utf8");
  assert.match(text, /^region 1 at [0-9a-f]{16}: 1 block, 3 instructions, \d+ bytes of wasm$/m);
  assert.match(text, /^;; [0-9a-f]{16} {2}01c8 +add eax,ecx\n(?: +\S.*\n)+;; [0-9a-f]{16} {2}ffc9 +dec ecx$/m);
  assert.match(ringvisor(...args, "--print-regions=-").stderr, /^region 1 at/m);
});

test("--profile says what is hot, in which tier, with its symbol", (t) => {
  const folder = temporaryFolder(t);
  const [table, symbols] = ["profile", "map"].map((name) => join(folder, name));
  writeFileSync(symbols, "0000000000000000 T nothing\n0000000001000000 T kernel\n");
  const args = bootArgs(t, [...BUSY, CODE.powerOff], "--symbols", symbols, "--profile", table);
  for (const [accel, tier] of [
    ["interpret", "interpret"],
    ["translate", "translate"],
  ]) {
    assert.equal(ringvisor(...args, "--accel", accel).code, 0);
    const lines = readFileSync(table, "utf8").split("\n");
    assert.match(lines[0], /^\d+ instructions: \d+\.\d\d % in regions, \d+\.\d\d % in blocks of the interpreter/);
    assert.match(lines[2], /^ *share +instructions +executions +tier +address +symbol$/);
    assert.match(lines[3], new RegExp(`^ *\\d+\\.\\d\\d % +\\d+ +\\d+  ${tier} +[0-9a-f]{16}`));
  }
});

test("--print-regions without a translator, or into a folder: one line, and 2", (t) => {
  const args = bootArgs(t, [CODE.powerOff], "--accel", "interpret");
  const { code, stderr } = ringvisor(...args, "--print-regions=-");
  assert.equal(code, 2);
  assert.match(stderr, /^ringvisor: --print-regions needs --accel translate; this run takes interpret [^\n]*\n$/);
  assert.match(ringvisor(...args, "--print-regions", temporaryFolder(t)).stderr, /^ringvisor: \S+: is a folder\n$/);
});

test("what is piped in reaches the guest, and its end ends nothing", async (t) => {
  const running = new Running(bootArgs(t, [CODE.print("?"), CODE.echo, CODE.print("!"), CODE.powerOff]));
  await running.sees(/\?/);
  running.type("abc\x01x");
  await running.sees(/\?abc.x/s);
  running.process.stdin.end("dq");
  assert.equal(await running.exited, 0);
  assert.equal(running.output, "?abc\x01xd!");
});

test("signals end the run with 128 and their number", async (t) => {
  for (const [signal, number] of [
    ["SIGTERM", 15],
    ["SIGINT", 2],
    ["SIGHUP", 1],
  ] as const) {
    const running = new Running(bootArgs(t, [CODE.print("up"), CODE.spin]));
    await running.sees(/up/);
    running.kill(signal);
    assert.equal(await running.exited, 128 + number);
  }
});

test("a reader that goes away ends the run quietly", async (t) => {
  const running = new Running(bootArgs(t, ["5:", CODE.print("y\n"), "jmp 5b"]));
  await running.sees(/y/);
  running.process.stdout.destroy();
  assert.equal(await running.exited, 141);
  assert.equal(running.errors, "");
});

test("icount: two runs are the same to the instruction", (t) => {
  const folder = temporaryFolder(t);
  // RDTSC and RDRAND are what could differ.
  const code = ["mov ecx, 100000", "1: rdtsc", "loop 1b", "rdrand rbx", "mov edx, 0x3f8", "mov ebx, ebx"];
  for (let nibble = 0; nibble < 4; nibble++)
    code.push("mov al, bl", "and al, 15", "add al, 'a'", "out dx, al", "shr ebx, 4");
  const runs = [1, 2].map((index) => {
    const stats = join(folder, `${index}.json`);
    const { stdout } = ringvisor(...bootArgs(t, [...code, CODE.powerOff], "--clock", "icount", `--stats=${stats}`));
    return [stdout, JSON.parse(readFileSync(stats, "utf8")).instructions];
  });
  assert.match(runs[0][0], /^[a-p]{4}$/);
  assert.deepEqual(runs[0], runs[1]);
});

test("on a terminal: keys go through raw, Ctrl-A H helps, Ctrl-A X quits, and the terminal is as before", {
  skip: NO_TERMINAL,
}, async (t) => {
  const running = onTerminal(
    bootArgs(t, [CODE.print("?"), CODE.echo, CODE.print("!"), CODE.powerOff]),
    '"$@"; echo "code $?"',
  );
  await running.sees(/\?/);
  running.type("a\x03b");
  await running.sees(/\?a.b/s);
  running.type("\x01h");
  await running.sees(/Ctrl-A X {2}quit/);
  running.type("\x01x");
  await running.sees(/code 0/);
  await running.sees(/[^-]icanon.* [^-]?echo /s);
  assert.equal(await running.exited, 0);
});

test("on a terminal: Ctrl-A C opens the monitor and continue goes on", { skip: NO_TERMINAL }, async (t) => {
  const running = onTerminal(
    bootArgs(t, ["mov rbx, 0xabcdef", CODE.print("?"), CODE.echo, CODE.powerOff]),
    '"$@"; echo "code $?"',
  );
  await running.sees(/\?/);
  running.type("\x01c");
  await running.sees(/\(ringvisor\) /);
  running.type("registers\r");
  await running.sees(/RBX 0000000000abcdef/);
  running.type("disassemble\r");
  await running.sees(/-> 000000000100/);
  running.type("x 0x1000000 16\r");
  await running.sees(/0000000001000000 {2}/);
  running.type("interrupts\r");
  await running.sees(/local APIC of vCPU 0/);
  running.type("devices\r");
  await running.sees(/serial\r\n/);
  running.type("nonsense\r");
  await running.sees(/there is no command "nonsense"/);
  running.type("continue\r");
  const from = running.output.length;
  running.type("zzz");
  await running.sees(/zzz/, from);
  running.type("q");
  await running.sees(/code 0/);
  assert.equal(await running.exited, 0);
});

test("on a terminal: the monitor's quit ends the run", { skip: NO_TERMINAL }, async (t) => {
  const running = onTerminal(bootArgs(t, [CODE.print("?"), CODE.spin]), '"$@"; echo "code $?"');
  await running.sees(/\?/);
  running.type("\x01c");
  await running.sees(/\(ringvisor\) /);
  running.type("quit\r");
  await running.sees(/code 0/);
  await running.sees(/[^-]icanon/);
  assert.equal(await running.exited, 0);
});

for (const signal of ["TERM", "KILL", "SEGV"] as const) {
  test(`on a terminal: it is as before after SIG${signal}`, { skip: NO_TERMINAL }, async (t) => {
    const untilRaw = "until stty -a </dev/tty | grep -q -e -icanon; do sleep 0.1; done";
    const running = onTerminal(
      bootArgs(t, [CODE.print("?"), CODE.spin]),
      `"$@" </dev/tty & ${untilRaw}; echo "raw, pid $!"; wait; sleep 1`,
    );
    const [, pid] = await running.sees(/raw, pid (\d+)/);
    await running.sees(/\?/);
    process.kill(Number(pid), `SIG${signal}`);
    assert.equal(await running.exited, 0);
    assert.match(running.output, /speed .* icanon/s);
    assert.match(running.output, /speed .* echo /s);
  });
}
