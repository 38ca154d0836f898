// The local APIC: xAPIC register page and x2APIC MSRs. Intel SDM vol. 3A chapter 11 (local APIC),
// AMD APM vol. 2 chapter 16. Its registers are at APIC + offset in the vCPU's state block.
//
// The timer counts at 1 GHz before its divider. It is not ticked: the count follows from the clock
// time at which it was loaded.
import {
  APIC, APIC_ESR_LATCH, APIC_TIMER_DEADLINE, APIC_TIMER_START, APIC_TSC_DEADLINE, EXIT_REQUEST, EXTINT, EXTINT_MESSAGE,
  INTERRUPT_CHECK, MSR_APIC_BASE, NMI_MASKED, NMI_PENDING, RUN_STATE, SIPI_VECTOR, VCPU_ID,
} from "../layout";
import { FEATURE_X2APIC } from "../feature-bits";
import { has, isIntel } from "./cpu-features";
import { hostEndOfInterrupt, hostNow, hostSendIpi } from "./host";
import { tscNow, tscToClock } from "./tsc";

const ID: u32 = 0x20;
const VERSION: u32 = 0x30;
const TPR: u32 = 0x80;
const APR: u32 = 0x90;
const PPR: u32 = 0xa0;
const EOI: u32 = 0xb0;
const RRD: u32 = 0xc0;
const LDR: u32 = 0xd0;
const DFR: u32 = 0xe0;
const SVR: u32 = 0xf0;
const ISR: u32 = 0x100;
const TMR: u32 = 0x180;
const IRR: u32 = 0x200;
const ESR: u32 = 0x280;
const ICR_LOW: u32 = 0x300;
const ICR_HIGH: u32 = 0x310;
const LVT_TIMER: u32 = 0x320;
const LVT_THERMAL: u32 = 0x330;
const LVT_PERF: u32 = 0x340;
const LVT_LINT0: u32 = 0x350;
const LVT_LINT1: u32 = 0x360;
const LVT_ERROR: u32 = 0x370;
const TIMER_INITIAL: u32 = 0x380;
const TIMER_CURRENT: u32 = 0x390;
const TIMER_DIVIDE: u32 = 0x3e0;
const SELF_IPI: u32 = 0x3f0;

const SVR_ENABLE: u32 = 1 << 8;
const SVR_NO_BROADCAST: u32 = 1 << 12;
const VERSION_NO_BROADCAST: u32 = 1 << 24;
const LVT_MASKED: u32 = 1 << 16;
const LVT_LEVEL: u32 = 1 << 15;
const LVT_REMOTE_IRR: u32 = 1 << 14;
const LVT_ACTIVE_LOW: u32 = 1 << 13;
const TIMER_MODE: u32 = 3 << 17;
const TIMER_PERIODIC: u32 = 1 << 17;
const TIMER_TSC_DEADLINE: u32 = 2 << 17;
const DELIVERY_FIXED: u32 = 0;
const DELIVERY_LOWEST: u32 = 1;
const DELIVERY_NMI: u32 = 4;
const DELIVERY_INIT: u32 = 5;
const DELIVERY_STARTUP: u32 = 6;
const DELIVERY_EXTINT: u32 = 7;
const ESR_SEND_ILLEGAL: u32 = 1 << 5;
const ESR_RECEIVED_ILLEGAL: u32 = 1 << 6;
const ESR_ILLEGAL_REGISTER: u32 = 1 << 7;

/** As an IPI's or message's destination: everybody. */
const BROADCAST: u32 = 0xffffffff;
/** A periodic timer interrupts no more often than this (ns), so that a guest cannot keep the host busy with it. */
const SHORTEST_PERIOD: f64 = 20000;

const BASE_BSP: u64 = 1 << 8;
const BASE_X2APIC: u64 = 1 << 10;
const BASE_ENABLE: u64 = 1 << 11;

const RUN_WAIT_FOR_SIPI: u32 = 2;
const RUN_INIT: u32 = 3;

