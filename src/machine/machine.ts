/**
 * A machine: memory, vCPUs of an accelerator, a board of devices, a clock, and what it boots.
 *
 *     const image = await prepareBoot({ kernel, initrd, commandLine: "console=ttyS0" });
 *     const machine = new Machine({ memory: 512 << 20, accelerator, cpuModel, scheduler, boot: image, console });
 *     const outcome = await machine.start();
 */
import { writeBiosDataArea } from "../boot/bios-data-area.js";
import type { BootImage } from "../boot/boot-image.js";
import { enterAtWakingVector } from "../boot/boot-state.js";
import type { CharBackend, PlainData } from "../devices/device.js";
import { StateError } from "../devices/device.js";
import { makeCode } from "../devices/ps2/key-codes.js";
import { type ScreenImage, screenText } from "../devices/vga/screen-image.js";
import { GuestMemory } from "../guest-memory/guest-memory.js";
import type { Accelerator, AcceleratorVm, DirtyLog, Vcpu, VcpuBus, VcpuCounters } from "../vcpu/accelerator.js";
import type { CpuModel } from "../vcpu/cpu-model.js";
import { hasFeature } from "../vcpu/features.js";
import type { VcpuState } from "../vcpu/state.js";
import type { Board, BoardBuilder } from "./board.js";
import { Bus } from "./bus.js";
import { type ClockMode, type ClockState, MachineClock } from "./clock.js";
import { InterruptRouter } from "./interrupts.js";
import type { LoopState, MachineLoop, RunLoopStats, StopPoint } from "./machine-loop.js";
import { EBDA, layOutMemory, type MemoryLayout, type MemoryMap, POWER_ON_LAYOUT, slotsOf } from "./memory-map.js";
import type { MachineOutcome } from "./outcome.js";
import { ParallelRunLoop } from "./parallel-run-loop.js";
import { SeededRandom } from "./random.js";
import { RunLoop } from "./run-loop.js";
import type { MachineConfiguration } from "./saved-machine/configuration.js";
import type { HostScheduler } from "./scheduler.js";

const PORT_SPACE = 0x10000;
const MEMORY_SPACE = 2 ** 52;
const MAX_CPUS = 16;
/** A deterministic machine is switched on at 2026-01-01 00:00 UTC, unless it is told another time. */
const ICOUNT_START_TIME = Date.UTC(2026, 0, 1);

export interface MachineOptions {
  /** RAM in bytes: a multiple of 4096, at least 2 MiB. */
  memory: number;
  /** vCPUs, 1 to 16. */
  cpus?: number;
  accelerator: Accelerator;
  cpuModel: CpuModel;
  /** `real` (default), or `icount`: an instruction is a nanosecond, and every run is the same. */
  clock?: ClockMode;
  /** Wall-clock time at power-on in ms since 1970. Default: now in real mode, 2026-01-01 in icount mode. */
  startTime?: number;
  /** icount mode: seed of what RDRAND gives. */
  seed?: number;
  /** Ticks a second of the guest's TSC. Default: the accelerator's. */
  tscFrequency?: number;
  scheduler: HostScheduler;
  boot: BootImage;
  board: BoardBuilder;
  /** The other end of the first serial port. */
  console?: CharBackend;
  /** A reset ends the run with outcome `reset` instead of starting the guest again. */
  noReboot?: boolean;
  /** RAM in shared memory, for vCPUs on other threads. */
  sharedMemory?: boolean;
}

export const MACHINE_STATE_VERSION = 1;

/** Everything but RAM and ROM, which are `memory.bytes` from ROM_OFFSET on. Plain data, with bigint in `vcpus`. */
export interface MachineState {
  version: typeof MACHINE_STATE_VERSION;
  clock: ClockState;
  random: number[];
  loop: LoopState;
  vcpus: VcpuState[];
  /** By device, as the board names them. */
  board: { readonly [name: string]: PlainData };
}

export interface MachineStats extends RunLoopStats {
  /** Instructions retired by all vCPUs. */
  instructions: number;
  /** Machine time in ns. */
  time: number;
  vcpus: VcpuCounters[];
}

export type MachineStatus = "created" | "running" | "paused" | "ended";

