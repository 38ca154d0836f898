/** A terminal of the container's own devpts: the master goes out over a socket, the slave becomes the standard streams. */
import type { Process } from "../spec/config.js";
import * as C from "../stage/constants.js";
import type { Slot, StageProgram } from "../stage/program.js";
import { openTarget } from "./in-root.js";
import { sendDescriptor } from "./unix-socket.js";

/** With `root`: the slave is mounted on /dev/console as well. */
export function planConsole(program: StageProgram, process: Process, socket: Slot, root: Slot | null): void {
  const step = "make a terminal";
  const master = program.slot();
  const slave = program.slot();
  const path = program.string("/dev/pts/ptmx");
  const flags = C.O_RDWR | C.O_NOCTTY | C.O_CLOEXEC;
  program.call(step, "openat", [C.AT_FDCWD, path, flags], { result: master, ignore: [C.ERRNO.ENOENT] });
  program.when(master, "equal", -C.ERRNO.ENOENT, () => {
    program.call(step, "openat", [C.AT_FDCWD, program.string("/dev/ptmx"), flags], { result: master });
  });
  program.call(step, "ioctl", [master, C.TIOCSPTLCK, program.words([0])]);
  program.call(step, "ioctl", [master, C.TIOCGPTPEER, C.O_RDWR | C.O_NOCTTY], { result: slave });
  if (process.consoleSize) {
    const { height, width } = process.consoleSize;
    const size = program.words([(height & 0xffff) | ((width & 0xffff) << 16)]);
    program.call("set the terminal's size", "ioctl", [master, C.TIOCSWINSZ, size]);
  }
  program.call("own the terminal", "fchown", [slave, process.user.uid, -1], { ignore: "all" });
  if (root) {
    const target = openTarget(program, root, "/dev/console", "file");
    const tree = program.slot();
    const empty = program.string("");
    const consoleStep = "mount the terminal on /dev/console";
    const cloneFlags = C.OPEN_TREE_CLONE | C.OPEN_TREE_CLOEXEC | C.AT_EMPTY_PATH;
    program.call(consoleStep, "open_tree", [slave, empty, cloneFlags], { result: tree });
    const move = C.MOVE_MOUNT_F_EMPTY_PATH | C.MOVE_MOUNT_T_EMPTY_PATH;
    program.call(consoleStep, "move_mount", [tree, empty, target, empty, move]);
    program.call(consoleStep, "close", [tree], { ignore: "all" });
    program.call(consoleStep, "close", [target], { ignore: "all" });
  }
  // containerd and conmon take the message's text for the terminal's name.
  const name = "/dev/ptmx";
  sendDescriptor(program, "send the terminal", socket, master, program.string(name), name.length);
  program.call(step, "close", [master], { ignore: "all" });
  program.call(step, "close", [socket], { ignore: "all" });
  program.call("take the terminal", "ioctl", [slave, C.TIOCSCTTY, 0]);
  for (const fd of [0, 1, 2]) program.call("use the terminal", "dup3", [slave, fd, 0]);
  program.call(step, "close", [slave], { ignore: "all" });
}
