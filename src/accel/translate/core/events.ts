// Events between instructions: exceptions on their way to their handlers, interrupts, halting, debug
// traps. Intel SDM vol. 3A chapter 6; AMD APM vol. 2 chapter 8.
import {
  BLOCK_HEADER, BLOCK_RIP, COUNT_EXCEPTIONS, COUNT_INTERRUPTS, CPL, CR2, CS, CUR_REC, DEBUG_BP, DEBUG_BREAKPOINTS, DEBUG_PENDING,
  DEBUG_RESUME, DEBUG_STEP, DEBUG_WATCHPOINTS, DELIVERING, DELIVERING_KIND, DR, DS, ES, EVENT_EXCEPTION,
  EVENT_INTERRUPT, EVENT_NMI, EVENT_SOFTWARE, EXC_ERROR, EXC_HAS_ERROR, EXC_PAYLOAD, EXC_PENDING, EXC_VECTOR,
  EXIT_BREAKPOINT, EXIT_BUDGET, EXIT_DETAIL, EXIT_HALT, EXIT_INTERCEPT, EXIT_LENGTH, EXIT_REASON, EXIT_REQUEST,
  EXIT_SHUTDOWN, EXIT_STEP, EXIT_WATCHPOINT, EXTINT_MESSAGE, FS, GPR, GS, IDTR_BASE, IDTR_LIMIT, INTERCEPT_EXCEPTIONS,
  INTERRUPT_CHECK, MAX_VCPUS, MONITOR_INTERRUPTS, MONITOR_LINE, MSR_DEBUGCTL, NMI_MASKED, NMI_PENDING, REMAINING,
  REPEATING, RFLAGS, RIP, RUN_STATE, SEG_ATTR, SEG_BASE, SEG_LIMIT, SEG_SELECTOR, SHADOW, SINGLE_BLOCK, SIPI_VECTOR, SS,
  STEPPING, STEP_TRAP, TLB, TR, VCPU_BASE, VCPU_STRIDE, VENDOR, WATCH_HIT,
} from "../layout";
import { count } from "./blocks";
import { DB, DE, DF, GP, NP, PF, SSF, TS, raiseError } from "./exceptions";
import { IF, NT, RF, TF, VM, getFlags, setFlags } from "./flags";
import { hostAcknowledgePic, unwind } from "./host";
import { apicAcknowledge, apicPendingVector, apicExtInt, apicWantsAttention } from "./lapic";
import { sysRead16, sysRead32, sysRead64, sysWrite16, sysWrite32, sysWrite64, write64 } from "./memory";
import { is64, isLongMode, isProtected, refreshMode } from "./mode";
import { canonical, probeWrite, probeWriteSystem } from "./mmu";
import { REC_LEN, REC_SEQ } from "./record";
import { initVcpu, startVcpu } from "./reset";
import {
  ATTR_CODE, ATTR_CONFORMING, ATTR_DB, ATTR_DOWN, ATTR_L, ATTR_P, ATTR_S, ATTR_WRITABLE, SYS_INT, SYS_INT16,
  SYS_TASK_GATE, SYS_TRAP, SYS_TRAP16,
} from "./segment-bits";
import {
  descriptorAt, descriptorAttributes, descriptorBase, descriptorLimit, dplOf, fillSegment, isNull, nullSegment, nullStack,
  readDescriptor, realSegment, seg, segSelector, setAccessed, setCodeSegment,
} from "./segments";
import { setStackPointer, stackMask, stackPointer, stackWrite } from "./stack";
import { taskGateInterrupt } from "./task-switch";

const RSP: usize = GPR + 4 * 8;
const DR6: usize = DR + 48;
const DR7: usize = DR + 56;
const DR6_BS: u64 = 1 << 14;
const DR7_GD: u64 = 1 << 13;
const DEBUGCTL_LBR: u64 = 1;
const DEBUGCTL_BTF: u64 = 2;

const RUN_RUNNING: u32 = 0;
const RUN_HALTED: u32 = 1;
const RUN_WAIT_FOR_SIPI: u32 = 2;
const RUN_INIT: u32 = 3;
const RUN_SHUTDOWN: u32 = 4;
const RUN_MWAIT: u32 = 5;

/** EXC_ERROR of a #DB that is a trap: its instruction is complete. */
const DEBUG_TRAP: u32 = 1;

export const ATTENTION_CONTINUE: u32 = 0;
export const ATTENTION_LEAVE: u32 = 1;
export const ATTENTION_STEP: u32 = 2;