/** Misuse of the API, options that no machine can have, or a guest that cannot be woken from S3. */
export class MachineError extends Error {
  override readonly name = "MachineError";
  constructor(
    readonly code: "MACHINE_OPTION" | "MACHINE_STATUS" | "MACHINE_WAKE",
    message: string,
  ) {
    super(message);
  }
}

export class Machine {
  readonly memory: GuestMemory;
  readonly map: MemoryMap;
  readonly clock: MachineClock;
  readonly vcpus: readonly Vcpu[];
  readonly ports = new Bus(PORT_SPACE);
  readonly mmio = new Bus(MEMORY_SPACE);
  /** Debugger and intercept hooks are set on it. */
  readonly loop: MachineLoop;
  /** The model of `options` as far as the accelerator offers it. */
  readonly cpuModel: CpuModel;
  private readonly vm: AcceleratorVm;
  private readonly router = new InterruptRouter();
  private readonly random: SeededRandom;
  private readonly console: CharBackend | null;
  private currentBoard: Board;
  private loaded = false;
  private running: Promise<MachineOutcome> | null = null;
  private outcome: MachineOutcome | null = null;

  /**
   * Builds a machine, switched off. Nothing of the image is in its memory yet.
   *
   * @throws GuestMemoryError where RAM of that size cannot be had
   * @throws MachineError MACHINE_OPTION
   * @throws AcceleratorError
   */
  constructor(private readonly options: MachineOptions) {
    const { accelerator, scheduler, cpus = 1 } = options;
    if (!(Number.isInteger(cpus) && cpus >= 1 && cpus <= MAX_CPUS)) {
      throw new MachineError("MACHINE_OPTION", `a machine has 1 to ${MAX_CPUS} vCPUs, not ${cpus}`);
    }
    const mode = options.clock ?? "real";
    if (mode === "icount" && accelerator.parallel) {
      throw new MachineError(
        "MACHINE_OPTION",
        `accelerator ${accelerator.name} counts no instructions: no icount clock`,
      );
    }
    this.cpuModel = accelerator.offer(options.cpuModel);
    if (cpus > 1 && !hasFeature(this.cpuModel.features, "apic")) {
      throw new MachineError("MACHINE_OPTION", `CPU model ${this.cpuModel.name} has no local APIC: it is alone`);
    }
    this.map = layOutMemory(options.memory, options.boot.rom?.length ?? 0);
    this.memory = new GuestMemory(options.memory, { shared: options.sharedMemory ?? false });
    this.memory.setSlots(this.map.slots);
    const startTime = options.startTime ?? (mode === "icount" ? ICOUNT_START_TIME : Date.now());
    this.clock = new MachineClock({ mode, monotonic: () => scheduler.monotonic(), startTime });
    this.random = new SeededRandom(options.seed ?? 0);
    this.console = options.console === undefined ? null : this.queued(options.console);

    const bus = this.vcpuBus();
    const random = mode === "icount" ? () => this.random.next() : undefined;
    this.vm = accelerator.createVm(this.memory);
    this.router.setSink(this.vm.deliver);
    const vcpus: Vcpu[] = [];
    for (let id = 0; id < cpus; id++) {
      const vcpu = this.vm.createVcpu({
        id,
        count: cpus,
        model: this.cpuModel,
        bus,
        clock: this.clock,
        tscFrequency: options.tscFrequency,
        random,
      });
      vcpus.push(vcpu);
      this.router.attach(vcpu);
    }
    this.vcpus = vcpus;
    const Loop = accelerator.parallel ? ParallelRunLoop : RunLoop;
    this.loop = new Loop({
      vcpus,
      vm: this.vm,
      clock: this.clock,
      ports: this.ports,
      mmio: this.mmio,
      scheduler,
      reset: () => this.powerOn(),
    });
    this.currentBoard = this.buildBoard();
  }

  /** What the machine is: a saved state can only be restored into one that is the same. */
  get configuration(): MachineConfiguration {
    const { memory, boot, accelerator } = this.options;
    return {
      memory,
      romSize: boot.rom?.length ?? 0,
      cpus: this.vcpus.length,
      clock: this.clock.mode,
      cpu: this.cpuModel,
      board: this.currentBoard.description,
      accelerator: accelerator.name,
      boot: boot.description.slice(0, 400),
    };
  }

  get status(): MachineStatus {
    if (this.outcome !== null) return "ended";
    if (this.running === null) return "created";
    return this.loop.isPaused ? "paused" : "running";
  }