// @ts-ignore: decorator
@inline
function register(cpu: usize, offset: u32): u32 {
  return load<u32>(cpu + offset, APIC);
}
// @ts-ignore: decorator
@inline
function setRegister(cpu: usize, offset: u32, value: u32): void {
  store<u32>(cpu + offset, value, APIC);
}

function enabled(cpu: usize): bool {
  return (load<u64>(cpu, MSR_APIC_BASE) & BASE_ENABLE) != 0;
}
function x2apic(cpu: usize): bool {
  return (load<u64>(cpu, MSR_APIC_BASE) & (BASE_ENABLE | BASE_X2APIC)) == (BASE_ENABLE | BASE_X2APIC);
}
function softwareEnabled(cpu: usize): bool {
  return enabled(cpu) && (register(cpu, SVR) & SVR_ENABLE) != 0;
}

/** Power-on state; also that of an APIC that was disabled. */
export function apicReset(cpu: usize): void {
  memory.fill(cpu + APIC, 0, 0x1000);
  const id = load<u32>(cpu, VCPU_ID);
  setRegister(cpu, ID, x2apic(cpu) ? id : id << 24);
  // Version 0x14 (integrated), highest LVT entry 5. Intel's with x2APIC can keep EOIs from the IOAPICs.
  setRegister(cpu, VERSION, 0x00050014 | (isIntel(cpu) && has(cpu, FEATURE_X2APIC) ? VERSION_NO_BROADCAST : 0));
  setRegister(cpu, DFR, 0xffffffff);
  setRegister(cpu, SVR, 0xff);
  if (x2apic(cpu)) setRegister(cpu, LDR, x2apicLogicalId(id));
  for (let lvt = LVT_TIMER; lvt <= LVT_ERROR; lvt += 0x10) setRegister(cpu, lvt, LVT_MASKED);
  store<f64>(cpu, 0, APIC_TIMER_START);
  store<f64>(cpu, Infinity, APIC_TIMER_DEADLINE);
  store<u64>(cpu, 0, APIC_TSC_DEADLINE);
  store<u32>(cpu, 0, APIC_ESR_LATCH);
}

/** What INIT leaves: as after power-on, but for the id. SDM 11.4.7.3. */
export function apicInit(cpu: usize): void {
  const id = register(cpu, ID);
  apicReset(cpu);
  setRegister(cpu, ID, id);
}

// SDM 11.12.10.2.
function x2apicLogicalId(id: u32): u32 {
  return ((id >> 4) << 16) | (1 << (id & 15));
}

/** Whether IA32_APIC_BASE may become `value`: no reserved bits, only the transitions of SDM figure 11-27. */
export function apicBaseValid(cpu: usize, value: u64, physicalMask: u64, hasX2apic: bool): bool {
  const allowed = BASE_BSP | BASE_ENABLE | (hasX2apic ? BASE_X2APIC : 0) | (physicalMask & ~0xfff);
  if ((value & ~allowed) != 0) return false;
  const mode = value & (BASE_ENABLE | BASE_X2APIC);
  if (mode == BASE_X2APIC) return false;
  const old = load<u64>(cpu, MSR_APIC_BASE) & (BASE_ENABLE | BASE_X2APIC);
  if (old == (BASE_ENABLE | BASE_X2APIC) && mode == BASE_ENABLE) return false;
  if (old == 0 && mode == (BASE_ENABLE | BASE_X2APIC)) return false;
  return true;
}

/** Writes IA32_APIC_BASE, already found valid. */
export function apicSetBase(cpu: usize, value: u64): void {
  const old = load<u64>(cpu, MSR_APIC_BASE);
  store<u64>(cpu, value, MSR_APIC_BASE);
  if (((old ^ value) & (BASE_ENABLE | BASE_X2APIC)) == 0) return;
  if ((value & BASE_ENABLE) == 0) {
    apicReset(cpu);
  } else if ((value & BASE_X2APIC) != 0) {
    const id = load<u32>(cpu, VCPU_ID);
    setRegister(cpu, ID, id);
    setRegister(cpu, LDR, x2apicLogicalId(id));
  } else if ((old & BASE_ENABLE) == 0) {
    apicReset(cpu);
  }
  store<u32>(cpu, 1, INTERRUPT_CHECK);
}