function leaveWith(cpu: usize, reason: u32): u32 {
  store<u32>(cpu, reason, EXIT_REASON);
  return ATTENTION_LEAVE;
}

/** Between blocks, when EXIT_REQUEST or INTERRUPT_CHECK is set: delivers what is due and says how to go on. */
export function attention(cpu: usize): u32 {
  store<u32>(cpu, 0, CUR_REC);
  if (load<u32>(cpu, EXIT_REQUEST) != 0 || load<i64>(cpu, REMAINING) <= 0) {
    store<u32>(cpu, 0, EXIT_REQUEST);
    return leaveWith(cpu, EXIT_BUDGET);
  }
  const state = load<u32>(cpu, RUN_STATE);
  if (state != RUN_RUNNING) {
    if (!wake(cpu, state)) return leaveWith(cpu, state == RUN_SHUTDOWN ? EXIT_SHUTDOWN : EXIT_HALT);
  }
  if (load<u32>(cpu, SHADOW) != 0) {
    // One instruction without interrupts. Debug traps held back by MOV SS come after it; on Intel's processors an
    // instruction breakpoint there is lost.
    if (load<u32>(cpu, SHADOW) == 2 && load<u32>(cpu, VENDOR) != 0) {
      store<u64>(cpu, load<u64>(cpu, RFLAGS) | RF, RFLAGS);
    }
    store<u32>(cpu, 0, SHADOW);
    store<u32>(cpu, (load<u64>(cpu, RFLAGS) & TF) != 0 ? 1 : 0, STEP_TRAP);
    return ATTENTION_STEP;
  }
  const trapped = load<u64>(cpu, DEBUG_PENDING);
  if (trapped != 0) {
    debugTrap(cpu, trapped);
    if (load<u32>(cpu, EXIT_REASON) != 0) return ATTENTION_LEAVE;
  }
  if (load<u32>(cpu, NMI_PENDING) != 0 && load<u32>(cpu, NMI_MASKED) == 0) {
    store<u32>(cpu, load<u32>(cpu, NMI_PENDING) - 1, NMI_PENDING);
    store<u32>(cpu, 1, NMI_MASKED);
    deliver(cpu, 2, EVENT_NMI, false, 0);
  } else if ((load<u64>(cpu, RFLAGS) & IF) != 0) {
    const vector = apicPendingVector(cpu);
    if (vector >= 0) {
      count(cpu, COUNT_INTERRUPTS);
      deliver(cpu, <u32>apicAcknowledge(cpu), EVENT_INTERRUPT, false, 0);
    } else if (apicExtInt(cpu)) {
      store<u32>(cpu, 0, EXTINT_MESSAGE);
      count(cpu, COUNT_INTERRUPTS);
      deliver(cpu, hostAcknowledgePic(cpu) & 0xff, EVENT_INTERRUPT, false, 0);
    }
  }
  const flags = load<u64>(cpu, RFLAGS);
  const stepping =
    (flags & (TF | RF)) != 0 ||
    load<u32>(cpu, DEBUG_STEP) != 0 ||
    load<u32>(cpu, DEBUG_BREAKPOINTS) != 0 ||
    load<u32>(cpu, DEBUG_WATCHPOINTS) != 0 ||
    (load<u64>(cpu, DR7) & 0xff) != 0 ||
    load<u64>(cpu, DEBUG_PENDING) != 0;
  if (stepping) {
    store<u32>(cpu, (flags & TF) != 0 ? 1 : 0, STEP_TRAP);
    return ATTENTION_STEP;
  }
  store<u32>(cpu, 0, INTERRUPT_CHECK);
  return ATTENTION_CONTINUE;
}

/** Whether something would end a halt now. */
export function hasPendingWork(cpu: usize): i32 {
  const state = load<u32>(cpu, RUN_STATE);
  if (state == RUN_INIT) return 1;
  if (state == RUN_WAIT_FOR_SIPI) return load<u32>(cpu, SIPI_VECTOR) != 0xffffffff ? 1 : 0;
  if (state == RUN_SHUTDOWN) return 0;
  if (state == RUN_RUNNING) return 1;
  if (load<u32>(cpu, NMI_PENDING) != 0 && load<u32>(cpu, NMI_MASKED) == 0) return 1;
  const monitoring = state == RUN_MWAIT;
  if (monitoring && load<u32>(cpu, MONITOR_LINE) == 0) return 1;
  const open = (load<u64>(cpu, RFLAGS) & IF) != 0 || (monitoring && load<u32>(cpu, MONITOR_INTERRUPTS) != 0);
  return open && apicWantsAttention(cpu) ? 1 : 0;
}