  /** The chips as they are now; a reset replaces them. */
  get board(): Board {
    return this.currentBoard;
  }

  /**
   * Switches the machine on, or continues one that was restored, and runs it to its end.
   *
   * @param options.paused it waits for `resume` before the first instruction
   * @returns how the run ended; it is never rejected because of what the guest does
   * @throws BootFileError where RAM cannot hold what is to be booted
   * @throws MachineError MACHINE_STATUS
   */
  start(options: { paused?: boolean } = {}): Promise<MachineOutcome> {
    if (this.running !== null) throw new MachineError("MACHINE_STATUS", "the machine was started before");
    if (!this.loaded) this.powerOn();
    this.running = this.loop.run(options).then((outcome) => {
      this.outcome = outcome;
      return outcome;
    });
    return this.running;
  }

  /** Resolves when all vCPUs stand still and the clock with them. */
  pause(): Promise<void> {
    return this.loop.pause();
  }

  /**
   * Pauses the machine once it gets there; several points may be set.
   *
   * @returns true when the machine is paused at the point, false where the run ended before
   * @throws MachineError MACHINE_OPTION for instructions where the accelerator does not count them
   */
  pauseAt(point: StopPoint): Promise<boolean> {
    const { accelerator } = this.options;
    if ("instructions" in point && accelerator.parallel) {
      throw new MachineError("MACHINE_OPTION", `accelerator ${accelerator.name} counts no instructions to stop at`);
    }
    return this.loop.pauseAt(point);
  }

  resume(): void {
    this.loop.resume();
  }

  /** Presses the reset button. */
  reset(): void {
    this.requestReset();
  }

  /** Ends the run with outcome `stopped`, as if the plug were pulled. */
  async stop(): Promise<MachineOutcome> {
    if (this.running === null) throw new MachineError("MACHINE_STATUS", "the machine was not started");
    this.loop.end({ kind: "stopped" });
    return this.running;
  }

  /** What the video adapter shows now; null where the machine has none. May be asked for at any time. */
  screen(): ScreenImage | null {
    return this.currentBoard.screen?.() ?? null;
  }

  /** The text on the screen, a line a row; null without a video adapter, empty lines where it shows graphics. */
  screenText(): string | null {
    const image = this.screen();
    return image === null ? null : screenText(image);
  }

  /**
   * Puts scan codes of set 2 into the PS/2 keyboard, as pressing and releasing keys makes them.
   *
   * @returns false where the board has no keyboard
   */
  typeScanCodes(codes: readonly number[]): boolean {
    if (this.currentBoard.typeScanCodes === undefined) return false;
    this.loop.post(() => this.currentBoard.typeScanCodes?.(codes));
    return true;
  }

  /**
   * Presses or releases a key of the PS/2 keyboard, by what is on it: `a`, `;`, `enter`, `f1`, `shift`. A key that is
   * held repeats as the guest has set it.
   *
   * @throws MachineError MACHINE_OPTION for a key that the keyboard does not have
   */
  key(name: string, pressed: boolean): void {
    const make = makeCode(name);
    if (make === null) throw new MachineError("MACHINE_OPTION", `the keyboard has no key ${name.slice(0, 40)}`);
    this.loop.post(() => this.currentBoard.key?.(make, pressed));
  }

  /** The guest has taken all that was typed: the keyboard has room for a key with its modifiers. */
  get keyboardIdle(): boolean {
    return this.currentBoard.keyboardIdle ?? true;
  }

  /** Presses the power button: a guest with ACPI shuts down. */
  powerButton(): void {
    this.loop.post(() => this.currentBoard.powerButton());
  }

  /** Applies something from outside before the next slice of the vCPUs: the way in for everything. */
  post(input: () => void): void {
    this.loop.post(input);
  }

  /** A message-signalled interrupt from outside of the board, as a PCI function would send it. */
  messageSignalledInterrupt(address: number, data: number): void {
    this.router.send(address, data);
  }

  /**
   * Begins to note which pages of guest memory are written. One log can be open at a time.
   *
   * @throws AcceleratorError UNIMPLEMENTED_FEATURE where the accelerator cannot tell
   */
  startDirtyLog(): DirtyLog {
    return this.vm.startDirtyLog();
  }

  /** Gives back what the vCPUs hold. */
  close(): void {
    this.vm.close();
  }

