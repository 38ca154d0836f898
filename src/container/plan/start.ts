/**
 * A program that starts a container that `create` has made: bin/ringvisor-oci runs it instead of Node. Any trouble ends
 * it with 1, and Node's own `start` says what it is.
 */
import * as C from "../stage/constants.js";
import { StageProgram } from "../stage/program.js";

/** In the container's folder. */
export const START_PROGRAM = "start";
const O_NONBLOCK = 0o4000;
const POLLIN = 1;
const POLL_MS = 5;
/** Some ten seconds; a process whose pid was given to somebody else looks alive. */
const MAX_POLLS = 2000;

export function planStart(fifo: string, pid: number): Uint8Array {
  // Nobody listens: a failure is the exit code alone.
  const program = new StageProgram(-1);
  const fd = program.slot();
  const got = program.slot();
  const left = program.slot();
  const byte = program.buffer(1);
  const poll = program.buffer(8);
  const again = program.label();
  const done = program.label();
  const name = program.string(fifo);
  program.call("open", "openat", [C.AT_FDCWD, name, C.O_RDONLY | O_NONBLOCK | C.O_CLOEXEC], { result: fd });
  program.write(poll, fd, 4);
  program.write(program.at(poll, 4), POLLIN, 4);
  program.set(left, MAX_POLLS);
  program.place(again);
  program.call("poll", "poll", [poll, 1, POLL_MS], { ignore: "all" });
  program.call("read", "read", [fd, byte, 1], { result: got, ignore: "all" });
  program.jumpIf(got, "equal", 1, done);
  program.call("look for the process", "kill", [pid, 0]);
  // Gone: somebody else has started it.
  program.call("look for the FIFO", "faccessat", [C.AT_FDCWD, name, 0]);
  program.subtract(left, 1);
  program.jumpIf(left, "notEqual", 0, again);
  program.exit(1);
  program.place(done);
  program.call("remove", "unlinkat", [C.AT_FDCWD, name, 0], { ignore: "all" });
  program.exit(0);
  return program.link();
}
