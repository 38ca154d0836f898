import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { encodePacket } from "../inspect/gdb/packets.js";
import { kvmObstacle } from "../test-support/accelerators.js";
import { addressAfter, CODE, makeKernel } from "./testing/kernels.js";
import { Running, temporaryFolder } from "./testing/ringvisor.js";

type Context = Parameters<typeof temporaryFolder>[0];

/** Counts in RBX up to 5, keeps each value in memory and in XMM1, then powers off. */
const BEFORE_LOOP = [CODE.enableSse, "mov rax, 0x1122334455667788", "mov rcx, 0x1800000", "xor ebx, ebx", "fld1"];
const LOOP = ["1: inc rbx", "movq xmm1, rbx", "mov [rcx], rbx", "cmp rbx, 5", "jne 1b"];
const GUEST = [...BEFORE_LOOP, ...LOOP, CODE.print("done"), CODE.powerOff];
const LOOP_ADDRESS = addressAfter(...BEFORE_LOOP);
const SECOND_ADDRESS = addressAfter(...BEFORE_LOOP, LOOP[0]);

async function startGuest(
  t: Context,
  code: string[],
  ...options: string[]
): Promise<{ running: Running; port: number }> {
  const kernel = join(temporaryFolder(t), "kernel");
  writeFileSync(kernel, makeKernel(...code));
  const running = new Running(["boot", "--memory", "32M", "--kernel", kernel, "--gdb", "0", ...options]);
  t.after(() => running.kill("SIGKILL"));
  const [, port] = await running.sees(/waiting for gdb on 127\.0\.0\.1:(\d+)/);
  return { running, port: Number(port) };
}

/** What gdb prints for these commands. */
function gdb(port: number, ...commands: string[]): Promise<string> {
  const args = ["-nx", "-batch", "-ex", "set confirm off", "-ex", `target remote 127.0.0.1:${port}`];
  const child = spawn("gdb", [...args, ...commands.flatMap((command) => ["-ex", command])]);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve) => child.on("close", () => resolve(output)));
}

const skip = spawnSync("gdb", ["--version"]).status === 0 ? false : "gdb is not installed";

test("gdb reads registers and memory before the first instruction", { skip }, async (t) => {
  const { running, port } = await startGuest(t, GUEST);
  const output = await gdb(
    port,
    "p/x $rip",
    "x/2i $rip",
    "x/1xg $rip",
    "info registers cr0 efer cs",
    "info threads",
    "kill",
  );
  assert.match(output, /= 0x1000000\n/);
  assert.match(output, /=> 0x1000000:\s+mov +%cr4,%rax/);
  assert.match(output, /0x1000000:\s+0x0006000d48e0200f/);
  assert.match(output, /cr0 +0x[0-9a-f]*8[0-9a-f]{7}/);
  assert.match(output, /vCPU 0 running/);
  assert.equal(await running.exited, 0);
});

test("breakpoints, steps, watchpoints", { skip }, async (t) => {
  const { running, port } = await startGuest(t, GUEST);
  const output = await gdb(
    port,
    `break *${LOOP_ADDRESS}`,
    "continue",
    "p/x $rax",
    "p $st0",
    "stepi",
    'printf "stepped to %#lx, rbx %d\\n", $rip, $rbx',
    "continue",
    'printf "again rbx %d xmm1 %d\\n", $rbx, $xmm1.v2_int64[0]',
    "delete",
    "watch *(long *) 0x1800000",
    "continue",
    "continue",
    'printf "watched %d\\n", *(long *) 0x1800000',
    "delete",
    `hbreak *${LOOP_ADDRESS} if $rbx == 4`,
    "continue",
    'printf "hardware rbx %d\\n", $rbx',
    "delete",
    "continue",
  );
  assert.match(output, /= 0x1122334455667788\n/);
  assert.match(output, /= 1\n/);
  assert.match(output, new RegExp(`stepped to ${SECOND_ADDRESS}, rbx 1\n`));
  assert.match(output, /again rbx 1 xmm1 1\n/);
  assert.match(output, /Hardware watchpoint .*\n.*Old value = 1\nNew value = 2/s);
  assert.match(output, /watched 3\n/);
  assert.match(output, /hardware rbx 4\n/);
  assert.match(output, /exited normally/);
  assert.equal(await running.exited, 0);
  assert.equal(running.output, "done");
});

