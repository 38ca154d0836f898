import assert from "node:assert/strict";
import { test } from "node:test";
import { CODE, flatImage, Guest, until } from "../../test-support/guest-suite/guest.js";
import { VBE_MODE } from "../../test-support/guest-suite/video.js";
import { testInterpreter } from "../../test-support/interpreter.js";
import { saveMachine } from "./save-machine.js";
import { SavedMachine } from "./saved-machine.js";
import { MemoryFile } from "./testing/memory-file.js";

const board = { vga: { rom: Uint8Array.of(0x55, 0xaa, 1) } };

/** A guest that says that it is ready, and powers off with what a check says once something is typed. */
function waiting(mode: "long" | "protected", prepare: string, check: string) {
  return flatImage({
    mode,
    code: `${prepare}
${CODE.print(">")}
8: mov dx, 0x3fd
in al, dx
test al, 1
jz 8b
${check}
${CODE.exit("al")}`,
  });
}

async function saveAndRestore(image: ReturnType<typeof waiting>): Promise<Guest> {
  const first = new Guest(await testInterpreter(), image, { board });
  const running = first.machine.start();
  await until(() => first.output === ">");
  await first.machine.pause();
  const file = new MemoryFile();
  await saveMachine(first.machine, file);
  const second = new Guest(await testInterpreter(), image, { board });
  await (await SavedMachine.open(file)).restore(second.machine);
  assert.deepEqual(second.machine.screen(), first.machine.screen());
  await first.machine.stop();
  await running;
  first.machine.close();
  return second;
}

test("a saved machine has its text screen, and the closed A20 gate", async () => {
  const prepare = `mov ebx, 0xb8000
mov dword ptr [ebx], 0x1f491f48
${CODE.outb(0x92, 0)}
mov ebx, 0x90000
mov dword ptr [ebx], 0x12345678`;
  const check = "mov ebx, 0x190000\ncmp dword ptr [ebx], 0x12345678\nmov al, 1\njne 1f\nmov al, 2\n1:";
  const guest = await saveAndRestore(waiting("protected", prepare, check));
  assert.equal(guest.machine.screenText()?.split("\n")[0], "HI");
  const running = guest.machine.start();
  guest.type("x");
  assert.deepEqual(await guest.finish(running), { kind: "debug-exit", value: 2 });
  guest.machine.close();
});

test("a saved machine has its frame buffer where the BAR was", async () => {
  const prepare = `${VBE_MODE}\nmov ebx, 0xe0123000\nmov dword ptr [ebx], 0x12345678`;
  const check = "cmp dword ptr [ebx], 0x12345678\nmov al, 1\njne 1f\nmov al, 2\n1:";
  const guest = await saveAndRestore(waiting("protected", prepare, check));
  const running = guest.machine.start();
  guest.type("x");
  assert.deepEqual(await guest.finish(running), { kind: "debug-exit", value: 2 });
  guest.machine.close();
});