  stats(): MachineStats {
    const vcpus = this.vcpus.map((vcpu) => vcpu.counters());
    const instructions = vcpus.reduce((sum, counters) => sum + counters.instructions, 0);
    return { ...this.loop.stats, instructions, time: this.clock.now(), vcpus };
  }

  /**
   * The machine's state without RAM and ROM.
   *
   * @throws MachineError MACHINE_STATUS unless the machine is paused or was never started
   */
  save(): MachineState {
    if (this.status === "running") throw new MachineError("MACHINE_STATUS", "a running machine cannot be saved");
    if (this.status === "ended") throw new MachineError("MACHINE_STATUS", "the machine has ended: there is no state");
    // Switched on first: a machine that was never started has nothing in its memory.
    if (!this.loaded) this.powerOn();
    const devices = [...this.currentBoard.states].map(([name, device]) => [name, device.save()]);
    return {
      version: MACHINE_STATE_VERSION,
      clock: this.clock.save(),
      random: this.random.save(),
      loop: this.loop.save(),
      vcpus: this.vcpus.map((vcpu) => vcpu.getState()),
      board: Object.fromEntries(devices),
    };
  }

  /**
   * Whether `restore` would take the state. Nothing has changed afterwards.
   *
   * @throws what `restore` throws
   */
  check(state: MachineState): void {
    if (this.running !== null) {
      throw new MachineError("MACHINE_STATUS", "only a machine that was not started can be restored");
    }
    if (state.version !== MACHINE_STATE_VERSION) throw new StateError(`machine state of version ${state.version}`);
    if (state.vcpus.length !== this.vcpus.length) {
      throw new StateError(`the saved machine has ${state.vcpus.length} vCPUs, this one has ${this.vcpus.length}`);
    }
    const { states } = this.currentBoard;
    const unknown = Object.keys(state.board).find((name) => !states.has(name));
    if (unknown !== undefined) throw new StateError(`this machine has no device ${unknown.slice(0, 40)}`);
    const missing = [...states.keys()].find((name) => !Object.hasOwn(state.board, name));
    if (missing !== undefined) throw new StateError(`the saved machine has no device ${missing}`);
    this.clock.check(state.clock);
    this.random.check(state.random);
    this.loop.check(state.loop);
    for (const [name, device] of states) device.check(state.board[name]);
    this.tryVcpus(state.vcpus);
  }

  /**
   * Takes a saved state over; RAM and ROM must be in place. `start` then continues instead of booting.
   *
   * @throws StateError where the state is of another version or of another machine
   * @throws AcceleratorError STATE_MISMATCH where a vCPU cannot take its state
   * @throws MachineError MACHINE_STATUS
   */
  restore(state: MachineState): void {
    this.check(state);
    this.clock.restore(state.clock);
    this.random.restore(state.random);
    for (const [name, device] of this.currentBoard.states) device.restore(state.board[name]);
    // After the devices: what their lines did to the local APICs on the way leaves no trace.
    state.vcpus.forEach((saved, index) => {
      this.vcpus[index].setState(saved);
    });
    this.loop.restore(state.loop);
    this.loaded = true;
  }

  /** Lets each vCPU take its state, and gives it its own back. */
  private tryVcpus(states: readonly VcpuState[]): void {
    const own = this.vcpus.map((vcpu) => vcpu.getState());
    try {
      for (const [index, vcpu] of this.vcpus.entries()) vcpu.setState(states[index]);
    } finally {
      for (const [index, vcpu] of this.vcpus.entries()) vcpu.setState(own[index]);
    }
  }

  /** Power-on and reset: new chips, vCPUs at reset, the image loaded again. RAM keeps what it had besides. */
  private powerOn(): void {
    if (this.loaded) this.currentBoard = this.buildBoard();
    for (const vcpu of this.vcpus) vcpu.reset();
    let rsdp = 0;
    if (this.options.boot.rom === null) {
      writeBiosDataArea(this.memory, EBDA);
      rsdp = this.currentBoard.writeAcpiTables();
    }
    const { textMode = false } = this.currentBoard;
    const entry = this.options.boot.load({ memory: this.memory, e820: this.map.e820, rsdp, textMode });
    if (entry !== null) this.vcpus[0].setState(entry(this.vcpus[0].getState()));
    this.loaded = true;
  }