test("writes to registers and memory count", { skip }, async (t) => {
  const { running, port } = await startGuest(t, GUEST, "--debug-exit");
  const output = await gdb(
    port,
    "set $rax = 0x2a",
    "set $xmm3.v2_int64[1] = 77",
    "set $eflags |= 1",
    // out %al, $0xf4
    "set {char[2]} 0x1000000 = {0xe6, 0xf4}",
    "p/x $rax",
    "p $xmm3.v2_int64[1]",
    "p $eflags",
    "continue",
  );
  assert.match(output, /= 0x2a\n/);
  assert.match(output, /= 77\n/);
  assert.match(output, /= \[ CF .*\]\n/);
  assert.match(output, /exited with code 0?125/, "85 in gdb's octal");
  assert.equal(await running.exited, 85);
});

test("gdb's monitor command reaches the monitor", { skip }, async (t) => {
  const { running, port } = await startGuest(t, GUEST);
  const output = await gdb(port, "monitor registers", "monitor devices", "monitor nonsense", "kill");
  assert.match(output, /long mode, 64-bit code, CPL 0/);
  assert.match(output, /serial\n/);
  assert.match(output, /no command "nonsense"/);
  assert.equal(await running.exited, 0);
});

test("detaching lets the guest run on", { skip }, async (t) => {
  const { running, port } = await startGuest(t, GUEST);
  await gdb(port, `break *${LOOP_ADDRESS}`, "detach");
  assert.equal(await running.exited, 0);
  assert.equal(running.output, "done");
});

/** A client of our own, for what gdb never sends. */
class Client {
  private received = "";
  private waiting: (() => void) | null = null;

  private constructor(readonly socket: Socket) {
    socket.setEncoding("latin1").on("data", (text) => {
      this.received += text;
      this.waiting?.();
    });
    socket.on("error", () => {});
    socket.on("close", () => this.waiting?.());
  }