// ---- Priorities.

// The highest bit set of eight registers from `bank`, or -1.
function highest(cpu: usize, bank: u32): i32 {
  for (let i: i32 = 7; i >= 0; i--) {
    const bits = register(cpu, bank + (<u32>i << 4));
    if (bits != 0) return (i << 5) + 31 - <i32>clz<u32>(bits);
  }
  return -1;
}
function setBit(cpu: usize, bank: u32, vector: u32): void {
  const offset = bank + ((vector >> 5) << 4);
  setRegister(cpu, offset, register(cpu, offset) | (1 << (vector & 31)));
}
function clearBit(cpu: usize, bank: u32, vector: u32): void {
  const offset = bank + ((vector >> 5) << 4);
  setRegister(cpu, offset, register(cpu, offset) & ~(1 << (vector & 31)));
}
function testBit(cpu: usize, bank: u32, vector: u32): bool {
  return (register(cpu, bank + ((vector >> 5) << 4)) & (1 << (vector & 31))) != 0;
}

function processorPriority(cpu: usize): u32 {
  const tpr = register(cpu, TPR) & 0xff;
  const served = highest(cpu, ISR);
  const isrClass: u32 = served < 0 ? 0 : <u32>served & 0xf0;
  return (tpr & 0xf0) >= isrClass ? tpr : isrClass;
}

/** The vector that the APIC wants to deliver now, or -1. What was accepted before a software disable is still delivered. */
export function apicPendingVector(cpu: usize): i32 {
  if (!enabled(cpu)) return -1;
  const vector = highest(cpu, IRR);
  if (vector < 0 || (<u32>vector & 0xf0) <= (processorPriority(cpu) & 0xf0)) return -1;
  return vector;
}

/** Takes the pending vector: from IRR to ISR. The spurious vector where nothing is pending any more. */
export function apicAcknowledge(cpu: usize): i32 {
  const vector = apicPendingVector(cpu);
  if (vector < 0) return <i32>(register(cpu, SVR) & 0xff);
  clearBit(cpu, IRR, <u32>vector);
  setBit(cpu, ISR, <u32>vector);
  return vector;
}

function endOfInterrupt(cpu: usize): void {
  const vector = highest(cpu, ISR);
  if (vector < 0) return;
  clearBit(cpu, ISR, <u32>vector);
  store<u32>(cpu, 1, INTERRUPT_CHECK);
  // TMR keeps its bit until the vector is accepted anew.
  if (!testBit(cpu, TMR, <u32>vector)) return;
  const lint0 = register(cpu, LVT_LINT0);
  if ((lint0 & LVT_REMOTE_IRR) != 0 && (lint0 & 0xff) == <u32>vector) {
    setRegister(cpu, LVT_LINT0, lint0 & ~LVT_REMOTE_IRR);
    serveLint0(cpu, false);
  }
  if ((register(cpu, SVR) & SVR_NO_BROADCAST) == 0) hostEndOfInterrupt(cpu, <u32>vector);
}

/** Task priority bits 7-4, as CR8 reads them. */
export function apicCr8(cpu: usize): u64 {
  return (register(cpu, TPR) >> 4) & 15;
}
export function apicSetCr8(cpu: usize, value: u64): void {
  setRegister(cpu, TPR, <u32>(value & 15) << 4);
  store<u32>(cpu, 1, INTERRUPT_CHECK);
}

// ---- Interrupts in.

/**
 * An interrupt message for this APIC arrives. `deliveryMode` as in the ICR. Returns 1 where it was
 * accepted, 0 where the APIC is off or the message means nothing to it: an SMI (the machine has no
 * system management mode, its processors' SMI pins lead nowhere) or a reserved mode.
 */