/** Whether another vCPU of the machine has something to do. */
export function othersWait(cpu: usize): bool {
  for (let vcpu: usize = 0; vcpu < <usize>MAX_VCPUS; vcpu++) {
    const other: usize = VCPU_BASE + vcpu * VCPU_STRIDE;
    // A state block in use has a TLB.
    if (other != cpu && load<u32>(other, TLB) != 0 && hasPendingWork(other) != 0) return true;
  }
  return false;
}

function wake(cpu: usize, state: u32): bool {
  if (state == RUN_INIT) {
    // A SIPI may have followed before this vCPU got its turn.
    const sipi = load<u32>(cpu, SIPI_VECTOR);
    initVcpu(cpu);
    store<u32>(cpu, sipi, SIPI_VECTOR);
    if (load<u32>(cpu, RUN_STATE) == RUN_RUNNING) return true;
  }
  if (load<u32>(cpu, RUN_STATE) == RUN_WAIT_FOR_SIPI) {
    const vector = load<u32>(cpu, SIPI_VECTOR);
    if (vector == 0xffffffff) return false;
    startVcpu(cpu, vector);
    return true;
  }
  if (hasPendingWork(cpu) == 0) return false;
  if (state == RUN_MWAIT) store<u32>(cpu, 0, MONITOR_LINE);
  store<u32>(cpu, RUN_RUNNING, RUN_STATE);
  return true;
}

// ---- Single steps and breakpoints.

/** Before an instruction in stepping mode. True where a debugger's breakpoint ends the run. */
export function beforeInstruction(cpu: usize): bool {
  if (meetsBreakpoint(cpu)) return true;
  // RF lasts for one instruction; what IRET loads is for the next.
  store<u64>(cpu, load<u64>(cpu, RFLAGS) & ~RF, RFLAGS);
  return false;
}

function meetsBreakpoint(cpu: usize): bool {
  const points = load<u32>(cpu, DEBUG_BREAKPOINTS);
  const dr7 = load<u64>(cpu, DR7);
  if (points == 0 && (dr7 & 0xff) == 0) return false;
  const rip = load<u64>(cpu, RIP);
  const linear = is64(cpu) ? rip : (rip + load<u64>(seg(cpu, CS), SEG_BASE)) & 0xffffffff;
  if (load<u32>(cpu, DEBUG_RESUME) == 0) {
    for (let i: u32 = 0; i < points; i++) {
      if (load<u64>(cpu + DEBUG_BP + (i << 3)) == linear) {
        store<u32>(cpu, EXIT_BREAKPOINT, EXIT_REASON);
        return true;
      }
    }
  }
  if ((load<u64>(cpu, RFLAGS) & RF) == 0) {
    for (let i: u32 = 0; i < 4; i++) {
      const enabled = ((dr7 >> <u64>(i * 2)) & 3) != 0;
      const kind = (dr7 >> <u64>(16 + i * 4)) & 3;
      if (enabled && kind == 0 && load<u64>(cpu + DR + (i << 3)) == linear) {
        store<u32>(cpu, EVENT_EXCEPTION, EXC_PENDING);
        store<u32>(cpu, DB, EXC_VECTOR);
        store<u32>(cpu, 0, EXC_HAS_ERROR);
        store<u32>(cpu, 0, EXC_ERROR);
        store<u64>(cpu, <u64>1 << i, EXC_PAYLOAD);
        // The block at hand is not the handler's: the host's loop comes back and delivers.
        unwind();
      }
    }
  }
  return false;
}

// Whether TF traps after this instruction: with DEBUGCTL.BTF after those alone that go elsewhere than on.
function stepsHere(cpu: usize): bool {
  if ((load<u64>(cpu, MSR_DEBUGCTL) & DEBUGCTL_BTF) == 0) return true;
  const next = load<u64>(cpu, BLOCK_RIP) + <u64>load<u8>(cpu + SINGLE_BLOCK + BLOCK_HEADER, REC_LEN);
  return load<u64>(cpu, RIP) != next;
}

