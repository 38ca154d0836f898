/** Hooks that run in the container's namespaces: createContainer before the root is changed, startContainer after start. */
import type { Hook } from "../spec/config.js";
import * as C from "../stage/constants.js";
import type { Slot, StageProgram } from "../stage/program.js";

/** Poll's "readable". */
const POLLIN = 1;
const MAX_STATE = 1 << 20;

/** Takes a text from the runtime, by length and bytes, into a descriptor without a name. */
export function receiveText(program: StageProgram, what: string): Slot {
  const step = `receive ${what}`;
  const fd = program.slot();
  const left = program.slot();
  const got = program.slot();
  const chunk = program.buffer(4096);
  const size = program.buffer(8);
  program.call(step, "memfd_create", [program.string("state"), 1], { result: fd });
  const again = program.label();
  const done = program.label();
  const whole = program.label();
  // Four bytes of length.
  program.call(step, "read", [program.channel, size, 4], { result: got });
  program.jumpIf(got, "equal", 4, whole);
  program.exit(1);
  program.place(whole);
  program.read(left, size, 4);
  program.place(again);
  program.jumpIf(left, "equal", 0, done);
  const want = program.slot();
  program.set(want, 4096);
  program.when(left, "below", 4096, () => program.set(want, left));
  program.call(step, "read", [program.channel, chunk, want], { result: got });
  program.when(got, "equal", 0, () => program.exit(1));
  program.call(step, "write", [fd, chunk, got]);
  program.subtract(left, got);
  program.jump(again);
  program.place(done);
  return fd;
}

/** How the runtime sends what `receiveText` takes. */
export function encodeText(text: string): Uint8Array {
  const encoded = new TextEncoder().encode(text);
  if (encoded.length > MAX_STATE) throw new RangeError("the container's state is too long");
  const message = new Uint8Array(4 + encoded.length);
  new DataView(message.buffer).setUint32(0, encoded.length, true);
  message.set(encoded, 4);
  return message;
}

/** Runs them one after the other; a failure ends the stage. */
export function planHooks(program: StageProgram, name: string, hooks: readonly Hook[], state: Slot): void {
  hooks.forEach((hook, index) => {
    const step = `run ${name} hook #${index} ${hook.path}`;
    const pid = program.slot();
    const pidfd = program.slot();
    const ready = program.slot();
    const status = program.slot();
    const parent = program.label();
    program.call(step, "lseek", [state, 0, 0]);
    program.call(step, "clone", [C.SIGCHLD, 0, 0, 0, 0], { result: pid });
    program.jumpIf(pid, "notEqual", 0, parent);
    program.call(step, "dup3", [state, 0, 0]);
    // It gets the state and the container's output, nothing else of ours.
    program.call(step, "close_range", [3, 0xffffffff, C.CLOSE_RANGE_CLOEXEC], { ignore: "all" });
    const argv = program.strings(hook.args?.length ? hook.args : [hook.path]);
    program.call(step, "execve", [program.string(hook.path), argv, program.strings(hook.env ?? [])], { ignore: "all" });
    program.exit(127);
    program.place(parent);
    if (hook.timeout !== undefined) {
      program.call(step, "pidfd_open", [pid, 0], { result: pidfd });
      const poll = program.buffer(8);
      program.write(poll, pidfd, 4);
      program.write(program.at(poll, 4), POLLIN, 4);
      program.call(step, "poll", [poll, 1, hook.timeout * 1000], { result: ready });
      program.when(ready, "equal", 0, () => {
        program.call(step, "kill", [pid, C.SIGKILL], { ignore: "all" });
        program.call(step, "wait4", [pid, 0, 0, 0], { ignore: "all" });
        program.fail(`${step} within ${hook.timeout} seconds`, C.ERRNO.ETIME);
      });
      program.call(step, "close", [pidfd], { ignore: "all" });
    }
    program.call(step, "wait4", [pid, status.address, 0, 0]);
    program.when(status, "notEqual", 0, () => program.fail(`${step}: it did not end well`, C.ERRNO.ECANCELED));
  });
}