  static connect(port: number): Promise<Client> {
    return new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(new Client(socket)));
    });
  }

  /** Sends a packet; the answer's contents. */
  async ask(packet: string): Promise<string> {
    this.received = "";
    this.socket.write(encodePacket(packet));
    for (;;) {
      const match = /\$([^#]*)#[0-9a-f]{2}/.exec(this.received);
      if (match) {
        this.socket.write("+");
        return match[1];
      }
      assert.ok(!this.socket.destroyed, "the connection was closed");
      await new Promise<void>((resolve) => {
        this.waiting = resolve;
      });
    }
  }

  async waitFor(text: string): Promise<void> {
    while (!this.received.includes(text)) {
      assert.ok(!this.socket.destroyed, "the connection was closed");
      await new Promise<void>((resolve) => {
        this.waiting = resolve;
      });
    }
  }
}

test("requests that make no sense are answered by errors", async (t) => {
  const { running, port } = await startGuest(t, GUEST);
  const client = await Client.connect(port);
  for (const request of [
    "p",
    "pffff",
    "p-1",
    "P",
    "P0",
    "P0=zz",
    "P0=00",
    "P10=ffffffffffffffff00", // RIP with a byte too many
    "G00",
    `G${"0".repeat(2000)}`,
    "m",
    "m0",
    "mzz,4",
    "m0,",
    "m-1,4",
    "M0,4:00",
    "M0,1:zz",
    "M0,1",
    "X0,5:a",
    "X",
    "Z",
    "Z0",
    "Z0,zz,1",
    "Z2,0,0",
    "Z2,0,ffffff",
    "Hx",
    "Hg7",
    "T9",
    "vCont;x",
    "vCont;c:9",
    "s1234",
    "qRcmd,zz",
    "qThreadExtraInfo,99",
  ]) {
    assert.match(await client.ask(request), /^E[0-9a-f]{2}$/, request.slice(0, 40));
  }
  assert.equal(await client.ask("mffffffffffff0000,10"), "E0e", "memory that is not mapped");
  assert.equal(await client.ask("Mffffffffffff0000,1:00"), "E0e");
  for (const request of ["", "Y", "vFlashErase:0,1", "qNonsense", "Z9,0,1", "vMustReplyEmpty", "\x00\x01"]) {
    assert.equal(await client.ask(request), "", JSON.stringify(request));
  }
  assert.equal(await client.ask("qXfer:features:read:target.xml:fffff,10"), "l");
  assert.equal(await client.ask("qXfer:features:read:other.xml:0,10"), "E00");
  assert.equal((await client.ask("m1000000,ffffffff")).length > 16, true, "a long read is cut short");
  // Noise between packets, and packets that are damaged.
  client.socket.write(Buffer.from("\xff\xfe$zz$$$###+-+-}}}"));
  client.socket.write("$g#00");
  await client.waitFor("-");
  // The noise asked for the long answer again ("-"): it may still be on its way when this one comes.
  client.socket.write(encodePacket("?"));
  await client.waitFor("$T05");
  client.socket.destroy();
  assert.equal(await running.exited, 0, "the guest runs on when its debugger is gone");
  assert.equal(running.output, "done");
});

test("Ctrl-C stops a guest that spins; a second client waits its turn", async (t) => {
  const { running, port } = await startGuest(t, ["mov ebx, 0x77", CODE.print("up"), CODE.spin]);
  const client = await Client.connect(port);
  assert.match(await client.ask("?"), /^T05/);
  const second = await Client.connect(port);
  await new Promise((resolve) => second.socket.on("close", resolve));
  client.socket.write(encodePacket("c"));
  await running.sees(/up/);
  client.socket.write("\x03");
  await client.waitFor("T02thread:1;");
  assert.match(await client.ask("p1"), /^77000000/);
  client.socket.write(encodePacket("k"));
  assert.equal(await running.exited, 0);
});

test("a port that is taken is refused", async (t) => {
  const { port } = await startGuest(t, [CODE.spin]);
  const kernel = join(temporaryFolder(t), "kernel");
  writeFileSync(kernel, makeKernel(CODE.spin));
  const other = new Running(["boot", "--kernel", kernel, "--gdb", String(port)]);
  assert.equal(await other.exited, 2);
  assert.match(other.errors, new RegExp(`^ringvisor: port ${port}: is in use\n$`));
});

// No watchpoint: without hardware underneath, KVM's emulator does not look at them.
test("gdb under KVM: breakpoints, registers, memory, steps", { skip: skip || kvmObstacle() }, async (t) => {
  const start = ["mov rcx, 0x1800000", "xor ebx, ebx"];
  const loop = ["1: inc rbx", "mov [rcx], rbx", "cmp rbx, 5", "jne 1b"];
  const guest = [...start, ...loop, CODE.print("done"), CODE.powerOff];
  const { running, port } = await startGuest(t, guest, "--accel", "kvm");
  const output = await gdb(
    port,
    `hbreak *${addressAfter(...start, ...loop.slice(0, 1))}`,
    "continue",
    "p/d $rbx",
    "stepi",
    "x/1dg 0x1800000",
    "continue",
    "p/d $rbx",
    "delete",
    "continue",
  );
  assert.match(output, /Breakpoint 1, /);
  assert.match(output, /\$1 = 1\n/);
  assert.match(output, /0x1800000:\s+1\n/);
  assert.match(output, /\$2 = 2\n/);
  assert.equal(await running.exited, 0);
  assert.equal(running.output, "done");
});