/** After an instruction in stepping mode: debug traps. True where the run ends. */
export function stepTrap(cpu: usize): bool {
  store<u32>(cpu, 0, DEBUG_RESUME);
  // A breakpoint on a string instruction hits once, not at each repetition.
  if (load<u32>(cpu, REPEATING) != 0) store<u64>(cpu, load<u64>(cpu, RFLAGS) | RF, RFLAGS);
  store<u32>(cpu, 0, REPEATING);
  let pending = load<u64>(cpu, DEBUG_PENDING);
  if (load<u32>(cpu, STEP_TRAP) != 0 && stepsHere(cpu)) pending |= DR6_BS;
  store<u32>(cpu, 0, STEP_TRAP);
  if (pending != 0) {
    if (load<u32>(cpu, SHADOW) == 2) store<u64>(cpu, pending & ~DR6_BS, DEBUG_PENDING);
    else {
      // A trap ends the halt of the HLT that it follows.
      if (load<u32>(cpu, RUN_STATE) == RUN_HALTED) store<u32>(cpu, RUN_RUNNING, RUN_STATE);
      debugTrap(cpu, pending);
      if (load<u32>(cpu, EXIT_REASON) != 0) return true;
    }
  }
  if (load<u32>(cpu, WATCH_HIT) != 0) {
    store<u32>(cpu, load<u32>(cpu, WATCH_HIT) == 2 ? 1 : 0, EXIT_DETAIL);
    store<u32>(cpu, 0, WATCH_HIT);
    store<u32>(cpu, EXIT_WATCHPOINT, EXIT_REASON);
    return true;
  }
  if (load<u32>(cpu, DEBUG_STEP) != 0) {
    store<u32>(cpu, EXIT_STEP, EXIT_REASON);
    return true;
  }
  return false;
}

/** At the end of an instruction that looks at TF then, not at its beginning: SYSCALL and SYSRET. Does not return for a trap. */
export function stepTrapAtEnd(cpu: usize): void {
  const trap = (load<u64>(cpu, RFLAGS) & TF) != 0;
  const stepping = load<u32>(cpu, STEPPING) != 0;
  store<u32>(cpu, trap && stepping ? 1 : 0, STEP_TRAP);
  if (!trap || stepping) return;
  store<u32>(cpu, EVENT_EXCEPTION, EXC_PENDING);
  store<u32>(cpu, DB, EXC_VECTOR);
  store<u32>(cpu, 0, EXC_HAS_ERROR);
  store<u32>(cpu, DEBUG_TRAP, EXC_ERROR);
  store<u64>(cpu, DR6_BS, EXC_PAYLOAD);
  // The instruction is complete, and the last of its block, whose instructions count.
  const rec: usize = load<u32>(cpu, CUR_REC);
  store<i64>(cpu, load<i64>(cpu, REMAINING) - 1 - <i64>load<u8>(rec, REC_SEQ), REMAINING);
  store<u32>(cpu, 0, CUR_REC);
  unwind();
}

// #DB after an instruction, with these bits for DR6.
function debugTrap(cpu: usize, conditions: u64): void {
  store<u64>(cpu, 0, DEBUG_PENDING);
  store<u32>(cpu, EVENT_EXCEPTION, EXC_PENDING);
  store<u32>(cpu, DB, EXC_VECTOR);
  store<u32>(cpu, 0, EXC_HAS_ERROR);
  store<u32>(cpu, DEBUG_TRAP, EXC_ERROR);
  store<u64>(cpu, conditions, EXC_PAYLOAD);
  deliverPending(cpu);
}

// ---- Exceptions.

// SDM table 6-4.
function isContributory(vector: u32): bool {
  return vector == DE || (vector >= TS && vector <= GP);
}

function hasErrorCode(vector: u32): bool {
  return vector == DF || (vector >= TS && vector <= PF) || vector == 17;
}

