/** Hands the descriptor of seccomp notifications to the agent that answers them (specification, "seccomp: listenerPath"). */
import type { Slot, StageProgram } from "../stage/program.js";
import { EVENT } from "./events.js";
import { receiveText } from "./hooks.js";
import { sendDescriptor } from "./unix-socket.js";

const MAX_TEXT = 1 << 20;

/**
 * Takes the text from the runtime while there is a channel; the descriptor comes later.
 *
 * @returns sends a descriptor along with it
 */
export function prepareListener(program: StageProgram, socket: Slot): (fd: Slot) => void {
  const step = "prepare the seccomp listener";
  const length = program.slot();
  const buffer = program.buffer(MAX_TEXT);
  program.tell(EVENT.seccompState, 0);
  const text = receiveText(program, "the container's process state");
  program.call(step, "lseek", [text, 0, 0]);
  program.call(step, "read", [text, buffer, MAX_TEXT], { result: length });
  program.call(step, "close", [text], { ignore: "all" });
  return (fd) => {
    sendDescriptor(program, "send the seccomp listener", socket, fd, buffer, length);
    program.call(step, "close", [socket], { ignore: "all" });
  };
}