export function apicAccept(cpu: usize, vector: u32, deliveryMode: u32, level: u32): i32 {
  if (!enabled(cpu)) return 0;
  switch (deliveryMode) {
    case DELIVERY_NMI:
      acceptNmi(cpu);
      break;
    case DELIVERY_INIT:
      store<u32>(cpu, RUN_INIT, RUN_STATE);
      store<u32>(cpu, 0xffffffff, SIPI_VECTOR);
      break;
    case DELIVERY_STARTUP:
      if (load<u32>(cpu, RUN_STATE) != RUN_WAIT_FOR_SIPI && load<u32>(cpu, RUN_STATE) != RUN_INIT) return 0;
      store<u32>(cpu, vector & 0xff, SIPI_VECTOR);
      break;
    case DELIVERY_FIXED:
    case DELIVERY_LOWEST:
      if (!softwareEnabled(cpu)) return 0;
      if (vector < 16) {
        apicError(cpu, ESR_RECEIVED_ILLEGAL);
        return 1;
      }
      setBit(cpu, IRR, vector);
      if (level != 0) setBit(cpu, TMR, vector);
      else clearBit(cpu, TMR, vector);
      break;
    case DELIVERY_EXTINT:
      store<u32>(cpu, 1, EXTINT_MESSAGE);
      break;
    default:
      return 0;
  }
  store<u32>(cpu, 1, INTERRUPT_CHECK);
  return 1;
}

// One NMI in service and one behind it are told apart; more merge. While this vCPU waits for its turn none is in service.
function acceptNmi(cpu: usize): void {
  const most: u32 = load<u32>(cpu, NMI_MASKED) != 0 ? 1 : 2;
  store<u32>(cpu, min(load<u32>(cpu, NMI_PENDING) + 1, most), NMI_PENDING);
}

/** Whether this APIC is meant by a destination; all ones: everybody. `logical`: 0 physical, 1 logical. SDM 11.6.2. */
export function apicMatches(cpu: usize, destination: u32, logical: u32): i32 {
  if (!enabled(cpu)) return 0;
  if (destination == BROADCAST) return 1;
  if (x2apic(cpu)) {
    if (logical == 0) return destination == load<u32>(cpu, VCPU_ID) ? 1 : 0;
    const own = register(cpu, LDR);
    return own >> 16 == destination >> 16 && (own & destination & 0xffff) != 0 ? 1 : 0;
  }
  if (logical == 0) return destination == register(cpu, ID) >> 24 ? 1 : 0;
  if (destination > 0xff) return 0;
  const own = register(cpu, LDR) >> 24;
  if (register(cpu, DFR) >> 28 == 15) return (own & destination & 0xff) != 0 ? 1 : 0;
  return own >> 4 == (destination >> 4 & 15) && (own & destination & 15) != 0 ? 1 : 0;
}

/** Arbitration value for lowest priority delivery: the lower, the sooner chosen. */
export function apicPriority(cpu: usize): u32 {
  return softwareEnabled(cpu) ? processorPriority(cpu) : 0x100;
}

/** Whether the PIC has something for this processor: by LINT0 as an open ExtINT input, as the INTR pin where the APIC is off, or by a message. */
export function apicExtInt(cpu: usize): bool {
  if (load<u32>(cpu, EXTINT_MESSAGE) != 0) return true;
  if (load<u32>(cpu, EXTINT) == 0) return false;
  if (!enabled(cpu)) return true;
  const lint0 = register(cpu, LVT_LINT0);
  return (lint0 & LVT_MASKED) == 0 && ((lint0 >> 8) & 7) == DELIVERY_EXTINT;
}

/** The wire at LINT0 changes. */
export function apicLint0(cpu: usize, level: u32): void {
  const changed = level != load<u32>(cpu, EXTINT);
  store<u32>(cpu, level, EXTINT);
  store<u32>(cpu, 1, INTERRUPT_CHECK);
  serveLint0(cpu, changed);
}