/** Delivers the exception that was raised. A second one while the first is delivered may become #DF, or shutdown. */
export function deliverPending(cpu: usize): void {
  store<u32>(cpu, 0, CUR_REC);
  const kind = load<u32>(cpu, EXC_PENDING);
  let vector = load<u32>(cpu, EXC_VECTOR);
  let error = load<u32>(cpu, EXC_ERROR);
  if (kind != EVENT_EXCEPTION) {
    // An event that a restored state was delivering.
    store<u32>(cpu, 0, EXC_PENDING);
    deliver(cpu, vector, kind, false, 0);
    return;
  }
  if ((load<u32>(cpu, INTERCEPT_EXCEPTIONS) >> vector) & 1) {
    store<u32>(cpu, 0, EXC_PENDING);
    store<u32>(cpu, EXIT_INTERCEPT, EXIT_REASON);
    store<u32>(cpu, 32 + vector, EXIT_DETAIL);
    store<u32>(cpu, 0, EXIT_LENGTH);
    store<u32>(cpu, 0, DELIVERING);
    return;
  }
  const first = load<u32>(cpu, DELIVERING);
  const firstKind = load<u32>(cpu, DELIVERING_KIND);
  store<u32>(cpu, 0, DELIVERING);
  store<u32>(cpu, 0, EXC_PENDING);
  if (vector == PF) store<u64>(cpu, load<u64>(cpu, EXC_PAYLOAD), CR2);
  if (first != 0 && firstKind == EVENT_EXCEPTION) {
    const old = first - 1;
    if (old == DF) {
      store<u32>(cpu, RUN_SHUTDOWN, RUN_STATE);
      store<u32>(cpu, EXIT_SHUTDOWN, EXIT_REASON);
      store<u32>(cpu, 1, INTERRUPT_CHECK);
      return;
    }
    const double =
      (isContributory(old) && isContributory(vector)) || (old == PF && (vector == PF || isContributory(vector)));
    if (double) {
      vector = DF;
      error = 0;
    }
  }
  count(cpu, COUNT_EXCEPTIONS);
  let trap = vector == 3 || vector == 4;
  if (vector == DB) {
    trap = error == DEBUG_TRAP;
    error = 0;
    const dr6 = load<u64>(cpu, DR6);
    store<u64>(cpu, (dr6 & ~(<u64>15)) | load<u64>(cpu, EXC_PAYLOAD), DR6);
    store<u64>(cpu, load<u64>(cpu, DR7) & ~DR7_GD, DR7);
    store<u64>(cpu, load<u64>(cpu, MSR_DEBUGCTL) & ~(DEBUGCTL_LBR | DEBUGCTL_BTF), MSR_DEBUGCTL);
  }
  if (!trap) {
    resumeFlag = RF;
    // Traps of an instruction that did not complete come again with it.
    store<u64>(cpu, 0, DEBUG_PENDING);
  }
  deliver(cpu, vector, EVENT_EXCEPTION, hasErrorCode(vector), error);
}

// RF in the flags that are pushed: set by faults, so that an instruction breakpoint does not hit twice.
let resumeFlag: u64 = 0;

// ---- Delivery.

/** Takes an event to its handler. Raises what its delivery raises. */
export function deliver(cpu: usize, vector: u32, kind: u32, hasError: bool, error: u32): void {
  const flags = getFlags(cpu) | resumeFlag | (load<u32>(cpu, REPEATING) != 0 ? RF : 0);
  resumeFlag = 0;
  store<u32>(cpu, 0, REPEATING);
  store<u32>(cpu, vector + 1, DELIVERING);
  store<u32>(cpu, kind, DELIVERING_KIND);
  if (!isProtected(cpu)) deliverReal(cpu, vector, flags);
  else if (isLongMode(cpu)) deliverLong(cpu, vector, kind, hasError, error, flags);
  else deliverProtected(cpu, vector, kind, hasError, error, flags);
  store<u32>(cpu, 0, DELIVERING);
  store<u32>(cpu, 1, INTERRUPT_CHECK);
}

// The interrupt vector table: 16-bit offset and segment; no error codes.
function deliverReal(cpu: usize, vector: u32, flags: u64): void {
  if (vector * 4 + 3 > load<u32>(cpu, IDTR_LIMIT)) raiseError(cpu, GP, 0);
  const entry = sysRead32(cpu, load<u64>(cpu, IDTR_BASE) + vector * 4);
  const sp = stackPointer(cpu);
  stackWrite(cpu, sp - 2, 2, flags);
  stackWrite(cpu, sp - 4, 2, segSelector(cpu, CS));
  stackWrite(cpu, sp - 6, 2, load<u64>(cpu, RIP));
  setStackPointer(cpu, sp - 6);
  realSegment(cpu, CS, entry >> 16);
  store<u64>(cpu, entry & 0xffff, RIP);
  setFlags(cpu, flags & ~(IF | TF | RF));
  refreshMode(cpu);
}

let gateLow: u64 = 0;
let gateHigh: u64 = 0;

