/**
 * Runs the vCPUs of an accelerator that has a thread for each: all at once, until somebody wants them to
 * stand still. Their accesses come here one after the other, so that devices know one thread only; timers
 * and inputs from outside are served between them, without disturbing the vCPUs.
 */
import type { Vcpu } from "../vcpu/accelerator.js";
import { LONGEST_WAIT_MS, MachineLoop, type MachineLoopOptions, SHORT_WAIT, YIELD_AFTER } from "./machine-loop.js";
import type { MachineOutcome } from "./outcome.js";

export class ParallelRunLoop extends MachineLoop {
  /** While the vCPUs run: serves timers and inputs. */
  private round: Round | null = null;

  constructor(options: MachineLoopOptions) {
    super(options);
    options.clock.watchDeadline(() => this.round?.arm());
  }

  statesChanged(): void {}

  protected async step(): Promise<MachineOutcome | null> {
    this.serve();
    if (this.ending !== null) return this.ending;
    this.changeIfWanted();
    if (this.standstillWanted) {
      await this.stayPaused();
      return null;
    }
    const round = new Round(
      this.options,
      () => this.serve(),
      () => this.nextStop().time,
    );
    this.round = round;
    try {
      round.arm();
      await Promise.all(this.options.vcpus.map((vcpu) => this.drive(vcpu, round)));
    } finally {
      round.close();
      this.round = null;
    }
    return null;
  }

  protected interrupt(): void {
    this.round?.soon();
    if (this.attention && this.started) for (const vcpu of this.options.vcpus) vcpu.kick();
  }

  /** One vCPU, until all are to stand still. Never rejects: a failure ends the machine. */
  private async drive(vcpu: Vcpu, round: Round): Promise<void> {
    try {
      while (!this.attention) {
        this.stats.slices++;
        let exit = vcpu.run({ instructions: Number.POSITIVE_INFINITY });
        if (exit instanceof Promise) exit = await exit;
        if (!this.access(vcpu, exit)) {
          const outcome = this.handle(vcpu, exit);
          if (outcome instanceof Promise) await outcome;
          else if (outcome !== null) this.end(outcome);
        }
        await round.letEventsIn();
      }
    } catch (error) {
      this.end(this.failed(error, vcpu));
    }
  }

  private serve(): void {
    try {
      this.applyInputs();
      this.options.clock.fireDue();
      this.lookForStops();
    } catch (error) {
      this.end(this.failed(error));
    }
  }
}

/** What happens beside the vCPUs while they run. */
class Round {
  private cancel: (() => void) | null = null;
  private armed = Number.POSITIVE_INFINITY;
  private pending = false;
  private closed = false;
  private lastYield: number;
  private yielding: Promise<void> | null = null;

  constructor(
    private readonly options: MachineLoopOptions,
    private readonly serve: () => void,
    private readonly stopTime: () => number,
  ) {
    this.lastYield = options.scheduler.monotonic();
  }

  /** Sees to it that the clock's next timer is served in time. */
  arm(): void {
    const { clock, scheduler } = this.options;
    const next = Math.min(clock.nextDeadline() ?? Number.POSITIVE_INFINITY, this.stopTime());
    if (this.closed || next >= this.armed) return;
    this.disarm();
    const left = next - clock.now();
    if (left < SHORT_WAIT) {
      this.soon();
      return;
    }
    this.armed = next;
    this.cancel = scheduler.after(Math.min(LONGEST_WAIT_MS, Math.max(1, Math.floor(left / 1e6))), () => this.turn());
  }

  /** Serves as soon as the host's pending events have been. */
  soon(): void {
    if (this.pending || this.closed) return;
    this.pending = true;
    this.options.scheduler.soon(() => {
      this.pending = false;
      this.turn();
    });
  }

  /** Lets the host's events in once in a while: vCPUs whose accesses never make them wait would keep them out. */
  async letEventsIn(): Promise<void> {
    const { scheduler } = this.options;
    if (scheduler.monotonic() - this.lastYield < YIELD_AFTER) return;
    this.yielding ??= new Promise((resolve) => {
      scheduler.soon(() => {
        this.lastYield = scheduler.monotonic();
        this.yielding = null;
        resolve();
      });
    });
    await this.yielding;
  }

  close(): void {
    this.closed = true;
    this.disarm();
  }

  private turn(): void {
    if (this.closed) return;
    this.disarm();
    this.serve();
    this.arm();
  }

  private disarm(): void {
    this.cancel?.();
    this.cancel = null;
    this.armed = Number.POSITIVE_INFINITY;
  }
}
