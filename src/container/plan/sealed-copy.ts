/** The stage goes on as a copy of itself in memory that nobody can write to (memfd_create(2), sealing). */
import * as C from "../stage/constants.js";
import type { StageProgram } from "../stage/program.js";

/** More than any stage has; the kernel stops at the end of the file. */
const MOST = 1 << 30;

/**
 * A container's process that may trace others reaches the stage by /proc/PID/exe. Its file is nameless by then
 * (stage/run.ts), but as long as somebody holds it open, it can be written to, and grows on the host's disk.
 *
 * Where the kernel has no such memory, or none to execute (vm.memfd_noexec), the stage goes on as it is. No
 * descriptor stays.
 */
export function runFromSealedCopy(program: StageProgram): void {
  const step = "copy the stage";
  const any = { ignore: "all" } as const;
  const self = program.slot();
  const copy = program.slot();
  const seals = program.slot();
  const done = program.label();
  const path = program.string("/proc/self/exe");
  program.call(step, "openat", [C.AT_FDCWD, path, C.O_RDONLY | C.O_CLOEXEC], { ...any, result: self });
  program.jumpIf(self, "less", 0, done);
  program.call(step, "fcntl", [self, C.F_GET_SEALS], { ...any, result: seals });
  program.when(seals, "notEqual", C.F_SEAL_ALL, () => {
    const next = program.label();
    const name = program.string("stage");
    const flags = C.MFD_CLOEXEC | C.MFD_ALLOW_SEALING;
    program.call(step, "memfd_create", [name, flags | C.MFD_EXEC], { ...any, result: copy });
    // Before Linux 6.3 all of them could be executed, and none said so.
    program.when(copy, "equal", -C.ERRNO.EINVAL, () => {
      program.call(step, "memfd_create", [name, flags], { ...any, result: copy });
    });
    program.jumpIf(copy, "less", 0, next);
    program.call(step, "sendfile", [copy, self, 0, MOST], any);
    program.call(step, "fcntl", [copy, C.F_ADD_SEALS, C.F_SEAL_ALL], any);
    const argv = program.strings(["stage"]);
    program.call(step, "execveat", [copy, program.string(""), argv, program.strings([]), C.AT_EMPTY_PATH], any);
    program.call(step, "close", [copy], any);
    program.place(next);
  });
  program.call(step, "close", [self], any);
  program.place(done);
}