// The gate's checks that every form shares; answers its type.
function readGate(cpu: usize, vector: u32, kind: u32, bytes: u32): u32 {
  const external: u32 = kind == EVENT_SOFTWARE ? 0 : 1;
  const code = vector * 8 + 2;
  if (vector * bytes + bytes - 1 > load<u32>(cpu, IDTR_LIMIT)) raiseError(cpu, GP, code | external);
  const at = load<u64>(cpu, IDTR_BASE) + vector * bytes;
  gateLow = sysRead64(cpu, at);
  gateHigh = bytes == 16 ? sysRead64(cpu, at + 8) : 0;
  const attributes = descriptorAttributes(gateLow);
  const type = attributes & 31;
  const known =
    type == SYS_INT || type == SYS_TRAP || (bytes == 8 && (type == SYS_INT16 || type == SYS_TRAP16 || type == SYS_TASK_GATE));
  if (!known) raiseError(cpu, GP, code | external);
  if (kind == EVENT_SOFTWARE && dplOf(attributes) < load<u32>(cpu, CPL)) raiseError(cpu, GP, code);
  if ((attributes & ATTR_P) == 0) raiseError(cpu, NP, code | external);
  return type;
}

// The code segment a gate leads to, checked; answers the new CPL.
function gateTarget(cpu: usize, selector: u32, external: u32): u32 {
  if (isNull(selector)) raiseError(cpu, GP, external);
  const descriptor = readDescriptor(cpu, selector, GP, external);
  targetDescriptor = descriptor;
  const attributes = descriptorAttributes(descriptor);
  const error = (selector & 0xfffc) | external;
  const cpl = load<u32>(cpu, CPL);
  if ((attributes & (ATTR_S | ATTR_CODE)) != (ATTR_S | ATTR_CODE) || dplOf(attributes) > cpl) raiseError(cpu, GP, error);
  if (isLongMode(cpu) && (attributes & (ATTR_L | ATTR_DB)) != ATTR_L) raiseError(cpu, GP, error);
  if ((attributes & ATTR_P) == 0) raiseError(cpu, NP, error);
  targetDescriptor = setAccessed(cpu, descriptorAt, descriptor);
  return attributes & ATTR_CONFORMING ? cpl : dplOf(attributes);
}
let targetDescriptor: u64 = 0;

function deliverLong(cpu: usize, vector: u32, kind: u32, hasError: bool, error: u32, flags: u64): void {
  const external: u32 = kind == EVENT_SOFTWARE ? 0 : 1;
  const type = readGate(cpu, vector, kind, 16);
  const selector = <u32>(gateLow >> 16) & 0xffff;
  const offset = (gateLow & 0xffff) | ((gateLow >> 48) << 16) | (gateHigh << 32);
  const ist = <u32>(gateLow >> 32) & 7;
  const cpl = gateTarget(cpu, selector, external);
  const code = targetDescriptor;
  const inner = cpl < load<u32>(cpu, CPL);
  let rsp = load<u64>(cpu, RSP);
  if (ist != 0) rsp = tssStack64(cpu, 36 + (ist - 1) * 8, external);
  else if (inner) rsp = tssStack64(cpu, 4 + cpl * 8, external);
  rsp &= ~(<u64>15);
  const bytes: u32 = hasError ? 48 : 40;
  if (!canonical(cpu, rsp - 1) || !canonical(cpu, rsp - bytes)) raiseError(cpu, SSF, external);
  if (!canonical(cpu, offset)) raiseError(cpu, GP, external);
  // A ring-3 handler's stack is user memory; everything else is written as supervisor.
  const user = cpl == 3;
  if (user) probeWrite(cpu, rsp - bytes, bytes);
  else probeWriteSystem(cpu, rsp - bytes, bytes);
  pushLong(cpu, user, rsp - 8, segSelector(cpu, SS));
  pushLong(cpu, user, rsp - 16, load<u64>(cpu, RSP));
  pushLong(cpu, user, rsp - 24, flags);
  pushLong(cpu, user, rsp - 32, segSelector(cpu, CS));
  pushLong(cpu, user, rsp - 40, load<u64>(cpu, RIP));
  if (hasError) pushLong(cpu, user, rsp - 48, error);
  store<u64>(cpu, rsp - bytes, RSP);
  if (inner) nullStack(cpu, cpl, cpl);
  setCodeSegment(cpu, selector, code, cpl);
  store<u64>(cpu, offset, RIP);
  setFlags(cpu, flags & ~(TF | NT | RF | VM | (type == SYS_INT ? IF : 0)));
  refreshMode(cpu);
}

// @ts-ignore: decorator
@inline
function pushLong(cpu: usize, user: bool, linear: u64, value: u64): void {
  if (user) write64(cpu, linear, value);
  else sysWrite64(cpu, linear, value);
}

