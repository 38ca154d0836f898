/** A vCPU on both sides: the first runs, the second does the same again, and then they are compared. */
import {
  AcceleratorError,
  type AcceleratorVm,
  type DebugControl,
  type InterruptMessage,
  type RunLimits,
  type Vcpu,
  type VcpuCounters,
  type VcpuExit,
  type VcpuOptions,
} from "../../../vcpu/accelerator.js";
import type { Intercepts } from "../../../vcpu/intercepts.js";
import type { VcpuState } from "../../../vcpu/state.js";
import type { VerifiedVm } from "./accelerator.js";
import { busThrough } from "./access-log.js";
import { differencesOf } from "./differences.js";

export class VerifiedVcpu implements Vcpu {
  readonly id: number;
  private readonly tested: Vcpu;
  private readonly reference: Vcpu;
  /** Clock time and instructions at which the run under way began. */
  private start = { time: 0, instructions: 0 };
  private inReference = false;
  /** The PIC's wire rose while somebody ran. */
  private externalWaits = false;
  /** Somebody wants it to leave. */
  private kicked = false;
  private sinceCompared = 0;
  private comparisons = 0;

  constructor(
    private readonly vm: VerifiedVm,
    vms: readonly [AcceleratorVm, AcceleratorVm],
    private readonly options: VcpuOptions,
  ) {
    const { bus, clock, random } = options;
    this.id = options.id;
    const { log } = vm;
    this.tested = vms[0].createVcpu({
      ...options,
      bus: busThrough(bus, (access, perform) => (vm.recording ? log.note(access, perform) : perform())),
      ...(random === undefined ? {} : { random: () => (vm.recording ? log.note("random bits", random) : random()) }),
    });
    this.reference = vms[1].createVcpu({
      ...options,
      bus: busThrough(null, (access) => log.replay(access)),
      clock: { mode: "icount", now: () => (this.inReference ? this.referenceTime() : clock.now()) },
      ...(random === undefined ? {} : { random: () => log.replay("random bits") }),
    });
  }

  get instructions(): number {
    return this.tested.instructions;
  }

  run(limits: RunLimits): VcpuExit {
    const end = this.tested.instructions + Math.max(0, limits.instructions);
    for (;;) {
      const left = end - this.tested.instructions;
      const exit = this.runSlice(Math.min(left, Math.max(1, this.vm.interval - this.sinceCompared)));
      if (exit.reason !== "budget" || exit.yielded || this.kicked || this.tested.instructions >= end) return exit;
    }
  }

  private runSlice(instructions: number): VcpuExit {
    const { vm, tested } = this;
    this.kicked = false;
    vm.bringOver();
    vm.log.clear();
    const before = tested.instructions;
    this.start = { time: this.options.clock.now(), instructions: before };
    const exit = vm.record(this, () => atOnce(tested.run({ instructions })));
    const retired = tested.instructions - before;
    const reached = this.runReference(exit.reason === "budget" ? retired : instructions);
    this.sinceCompared += retired;
    const unusual = exit.reason !== "budget" && exit.reason !== "halt";
    const differences = this.compare(exit, reached, unusual || this.sinceCompared >= vm.interval);
    vm.deliverWaiting();
    if (differences.length === 0) return exit;
    const message =
      `vCPU ${this.id}: the two sides differ after an instruction from ${before} to ${before + retired}; ` +
      `first and second: ${differences.slice(0, 12).join("; ")}`;
    return { reason: "internal-error", error: new AcceleratorError("ACCELERATOR_DEFECT", message) };
  }

  private runReference(instructions: number): VcpuExit {
    const { log } = this.vm;
    const { reference } = this;
    const end = reference.instructions + instructions;
    this.inReference = true;
    try {
      for (;;) {
        const exit = atOnce(reference.run({ instructions: end - reference.instructions }));
        // A PAUSE gave its turn away, where the other side did not: nobody takes it.
        if (exit.reason === "budget" && reference.instructions < end && log.divergence === null) continue;
        log.finish();
        return exit;
      }
    } finally {
      this.inReference = false;
    }
  }

