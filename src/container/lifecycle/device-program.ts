/** Loads and attaches a control group's device program (version 2): bpf(2), which a stage calls for us. */
import type { DeviceProgram } from "../cgroups/index.js";
import * as C from "../stage/constants.js";
import { StageProgram } from "../stage/program.js";
import { Stage } from "../stage/run.js";

const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_DETACH = 9;
const BPF_PROG_GET_FD_BY_ID = 13;
const BPF_PROG_QUERY = 16;
const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
const BPF_F_ALLOW_MULTI = 2;
const ATTRIBUTES_SIZE = 128;
/** More than anyone attaches to one group. */
const MAX_OLD_PROGRAMS = 16;
const DONE = 1;

/** @param folder where the stage's file goes for a moment */
export async function attachDeviceProgram(
  { instructions, folder: cgroup }: DeviceProgram,
  folder: string,
): Promise<void> {
  const program = new StageProgram(3);
  const group = program.slot();
  const step = `attach the device program to ${cgroup}`;
  const args = [C.AT_FDCWD, program.string(cgroup), C.O_DIRECTORY | C.O_CLOEXEC];
  program.call(step, "openat", args, { result: group });

  const ids = program.buffer(MAX_OLD_PROGRAMS * 4);
  const query = attributes(program, [0, 0, ids, MAX_OLD_PROGRAMS]);
  // target_fd and attach_type, query_flags and attach_flags, prog_ids, prog_cnt.
  program.write(query, group, 4);
  program.write(program.at(query, 4), BPF_CGROUP_DEVICE, 4);
  program.call(step, "bpf", [BPF_PROG_QUERY, query, ATTRIBUTES_SIZE]);
  const count = program.slot();
  program.read(count, program.at(query, 24), 4);

  const loaded = program.slot();
  const code = program.bytes(instructions);
  // prog_type and insn_cnt, insns, license.
  const head = BigInt(BPF_PROG_TYPE_CGROUP_DEVICE) | (BigInt(instructions.length / 8) << 32n);
  const load = attributes(program, [head, code, program.string("Apache-2.0")]);
  program.call(step, "bpf", [BPF_PROG_LOAD, load, ATTRIBUTES_SIZE], { result: loaded });
  attachment(program, step, BPF_PROG_ATTACH, group, loaded, BPF_F_ALLOW_MULTI);

  // Those of before go last, so that there is no moment without one.
  const old = program.slot();
  const id = program.slot();
  for (let index = 0; index < MAX_OLD_PROGRAMS; index++) {
    const next = program.label();
    program.jumpIf(count, "less", index + 1, next);
    program.read(id, program.at(ids, index * 4), 4);
    const byId = attributes(program, []);
    program.write(byId, id, 4);
    program.call(step, "bpf", [BPF_PROG_GET_FD_BY_ID, byId, ATTRIBUTES_SIZE], { result: old });
    attachment(program, step, BPF_PROG_DETACH, group, old, 0);
    program.place(next);
  }
  program.tell(DONE, 0);
  program.exit(0);

  const stage = new Stage(program, { folder, stdio: ["ignore", "ignore", "ignore"] });
  try {
    await stage.expect(DONE);
  } finally {
    stage.close();
  }
}

/** `union bpf_attr`: words, then zeros. */
function attributes(program: StageProgram, words: Parameters<StageProgram["words"]>[0]) {
  return program.words([...words, ...new Array(ATTRIBUTES_SIZE / 8 - words.length).fill(0)]);
}

function attachment(
  program: StageProgram,
  step: string,
  command: number,
  group: Parameters<StageProgram["write"]>[1],
  fd: Parameters<StageProgram["write"]>[1],
  flags: number,
): void {
  // target_fd and attach_bpf_fd, attach_type and attach_flags.
  const block = attributes(program, [0, BigInt(BPF_CGROUP_DEVICE) | (BigInt(flags) << 32n)]);
  program.write(block, group, 4);
  program.write(program.at(block, 4), fd, 4);
  program.call(step, "bpf", [command, block, ATTRIBUTES_SIZE]);
}