// Delivers LINT0's state where its LVT entry says something else than ExtINT: an edge, or as long as the level lasts.
function serveLint0(cpu: usize, changed: bool): void {
  const entry = register(cpu, LVT_LINT0);
  const mode = (entry >> 8) & 7;
  const active = (load<u32>(cpu, EXTINT) != 0) != ((entry & LVT_ACTIVE_LOW) != 0);
  if (mode == DELIVERY_EXTINT || !active || !enabled(cpu) || (entry & LVT_MASKED) != 0) return;
  // All modes but Fixed are edge-triggered whatever the entry says. SDM 11.5.1.
  if (mode != DELIVERY_FIXED || (entry & LVT_LEVEL) == 0) {
    if (changed) deliverLocal(cpu, LVT_LINT0);
    return;
  }
  if ((entry & LVT_REMOTE_IRR) != 0) return;
  setRegister(cpu, LVT_LINT0, entry | LVT_REMOTE_IRR);
  apicAccept(cpu, entry & 0xff, DELIVERY_FIXED, 1);
}

/** An edge at LINT1, where the board's NMI is wired; without a local APIC it is the processor's NMI pin. */
export function apicNmi(cpu: usize): void {
  if (enabled(cpu)) deliverLocal(cpu, LVT_LINT1);
  else {
    acceptNmi(cpu);
    store<u32>(cpu, 1, INTERRUPT_CHECK);
  }
}

function deliverLocal(cpu: usize, lvt: u32): void {
  const entry = register(cpu, lvt);
  if ((entry & LVT_MASKED) != 0 || !enabled(cpu)) return;
  const mode = lvt == LVT_TIMER || lvt == LVT_ERROR ? DELIVERY_FIXED : (entry >> 8) & 7;
  apicAccept(cpu, entry & 0xff, mode, 0);
}

function apicError(cpu: usize, bit: u32): void {
  const latch = load<u32>(cpu, APIC_ESR_LATCH);
  store<u32>(cpu, latch | bit, APIC_ESR_LATCH);
  // An error interrupt with an illegal vector would report itself without end.
  if ((latch & bit) == 0 && (register(cpu, LVT_ERROR) & 0xff) >= 16) deliverLocal(cpu, LVT_ERROR);
}

// ---- The timer.

function timerDivider(cpu: usize): f64 {
  const value = register(cpu, TIMER_DIVIDE);
  const code = (value & 3) | ((value >> 1) & 4);
  return code == 7 ? 1 : <f64>(2 << code);
}

function timerMode(cpu: usize): u32 {
  return register(cpu, LVT_TIMER) & TIMER_MODE;
}

function timerStart(cpu: usize, now: f64): void {
  const count = register(cpu, TIMER_INITIAL);
  store<f64>(cpu, now, APIC_TIMER_START);
  store<f64>(cpu, count == 0 ? Infinity : now + <f64>count * timerDivider(cpu), APIC_TIMER_DEADLINE);
  // The run's end may have to come sooner now.
  store<u32>(cpu, 1, EXIT_REQUEST);
}

function timerCurrent(cpu: usize): u32 {
  const count = register(cpu, TIMER_INITIAL);
  // A timer that ran out stands at 0, in periodic mode too if it became so afterwards.
  if (count == 0 || timerMode(cpu) == TIMER_TSC_DEADLINE || load<f64>(cpu, APIC_TIMER_DEADLINE) == Infinity) return 0;
  const ticks = Math.floor((hostNow(cpu) - load<f64>(cpu, APIC_TIMER_START)) / timerDivider(cpu));
  if (timerMode(cpu) == TIMER_PERIODIC) {
    return count - <u32>(ticks - Math.floor(ticks / <f64>count) * <f64>count);
  }
  return ticks >= <f64>count ? 0 : count - <u32>ticks;
}

/** What the current-count register reads. */
export function apicTimerCount(cpu: usize): u32 {
  return timerCurrent(cpu);
}

/** Starts the timer where the current-count register in the page says that it is: a state from elsewhere was loaded. */
export function apicResumeTimer(cpu: usize): void {
  if (timerMode(cpu) == TIMER_TSC_DEADLINE) {
    apicRearmTscDeadline(cpu);
    return;
  }
  const count = register(cpu, TIMER_INITIAL);
  const current = register(cpu, TIMER_CURRENT);
  const divider = timerDivider(cpu);
  const start = hostNow(cpu) - <f64>(count - min(current, count)) * divider;
  store<f64>(cpu, start, APIC_TIMER_START);
  const fires = count != 0 && (current != 0 || timerMode(cpu) == TIMER_PERIODIC);
  store<f64>(cpu, fires ? start + <f64>count * divider : Infinity, APIC_TIMER_DEADLINE);
}