  private compare(exit: VcpuExit, reached: VcpuExit, whole: boolean): string[] {
    const { tested, reference, vm } = this;
    const differences: string[] = [];
    if (vm.log.divergence !== null) differences.push(`the second did ${vm.log.divergence}`);
    if (exit.reason !== reached.reason) differences.push(`exit: ${exit.reason}, ${reached.reason}`);
    if (tested.instructions !== reference.instructions) {
      differences.push(`instructions: ${tested.instructions}, ${reference.instructions}`);
    }
    if (!whole && differences.length === 0) return differences;
    this.sinceCompared = 0;
    this.comparisons++;
    this.inReference = true;
    differences.push(...differencesOf(tested.getState(), reference.getState()));
    this.inReference = false;
    differences.push(...vm.compareMemory());
    return differences;
  }

  private referenceTime(): number {
    return this.start.time + (this.reference.instructions - this.start.instructions);
  }

  completeAccess(value: number): void {
    this.tested.completeAccess(value);
  }

  kick(): void {
    this.kicked = true;
    this.tested.kick();
  }

  setExtInt(level: boolean): void {
    if (!this.vm.recording) {
      this.tested.setExtInt(level);
      this.reference.setExtInt(level);
    } else if (level) {
      if (this.externalWaits) return;
      this.externalWaits = true;
      this.vm.later(() => {
        if (!this.externalWaits) return;
        this.externalWaits = false;
        this.tested.setExtInt(true);
        this.reference.setExtInt(true);
      });
    } else {
      this.externalWaits = false;
      this.tested.setExtInt(false);
      this.vm.both(() => this.reference.setExtInt(false));
    }
  }

  ignoreFloatErrors(): void {
    this.tested.ignoreFloatErrors?.();
    this.vm.both(() => this.reference.ignoreFloatErrors?.());
  }

  interrupt(message: InterruptMessage): boolean {
    if (!this.vm.recording) {
      this.reference.interrupt(message);
      return this.tested.interrupt(message);
    }
    this.vm.later(() => {
      this.tested.interrupt(message);
      this.reference.interrupt(message);
    });
    return true;
  }

  nmi(): void {
    if (this.vm.recording) {
      this.vm.later(() => this.nmi());
      return;
    }
    this.tested.nmi();
    this.reference.nmi();
  }

  matches(message: InterruptMessage): boolean {
    return this.tested.matches(message);
  }

  priority(): number {
    return this.tested.priority();
  }

  timerDeadline(): number | null {
    return this.tested.timerDeadline();
  }

  hasPendingWork(): boolean {
    return this.tested.hasPendingWork();
  }

  getState(): VcpuState {
    return this.tested.getState();
  }

  setState(state: VcpuState): void {
    this.vm.bringOver();
    this.tested.setState(state);
    this.reference.setState(state);
  }

  reset(): void {
    this.tested.reset();
    this.reference.reset();
  }

  setIntercepts(intercepts: Partial<Intercepts>): void {
    this.tested.setIntercepts(intercepts);
    this.reference.setIntercepts(intercepts);
  }

  setDebug(control: DebugControl | null): void {
    this.tested.setDebug(control);
    this.reference.setDebug(control);
  }

  translate(linear: bigint): number | null {
    return this.tested.translate(linear);
  }

  /** With `comparisons` among the details. */
  counters(): VcpuCounters {
    const counters = this.tested.counters();
    return { ...counters, details: { ...counters.details, comparisons: this.comparisons } };
  }

  close(): void {
    this.tested.close();
    this.reference.close();
  }
}

function atOnce(exit: VcpuExit | Promise<VcpuExit>): VcpuExit {
  if (exit instanceof Promise) {
    throw new AcceleratorError("ACCELERATOR_DEFECT", "only accelerators that answer at once can be verified");
  }
  return exit;
}
