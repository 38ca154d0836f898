/**
 * A terminal for a container in the foreground: the stage's first process stays between the user's terminal and the
 * container's. Node cannot take the master's descriptor over a socket, so it never sees these bytes.
 */
import * as C from "../stage/constants.js";
import type { Address, Slot, StageProgram } from "../stage/program.js";
import { EVENT } from "./events.js";

const POLLIN = 1;
const POLLFD_SIZE = 8;
const CHUNK = 4096;
const SIGNALFD_INFO_SIZE = 128;
const SIG_BLOCK = 0;

/** Fields of struct termios (asm-generic): four words of flags, the line discipline, then control characters. */
const TERMIOS_SIZE = 64;
const CONTROL_CHARACTERS = 17;
const VTIME = 5;
const VMIN = 6;
/** What cfmakeraw(3) clears: IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON; OPOST; CSIZE PARENB; ISIG ICANON ECHO ECHONL IEXTEN. */
const RAW_CLEARS = [0o2753, 0o1, 0o460, 0o100113];
const CS8 = 0o60;

interface Relay {
  readonly polls: Address;
  readonly buffer: Address;
  readonly got: Slot;
  readonly master: Slot;
}

/**
 * @param socket where the master comes from; the container's side is closed here already
 * @param pid the container's process
 */
export function relayTerminal(program: StageProgram, socket: Slot, pid: Slot): void {
  const step = "relay the terminal";
  const relay: Relay = {
    polls: program.buffer(4 * POLLFD_SIZE),
    buffer: program.buffer(CHUNK),
    got: program.slot(),
    master: program.slot(),
  };
  const ended = program.label();
  receiveMaster(program, socket, relay, ended);

  const saved = program.buffer(TERMIOS_SIZE);
  const isTerminal = program.slot();
  program.call(step, "ioctl", [0, C.TCGETS, saved], { result: isTerminal, ignore: "all" });
  program.when(isTerminal, "equal", 0, () => makeRaw(program, saved));
  resize(program, relay);

  const mask = program.words([1n << BigInt(C.SIGWINCH - 1)]);
  const signals = program.slot();
  const process = program.slot();
  program.call(step, "rt_sigprocmask", [SIG_BLOCK, mask, 0, 8]);
  program.call(step, "signalfd4", [-1, mask, 8, C.O_CLOEXEC], { result: signals });
  program.call(step, "pidfd_open", [pid, 0], { result: process });
  [0, relay.master, signals, process].forEach((fd, index) => {
    program.write(program.at(relay.polls, index * POLLFD_SIZE), fd, 4);
    program.write(program.at(relay.polls, index * POLLFD_SIZE + 4), POLLIN, 4);
  });

  const again = program.label();
  const drained = program.label();
  const happened = (index: number) => {
    const events = program.slot();
    program.read(events, program.at(relay.polls, index * POLLFD_SIZE + 6), 2);
    return events;
  };
  program.place(again);
  program.call(step, "poll", [relay.polls, 4, -1], { ignore: [C.ERRNO.EINTR] });
  program.when(happened(1), "notEqual", 0, () => copy(program, relay, 1, relay.master, 1));
  program.when(happened(0), "notEqual", 0, () => copy(program, relay, 0, 0, relay.master));
  program.when(happened(2), "notEqual", 0, () => {
    program.call(step, "read", [signals, relay.buffer, SIGNALFD_INFO_SIZE], { ignore: "all" });
    resize(program, relay);
  });
  program.jumpIf(happened(3), "equal", 0, again);

  // The program has ended: what it wrote last is still in the terminal.
  program.place(drained);
  program.call(step, "poll", [program.at(relay.polls, POLLFD_SIZE), 1, 0], { result: relay.got, ignore: "all" });
  program.when(relay.got, "equal", 1, () => {
    copy(program, relay, 1, relay.master, 1);
    program.jumpIf(relay.got, "less", 1, ended);
    program.jump(drained);
  });
  program.place(ended);
  program.when(isTerminal, "equal", 0, () => {
    program.call(step, "ioctl", [0, C.TCSETS, saved], { ignore: "all" });
  });
}

