/** Sockets in the stage: connecting by path, passing descriptors. */
import * as C from "../stage/constants.js";
import type { Slot, StageProgram, Value } from "../stage/program.js";

/** sun_path's size, with its NUL. */
const PATH_MAX_LENGTH = 107;

/** A stream socket connected to a path of any length. */
export function connectTo(program: StageProgram, path: string, what: string): Slot {
  const step = `connect to the ${what} ${path}`;
  const socket = program.slot();
  program.call(step, "socket", [C.AF_UNIX, C.SOCK_STREAM | C.SOCK_CLOEXEC, 0], { result: socket });
  const connect = (encoded: Uint8Array) => {
    const address = new Uint8Array(2 + encoded.length + 1);
    address[0] = C.AF_UNIX;
    address.set(encoded, 2);
    program.call(step, "connect", [socket, program.bytes(address), address.length]);
  };
  const encoded = new TextEncoder().encode(path);
  if (encoded.length <= PATH_MAX_LENGTH) {
    connect(encoded);
    return socket;
  }
  // Too long for a socket's address: from the folder it lies in.
  const slash = path.lastIndexOf("/");
  const before = program.slot();
  program.call(step, "openat", [C.AT_FDCWD, program.string("."), C.O_PATH | C.O_CLOEXEC], { result: before });
  program.call(step, "chdir", [program.string(path.slice(0, slash) || "/")]);
  connect(new TextEncoder().encode(path.slice(slash + 1)));
  program.call(step, "fchdir", [before]);
  program.call(step, "close", [before], { ignore: "all" });
  return socket;
}

/** sendmsg(2) of `length` bytes at `content` with one descriptor. */
export function sendDescriptor(
  program: StageProgram,
  step: string,
  socket: Value,
  fd: Slot,
  content: Parameters<StageProgram["words"]>[0][number],
  length: number | Slot,
): void {
  // struct cmsghdr: length, level and type, then the descriptor.
  const control = program.words([20, BigInt(C.SOL_SOCKET) | (BigInt(C.SCM_RIGHTS) << 32n), 0]);
  program.write(program.at(control, 16), fd, 4);
  const vector = program.words([content, typeof length === "number" ? length : 0]);
  if (typeof length !== "number") program.write(program.at(vector, 8), length, 8);
  const header = program.words([0, 0, vector, 1, control, 24, 0]);
  program.call(step, "sendmsg", [socket, header, 0]);
}
