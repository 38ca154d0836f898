/** Namespaces: which are made, which are joined. */
import type { Namespace, NamespaceType } from "../spec/config.js";
import * as C from "../stage/constants.js";
import type { Slot, StageProgram } from "../stage/program.js";

export const NAMESPACE_FLAG: Readonly<Record<NamespaceType, number>> = {
  mount: C.CLONE_NEWNS,
  cgroup: C.CLONE_NEWCGROUP,
  uts: C.CLONE_NEWUTS,
  ipc: C.CLONE_NEWIPC,
  user: C.CLONE_NEWUSER,
  pid: C.CLONE_NEWPID,
  network: C.CLONE_NEWNET,
  time: C.CLONE_NEWTIME,
};

/** The files of /proc/PID/ns. */
export const NAMESPACE_FILE: Readonly<Record<NamespaceType, string>> = {
  mount: "mnt",
  cgroup: "cgroup",
  uts: "uts",
  ipc: "ipc",
  user: "user",
  pid: "pid",
  network: "net",
  time: "time",
};

/** Made by the container's process itself once it is in its control group, not by clone(2). */
const LATE = C.CLONE_NEWCGROUP | C.CLONE_NEWTIME;

/** Flags for clone(2). */
export function cloneFlags(namespaces: readonly Namespace[]): number {
  let flags = 0;
  for (const { type, path } of namespaces) if (path === undefined) flags |= NAMESPACE_FLAG[type];
  return flags & ~LATE;
}

export function creates(namespaces: readonly Namespace[], type: NamespaceType): boolean {
  return namespaces.some((one) => one.type === type && one.path === undefined);
}

/**
 * Joins the namespaces that have a path. A namespace may belong to the user namespace that is joined with it, or to
 * ours: what is refused before joining the user namespace is tried again after.
 */
export function joinNamespaces(program: StageProgram, namespaces: readonly Namespace[]): void {
  const joined = namespaces
    .filter((one) => one.path !== undefined)
    .map(({ type, path }) => {
      const fd = program.slot();
      const step = `open the ${type} namespace ${path}`;
      program.call(step, "openat", [C.AT_FDCWD, program.string(path as string), C.O_CLOEXEC], { result: fd });
      return { type, fd, path, done: program.slot() };
    });
  const users = joined.filter(({ type }) => type === "user");
  const others = joined.filter(({ type }) => type !== "user");
  const join = ({ type, fd, path, done }: (typeof joined)[number], ignore: number[]) => {
    const step = `join the ${type} namespace ${path}`;
    program.call(step, "setns", [fd, NAMESPACE_FLAG[type]], { result: done, ignore });
  };
  for (const one of others) join(one, users.length > 0 ? [C.ERRNO.EPERM] : []);
  for (const one of users) join(one, []);
  if (users.length > 0) for (const one of others) program.when(one.done, "notEqual", 0, () => join(one, []));
  for (const { fd } of joined) program.call("close a namespace", "close", [fd], { ignore: "all" });
}

/** A time namespace with offsets, entered by the process that makes it. */
export function makeTimeNamespace(
  program: StageProgram,
  proc: Slot,
  offsets: Readonly<Record<string, { readonly secs?: number; readonly nanosecs?: number }>>,
): void {
  program.call("make a time namespace", "unshare", [C.CLONE_NEWTIME]);
  const fd = program.slot();
  const lines = Object.entries(offsets).map(([clock, { secs = 0, nanosecs = 0 }]) => `${clock} ${secs} ${nanosecs}\n`);
  if (lines.length > 0) {
    const step = "set the time namespace's offsets";
    const content = lines.join("");
    program.call(step, "openat", [proc, program.string("self/timens_offsets"), C.O_WRONLY | C.O_CLOEXEC], {
      result: fd,
    });
    program.call(step, "write", [fd, program.string(content), content.length]);
    program.call(step, "close", [fd]);
  }
  const step = "enter the time namespace";
  const path = program.string("self/ns/time_for_children");
  program.call(step, "openat", [proc, path, C.O_CLOEXEC], { result: fd });
  program.call(step, "setns", [fd, C.CLONE_NEWTIME]);
  program.call(step, "close", [fd]);
}
