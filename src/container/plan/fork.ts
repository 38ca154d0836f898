/** The stage's first process makes the container's, tells its pid, and ends or stays as its parent. */
import * as C from "../stage/constants.js";
import type { Slot, StageProgram } from "../stage/program.js";
import { EVENT } from "./events.js";
import { relayTerminal, tellEnd } from "./terminal-relay.js";

export interface ForkPlan {
  /** CLONE_NEW* */
  readonly flags: number;
  readonly stay: boolean;
  /** It stays between the user's terminal and the container's. */
  readonly relay: boolean;
}

/** What follows is run by the child. @returns with `relay`: the socket that the terminal's master is sent to */
export function fork(program: StageProgram, { flags, stay, relay }: ForkPlan): Slot | null {
  const pid = program.slot();
  const child = program.label();
  const pair = program.buffer(8);
  const ours = program.slot();
  const theirs = program.slot();
  if (relay) {
    const args = [C.AF_UNIX, C.SOCK_STREAM | C.SOCK_CLOEXEC, 0, pair];
    program.call("make a socket for the terminal", "socketpair", args);
    program.read(ours, pair, 4);
    program.read(theirs, program.at(pair, 4), 4);
  }
  const args = [BigInt(flags) | BigInt(C.SIGCHLD), 0, 0, 0, 0];
  program.call("make the container's process", "clone", args, { result: pid });
  program.jumpIf(pid, "equal", 0, child);
  program.tell(EVENT.pid, pid);
  if (stay) {
    program.call("follow the runtime's end", "prctl", [C.PR_SET_PDEATHSIG, C.SIGKILL, 0, 0, 0]);
    if (relay) {
      program.call("close a socket", "close", [theirs], { ignore: "all" });
      relayTerminal(program, ours, pid);
    }
    tellEnd(program, pid);
  }
  program.exit(0);
  program.place(child);
  if (relay) program.call("close a socket", "close", [ours], { ignore: "all" });
  return relay ? theirs : null;
}