/** The clock time (ns) at which the timer fires, or infinity. */
export function apicTimerDeadline(cpu: usize): f64 {
  return load<f64>(cpu, APIC_TIMER_DEADLINE);
}

/** Fires the timer if its time has come. */
export function apicPollTimer(cpu: usize): void {
  const deadline = load<f64>(cpu, APIC_TIMER_DEADLINE);
  if (deadline == Infinity) return;
  const now = hostNow(cpu);
  if (now < deadline) return;
  const mode = timerMode(cpu);
  if (mode == TIMER_PERIODIC && register(cpu, TIMER_INITIAL) != 0) {
    const period = <f64>register(cpu, TIMER_INITIAL) * timerDivider(cpu);
    // Periods that passed unnoticed are one interrupt: IRR holds no more.
    const start = load<f64>(cpu, APIC_TIMER_START) + Math.floor((now - load<f64>(cpu, APIC_TIMER_START)) / period) * period;
    store<f64>(cpu, start, APIC_TIMER_START);
    store<f64>(cpu, max(start + period, now + SHORTEST_PERIOD), APIC_TIMER_DEADLINE);
  } else {
    store<f64>(cpu, Infinity, APIC_TIMER_DEADLINE);
    store<u64>(cpu, 0, APIC_TSC_DEADLINE);
  }
  deliverLocal(cpu, LVT_TIMER);
}

/** IA32_TSC_DEADLINE. */
export function apicTscDeadline(cpu: usize): u64 {
  return timerMode(cpu) == TIMER_TSC_DEADLINE ? load<u64>(cpu, APIC_TSC_DEADLINE) : 0;
}
export function apicSetTscDeadline(cpu: usize, value: u64): void {
  if (timerMode(cpu) != TIMER_TSC_DEADLINE) return;
  store<u64>(cpu, value, APIC_TSC_DEADLINE);
  apicRearmTscDeadline(cpu);
  if (value != 0 && value <= tscNow(cpu)) apicPollTimer(cpu);
}
/** Also after the TSC itself was set. */
export function apicRearmTscDeadline(cpu: usize): void {
  if (timerMode(cpu) != TIMER_TSC_DEADLINE) return;
  const value = load<u64>(cpu, APIC_TSC_DEADLINE);
  store<f64>(cpu, value == 0 ? Infinity : tscToClock(cpu, value), APIC_TIMER_DEADLINE);
  store<u32>(cpu, 1, EXIT_REQUEST);
}

// ---- Registers.

/** A 32-bit read of the register page. Other sizes and unaligned reads are the caller's to compose. */
export function apicRead(cpu: usize, offset: u32): u32 {
  const at = offset & 0xff0;
  switch (at) {
    case PPR:
      return processorPriority(cpu);
    case TIMER_CURRENT:
      return timerCurrent(cpu);
    case EOI:
    case SELF_IPI:
      return 0;
    default:
      if (!exists(at)) {
        apicError(cpu, ESR_ILLEGAL_REGISTER);
        return 0;
      }
      return register(cpu, at);
  }
}

function exists(offset: u32): bool {
  if (offset >= ISR && offset < ESR + 0x10) return true;
  if (offset >= ICR_LOW && offset <= TIMER_CURRENT) return true;
  switch (offset) {
    case ID:
    case VERSION:
    case TPR:
    case APR:
    case PPR:
    case EOI:
    case RRD:
    case LDR:
    case DFR:
    case SVR:
    case TIMER_DIVIDE:
      return true;
    default:
      return false;
  }
}