  /** S3: the chips lose what they hold, but those with a supply of their own; the processors stand still. */
  private suspend(): void {
    const { keptInSleep = [], states } = this.currentBoard;
    const kept = keptInSleep.map((name) => ({ name, state: states.get(name)?.save() }));
    this.currentBoard = this.buildBoard();
    for (const { name, state } of kept) {
      if (state !== undefined) this.currentBoard.states.get(name)?.restore(state);
    }
    for (const vcpu of this.vcpus) vcpu.reset();
    const [first] = this.vcpus;
    first.setState({ ...first.getState(), runState: "wait-for-sipi" });
  }

  /** The end of S3: firmware starts, and finds that RAM is alive; where there is none, we do what it would. ACPI 6.5, 16.3.2. */
  private wakeUp(): void {
    const [first] = this.vcpus;
    first.reset();
    if (this.options.boot.rom !== null) {
      this.currentBoard.markResume?.();
      return;
    }
    const { facs } = this.currentBoard;
    const state = facs === undefined ? null : enterAtWakingVector(this.memory, first.getState(), facs);
    if (state === null) throw new MachineError("MACHINE_WAKE", "the guest left no waking vector that can be entered");
    first.setState(state);
  }

  private buildBoard(): Board {
    this.ports.clear();
    this.mmio.clear();
    this.clock.dropTimers();
    if (this.loaded) this.memory.setSlots(this.map.slots);
    let layout = POWER_ON_LAYOUT;
    const remap = (change: Partial<MemoryLayout>) => {
      layout = { ...layout, ...change };
      this.memory.setSlots(slotsOf(this.map, layout));
    };
    return this.options.board({
      ports: this.ports,
      mmio: this.mmio,
      clock: this.clock,
      router: this.router,
      memory: this.memory,
      map: this.map,
      cpus: this.vcpus.length,
      console: this.console,
      msi: this.router,
      deliver: (message) => this.router.deliver(message),
      routeIoapicPin: (pin, message) => this.vm.routeIoapicPin?.(pin, message),
      ignoreFloatErrors: () => this.vcpus[0].ignoreFloatErrors?.(),
      coalesce: (space, address, size) => this.vm.coalesce?.(space, address, size),
      remapShadow: (shadow) => remap({ shadow }),
      gateA20: (a20) => remap({ a20 }),
      placeVideoMemory: (video) => remap({ video }),
      power: {
        powerOff: () => this.loop.end({ kind: "poweroff" }),
        reset: () => this.requestReset(),
        suspend: () => this.loop.requestTransition(() => this.suspend()),
        wake: () => this.loop.requestTransition(() => this.wakeUp()),
        debugExit: (value) => this.loop.end({ kind: "debug-exit", value }),
        nmi: () => this.vcpus[0].nmi(),
      },
    });
  }

  private requestReset(): void {
    if (this.options.noReboot) this.loop.end({ kind: "reset" });
    else this.loop.requestReset();
  }

  private vcpuBus(): VcpuBus {
    const { ports, mmio, router } = this;
    return {
      portRead: (port, size) => ports.read(port, size),
      portWrite: (port, size, value) => ports.write(port, size, value),
      mmioRead: (gpa, size) => mmio.read(gpa, size),
      mmioWrite: (gpa, size, value) => mmio.write(gpa, size, value),
      acknowledgePic: () => this.currentBoard.acknowledgePic(),
      endOfInterrupt: (vector) => this.currentBoard.endOfInterrupt(vector),
      floatError: () => this.currentBoard.floatError(),
      sendIpi: (message, from) => {
        router.deliver(message, from);
      },
    };
  }

  /** The console with what comes from it going through the queue; each new board listens in the place of the last. */
  private queued(backend: CharBackend): CharBackend {
    let onData: (bytes: Uint8Array) => void = () => {};
    let onWritable: () => void = () => {};
    backend.onData((bytes) => this.loop.post(() => onData(bytes)));
    backend.onWritable?.(() => this.loop.post(() => onWritable()));
    return {
      write: (bytes) => backend.write(bytes),
      onData: (callback) => {
        // The board before may have paused its input.
        backend.resume?.();
        onData = callback;
      },
      pause: () => backend.pause?.(),
      resume: () => backend.resume?.(),
      writable: () => backend.writable?.() ?? true,
      onWritable: (callback) => {
        onWritable = callback;
      },
    };
  }
}