function receiveMaster(program: StageProgram, socket: Slot, relay: Relay, ended: ReturnType<StageProgram["label"]>) {
  const control = program.words([0, 0, 0]);
  const vector = program.words([relay.buffer, CHUNK]);
  const header = program.words([0, 0, vector, 1, control, 24, 0]);
  const step = "receive the terminal";
  program.call(step, "recvmsg", [socket, header, C.O_CLOEXEC], { result: relay.got, ignore: "all" });
  // The container's process has ended before it had one.
  program.jumpIf(relay.got, "less", 1, ended);
  program.read(relay.master, program.at(control, 16), 4);
}

function makeRaw(program: StageProgram, saved: Address): void {
  const raw = program.buffer(TERMIOS_SIZE);
  const word = program.slot();
  for (let at = 0; at < TERMIOS_SIZE; at += 8) {
    program.read(word, program.at(saved, at), 8);
    program.write(program.at(raw, at), word, 8);
  }
  RAW_CLEARS.forEach((bits, index) => {
    program.read(word, program.at(saved, index * 4), 4);
    program.mask(word, ~bits);
    if (index === 2) program.increase(word, CS8);
    program.write(program.at(raw, index * 4), word, 4);
  });
  program.writeByte(program.at(raw, CONTROL_CHARACTERS + VMIN), 1);
  program.writeByte(program.at(raw, CONTROL_CHARACTERS + VTIME), 0);
  program.call("make the terminal raw", "ioctl", [0, C.TCSETS, raw], { ignore: "all" });
}

/** The container's terminal gets the size of the user's. */
function resize(program: StageProgram, { buffer, got, master }: Relay): void {
  program.call("read the terminal's size", "ioctl", [0, C.TIOCGWINSZ, buffer], { result: got, ignore: "all" });
  program.when(got, "equal", 0, () => {
    program.call("set the terminal's size", "ioctl", [master, C.TIOCSWINSZ, buffer], { ignore: "all" });
  });
}

/** One chunk from a descriptor to another; at its end, or where it fails, it is polled no more. */
function copy(program: StageProgram, relay: Relay, index: number, from: number | Slot, to: number | Slot): void {
  const step = "relay the terminal";
  const { buffer, got, polls } = relay;
  const rest = program.label();
  const more = program.label();
  const done = program.label();
  program.call(step, "read", [from, buffer, CHUNK], { result: got, ignore: "all" });
  program.jumpIf(got, "equal", -C.ERRNO.EAGAIN, done);
  program.jumpIf(got, "greaterOrEqual", 1, rest);
  program.write(program.at(polls, index * POLLFD_SIZE), -1, 4);
  program.jump(done);
  program.place(rest);
  const written = program.slot();
  const left = program.slot();
  const at = program.slot();
  program.set(left, got);
  program.set(at, buffer);
  program.place(more);
  program.call(step, "write", [to, at, left], { result: written, ignore: "all" });
  // Nobody reads any more, or not now: these bytes are lost, as a terminal loses them.
  program.jumpIf(written, "less", 1, done);
  program.increase(at, written);
  program.subtract(left, written);
  program.jumpIf(left, "notEqual", 0, more);
  program.place(done);
}

/** Waits for the container's process and tells how it ended. */
export function tellEnd(program: StageProgram, pid: Slot): void {
  const status = program.slot();
  const got = program.slot();
  const again = program.label();
  program.place(again);
  program.call("wait", "wait4", [pid, status.address, 0, 0], { result: got, ignore: [C.ERRNO.EINTR] });
  program.jumpIf(got, "equal", -C.ERRNO.EINTR, again);
  program.tell(EVENT.exited, status);
}