export function apicWrite(cpu: usize, offset: u32, value: u32): void {
  const at = offset & 0xff0;
  switch (at) {
    case ID:
      setRegister(cpu, ID, value & 0xff000000);
      break;
    case LDR:
      setRegister(cpu, LDR, value & 0xff000000);
      break;
    case DFR:
      setRegister(cpu, DFR, value | 0x0fffffff);
      break;
    case ICR_HIGH:
      setRegister(cpu, ICR_HIGH, value & 0xff000000);
      break;
    case ICR_LOW: {
      const destination = register(cpu, ICR_HIGH) >> 24;
      sendIpi(cpu, value, destination == 0xff ? BROADCAST : destination);
      break;
    }
    case SELF_IPI:
      apicError(cpu, ESR_ILLEGAL_REGISTER);
      break;
    default:
      writeCommon(cpu, at, value);
  }
}

// Registers that xAPIC and x2APIC share.
function writeCommon(cpu: usize, at: u32, value: u32): void {
  switch (at) {
    case TPR:
      setRegister(cpu, TPR, value & 0xff);
      store<u32>(cpu, 1, INTERRUPT_CHECK);
      break;
    case EOI:
      endOfInterrupt(cpu);
      break;
    case SVR: {
      const suppressible = (register(cpu, VERSION) & VERSION_NO_BROADCAST) != 0;
      setRegister(cpu, SVR, value & (suppressible ? 0x1ff | SVR_NO_BROADCAST : 0x1ff));
      if ((value & SVR_ENABLE) == 0) {
        for (let lvt = LVT_TIMER; lvt <= LVT_ERROR; lvt += 0x10) setRegister(cpu, lvt, register(cpu, lvt) | LVT_MASKED);
      }
      store<u32>(cpu, 1, INTERRUPT_CHECK);
      break;
    }
    case ESR:
      setRegister(cpu, ESR, load<u32>(cpu, APIC_ESR_LATCH));
      store<u32>(cpu, 0, APIC_ESR_LATCH);
      break;
    case LVT_TIMER: {
      // What ran out in the old mode is not left to the new one.
      apicPollTimer(cpu);
      const old = timerMode(cpu);
      setLvt(cpu, at, value & 0x700ff);
      if (timerMode(cpu) != old && (timerMode(cpu) == TIMER_TSC_DEADLINE || old == TIMER_TSC_DEADLINE)) {
        store<f64>(cpu, Infinity, APIC_TIMER_DEADLINE);
        store<u64>(cpu, 0, APIC_TSC_DEADLINE);
        setRegister(cpu, TIMER_INITIAL, 0);
      }
      break;
    }
    case LVT_THERMAL:
    case LVT_PERF:
      setLvt(cpu, at, value & 0x107ff);
      break;
    case LVT_LINT0: {
      // Remote IRR is the APIC's, and means nothing unless Fixed and level-triggered.
      const level = (value & (0x700 | LVT_LEVEL)) == LVT_LEVEL;
      setLvt(cpu, at, (value & 0x1a7ff) | (level ? register(cpu, at) & LVT_REMOTE_IRR : 0));
      serveLint0(cpu, false);
      store<u32>(cpu, 1, INTERRUPT_CHECK);
      break;
    }
    case LVT_LINT1:
      setLvt(cpu, at, value & 0x1a7ff);
      break;
    case LVT_ERROR:
      setLvt(cpu, at, value & 0x100ff);
      break;
    case TIMER_INITIAL:
      if (timerMode(cpu) == TIMER_TSC_DEADLINE) break;
      setRegister(cpu, TIMER_INITIAL, value);
      timerStart(cpu, hostNow(cpu));
      break;
    case TIMER_DIVIDE: {
      apicPollTimer(cpu);
      const left = timerCurrent(cpu);
      setRegister(cpu, TIMER_DIVIDE, value & 0xb);
      if (load<f64>(cpu, APIC_TIMER_DEADLINE) != Infinity && timerMode(cpu) != TIMER_TSC_DEADLINE) {
        // The count goes on from where it is, at the new pace.
        const now = hostNow(cpu);
        const divider = timerDivider(cpu);
        const done = <f64>(register(cpu, TIMER_INITIAL) - left);
        store<f64>(cpu, now - done * divider, APIC_TIMER_START);
        store<f64>(cpu, now + <f64>left * divider, APIC_TIMER_DEADLINE);
        store<u32>(cpu, 1, EXIT_REQUEST);
      }
      break;
    }
    case VERSION:
    case PPR:
    case APR:
    case RRD:
    case TIMER_CURRENT:
      break;
    default:
      if (at >= ISR && at < ESR) break;
      if (!exists(at)) apicError(cpu, ESR_ILLEGAL_REGISTER);
  }
}