function tssStack64(cpu: usize, offset: u32, external: u32): u64 {
  const tr = seg(cpu, TR);
  if (offset + 7 > load<u32>(tr, SEG_LIMIT)) raiseError(cpu, TS, (load<u32>(tr, SEG_SELECTOR) & 0xfffc) | external);
  return sysRead64(cpu, load<u64>(tr, SEG_BASE) + offset);
}

function deliverProtected(cpu: usize, vector: u32, kind: u32, hasError: bool, error: u32, flags: u64): void {
  const external: u32 = kind == EVENT_SOFTWARE ? 0 : 1;
  const type = readGate(cpu, vector, kind, 8);
  if (type == SYS_TASK_GATE) {
    taskGateInterrupt(cpu, gateLow, flags, external, hasError, error);
    return;
  }
  const wide = (type & 8) != 0;
  const size: u32 = wide ? 4 : 2;
  const selector = <u32>(gateLow >> 16) & 0xffff;
  let offset = gateLow & 0xffff;
  if (wide) offset |= (gateLow >> 48) << 16;
  const cpl = gateTarget(cpu, selector, external);
  const code = targetDescriptor;
  const mask = (type & 1) == 0 ? IF : 0;
  if (offset > <u64>descriptorLimit(code)) raiseError(cpu, GP, external);
  const words: u32 = hasError ? 1 : 0;
  const virtual86 = (flags & VM) != 0;
  // From virtual-8086 mode only ring 0 can be reached.
  if (virtual86 && cpl != 0) raiseError(cpu, GP, (selector & 0xfffc) | external);
  if (cpl < load<u32>(cpu, CPL)) {
    innerStack(cpu, cpl, external);
    const selectorSs = innerSelector;
    const descriptorSs = innerDescriptor;
    const esp = innerPointer;
    const big = (descriptorAttributes(descriptorSs) & ATTR_DB) != 0;
    const pointerMask: u64 = big ? 0xffffffff : 0xffff;
    const total = ((virtual86 ? 9 : 5) + words) * size;
    const bottom = (esp - total) & pointerMask;
    checkStack(cpu, descriptorSs, bottom, total, selectorSs, external);
    const base = descriptorBase(descriptorSs);
    let at = esp;
    probeWriteSystem(cpu, (base + bottom) & 0xffffffff, total);
    if (virtual86) {
      at = innerPush(cpu, base, at, pointerMask, size, segSelector(cpu, GS));
      at = innerPush(cpu, base, at, pointerMask, size, segSelector(cpu, FS));
      at = innerPush(cpu, base, at, pointerMask, size, segSelector(cpu, DS));
      at = innerPush(cpu, base, at, pointerMask, size, segSelector(cpu, ES));
      nullSegment(cpu, GS, 0);
      nullSegment(cpu, FS, 0);
      nullSegment(cpu, DS, 0);
      nullSegment(cpu, ES, 0);
    }
    at = innerPush(cpu, base, at, pointerMask, size, segSelector(cpu, SS));
    at = innerPush(cpu, base, at, pointerMask, size, load<u64>(cpu, RSP));
    at = innerPush(cpu, base, at, pointerMask, size, flags);
    at = innerPush(cpu, base, at, pointerMask, size, segSelector(cpu, CS));
    at = innerPush(cpu, base, at, pointerMask, size, load<u64>(cpu, RIP));
    if (hasError) at = innerPush(cpu, base, at, pointerMask, size, error);
    fillSegment(cpu, SS, (selectorSs & 0xfffc) | cpl, descriptorSs);
    setCodeSegment(cpu, selector, code, cpl);
    refreshMode(cpu);
    setStackPointer(cpu, at);
  } else {
    const total = (3 + words) * size;
    const start = stackPointer(cpu);
    // The whole frame is checked before a part of it is written.
    const bottom = (start - total) & stackMask(cpu);
    checkStackLive(cpu, bottom, total, external);
    stackWrite(cpu, start - size, size, flags);
    stackWrite(cpu, start - 2 * size, size, segSelector(cpu, CS));
    stackWrite(cpu, start - 3 * size, size, load<u64>(cpu, RIP));
    if (hasError) stackWrite(cpu, bottom, size, error);
    setStackPointer(cpu, bottom);
    setCodeSegment(cpu, selector, code, cpl);
  }
  store<u64>(cpu, offset, RIP);
  setFlags(cpu, flags & ~(TF | NT | RF | VM | mask));
  refreshMode(cpu);
}

export let innerSelector: u32 = 0;
export let innerDescriptor: u64 = 0;
export let innerPointer: u64 = 0;