function setLvt(cpu: usize, at: u32, value: u32): void {
  const forced = (register(cpu, SVR) & SVR_ENABLE) == 0 ? LVT_MASKED : 0;
  setRegister(cpu, at, value | forced);
}

function sendIpi(cpu: usize, low: u32, destination: u32): void {
  setRegister(cpu, ICR_LOW, low & 0xcdfff & ~(1 << 12));
  const mode = (low >> 8) & 7;
  if ((mode == DELIVERY_FIXED || mode == DELIVERY_LOWEST) && (low & 0xff) < 16) {
    apicError(cpu, ESR_SEND_ILLEGAL);
    return;
  }
  hostSendIpi(cpu, low, destination);
}

/** RDMSR 0x800-0x8ff in x2APIC mode; -1 (all ones) with `apicMsrReadable` false means #GP. */
export function apicMsrReadable(cpu: usize, index: u32): bool {
  if (!x2apic(cpu)) return false;
  const at = (index & 0xff) << 4;
  if (at == EOI || at == SELF_IPI || at == DFR || at == ICR_HIGH || at == APR || at == RRD) return false;
  return index < 0x840 && exists(at);
}
export function apicReadMsr(cpu: usize, index: u32): u64 {
  const at = (index & 0xff) << 4;
  if (at == ICR_LOW) return <u64>register(cpu, ICR_LOW) | (<u64>register(cpu, ICR_HIGH) << 32);
  return apicRead(cpu, at);
}

/** WRMSR 0x800-0x8ff in x2APIC mode; false means #GP. SDM table 11-6. */
export function apicWriteMsr(cpu: usize, index: u32, value: u64): bool {
  if (!x2apic(cpu) || index >= 0x840) return false;
  const at = (index & 0xff) << 4;
  const low = <u32>value;
  if (at == ICR_LOW) {
    if ((low & 0xfff32000) != 0) return false;
    setRegister(cpu, ICR_HIGH, <u32>(value >> 32));
    sendIpi(cpu, low, <u32>(value >> 32));
    return true;
  }
  if (value >> 32 != 0) return false;
  switch (at) {
    case SELF_IPI:
      if (low > 0xff) return false;
      if (low < 16) apicError(cpu, ESR_SEND_ILLEGAL);
      else apicAccept(cpu, low, DELIVERY_FIXED, 0);
      return true;
    case EOI:
    case ESR:
      if (low != 0) return false;
      break;
    case TPR:
      if (low > 0xff) return false;
      break;
    case SVR:
      if ((low & ~((register(cpu, VERSION) & VERSION_NO_BROADCAST) != 0 ? 0x11ff : 0x1ff)) != 0) return false;
      break;
    case LVT_TIMER:
      if ((low & ~0x710ff) != 0) return false;
      break;
    case LVT_THERMAL:
    case LVT_PERF:
      if ((low & ~0x117ff) != 0) return false;
      break;
    case LVT_LINT0:
    case LVT_LINT1:
      if ((low & ~0x1f7ff) != 0) return false;
      break;
    case LVT_ERROR:
      if ((low & ~0x110ff) != 0) return false;
      break;
    case TIMER_INITIAL:
      break;
    case TIMER_DIVIDE:
      if ((low & ~0xb) != 0) return false;
      break;
    default:
      return false;
  }
  writeCommon(cpu, at, low);
  return true;
}

/** Whether something would end a HLT now: NMI, an open interrupt, INIT or SIPI. RFLAGS.IF is the caller's to look at. */
export function apicWantsAttention(cpu: usize): bool {
  return apicPendingVector(cpu) >= 0 || apicExtInt(cpu);
}