/** SS and ESP of an inner ring from the TSS, checked: innerSelector, innerDescriptor, innerPointer. SDM 6.12.1. */
export function innerStack(cpu: usize, cpl: u32, external: u32): void {
  const tr = seg(cpu, TR);
  const wide = (load<u32>(tr, SEG_ATTR) & 8) != 0;
  const offset: u32 = wide ? 4 + cpl * 8 : 2 + cpl * 4;
  const bytes: u32 = wide ? 6 : 4;
  const error = (load<u32>(tr, SEG_SELECTOR) & 0xfffc) | external;
  if (offset + bytes - 1 > load<u32>(tr, SEG_LIMIT)) raiseError(cpu, TS, error);
  const at = load<u64>(tr, SEG_BASE) + offset;
  innerPointer = wide ? <u64>sysRead32(cpu, at) : <u64>sysRead16(cpu, at);
  const selector = <u32>sysRead16(cpu, at + (wide ? 4 : 2));
  innerSelector = selector;
  if (isNull(selector)) raiseError(cpu, TS, external);
  const descriptor = readDescriptor(cpu, selector, TS, external);
  const attributes = descriptorAttributes(descriptor);
  const bad = (selector & 0xfffc) | external;
  if ((selector & 3) != cpl || dplOf(attributes) != cpl) raiseError(cpu, TS, bad);
  if ((attributes & (ATTR_S | ATTR_CODE | ATTR_WRITABLE)) != (ATTR_S | ATTR_WRITABLE)) raiseError(cpu, TS, bad);
  if ((attributes & ATTR_P) == 0) raiseError(cpu, SSF, bad);
  innerDescriptor = setAccessed(cpu, descriptorAt, descriptor);
}

/** Whether `total` bytes from `bottom` lie inside a stack segment that is not loaded yet; else #SS with its selector. */
export function checkStack(cpu: usize, descriptor: u64, bottom: u64, total: u32, selector: u32, external: u32): void {
  const outside = outsideStack(descriptorAttributes(descriptor), <u64>descriptorLimit(descriptor), bottom, total);
  if (outside) raiseError(cpu, SSF, (selector & 0xfffc) | external);
}

// Whether a part of `total` bytes from `bottom` lies outside a stack segment's limit.
function outsideStack(attributes: u32, limit: u64, bottom: u64, total: u32): bool {
  const last = bottom + total - 1;
  const top: u64 = attributes & ATTR_DB ? 0xffffffff : 0xffff;
  return attributes & ATTR_DOWN ? bottom <= limit || last > top : last > limit;
}

/** Likewise for the stack in use, and the running program may write there; else #SS without a selector, or #PF. */
export function checkStackLive(cpu: usize, bottom: u64, total: u32, external: u32): void {
  const ss = seg(cpu, SS);
  const outside = outsideStack(load<u32>(ss, SEG_ATTR), <u64>load<u32>(ss, SEG_LIMIT), bottom, total);
  if (outside) raiseError(cpu, SSF, external);
  probeWrite(cpu, (load<u64>(ss, SEG_BASE) + bottom) & 0xffffffff, total);
}

/** A push to a stack at `base`; answers the new pointer. */
export function innerPush(cpu: usize, base: u64, pointer: u64, mask: u64, size: u32, value: u64): u64 {
  const at = (pointer - size) & mask;
  const linear = (base + at) & 0xffffffff;
  if (size == 4) sysWrite32(cpu, linear, <u32>value);
  else sysWrite16(cpu, linear, <u16>value);
  return at;
}

/** INT1: a #DB without conditions in DR6, and without the gate's privilege check. */
export function privilegedInterrupt(cpu: usize): void {
  // One #DB for it and for what MOV SS held back.
  const pending = load<u64>(cpu, DEBUG_PENDING);
  if (pending != 0) {
    store<u64>(cpu, (load<u64>(cpu, DR6) & ~(<u64>15)) | pending, DR6);
    store<u64>(cpu, 0, DEBUG_PENDING);
  }
  store<u32>(cpu, 0, STEP_TRAP);
  deliver(cpu, DB, EVENT_EXCEPTION, false, 0);
}

/** INT n, INT3 and INTO: RIP is already the next instruction's. A fault restarts at the instruction itself. */
export function softwareInterrupt(cpu: usize, vector: u32): void {
  // INT clears TF: no single-step trap after it.
  store<u32>(cpu, 0, STEP_TRAP);
  deliver(cpu, vector, EVENT_SOFTWARE, false, 0);
}
