/**
 * The PC's 8254 interval timer and port 0x61, through which its gate, the speaker and the refresh signal are seen.
 * Intel 8254 data sheet (231164); ICH9, 13.3 and 13.7.1 (NMI_SC).
 *
 *     const pit = new Pit({ clock, interrupt: line(0) });
 *     ports.add("pit", 0x40, 4, pit); ports.add("port 61", 0x61, 1, pit.port61);
 */
import { ByteWindow } from "../byte-registers.js";
import type { ClockTimer, DeviceClock, InterruptLine, Stateful } from "../device.js";
import { byte, finite, flag, list, literal, nullable, object, type StateOf } from "../state-shape.js";
import { COUNTER_SHAPE, Counter } from "./counter.js";

export const PIT_FREQUENCY = 1_193_182;

const CONTROL = 3;
const READ_BACK = 3;
const READ_BACK_NO_COUNT = 1 << 5;
const READ_BACK_NO_STATUS = 1 << 4;

/** Port 0x61. */
const SPEAKER_GATE = 1 << 0;
const SPEAKER_ENABLE = 1 << 1;
const SYSTEM_CONTROL_WRITABLE = 0x0f;
const REFRESH = 1 << 4;
const SPEAKER_OUT = 1 << 5;
/** The refresh request toggles at this interval. */
const REFRESH_NS = 15_085;

/** Interrupts closer together than this merge, so that a guest cannot keep the host busy with the timer alone. */
const MIN_INTERVAL_NS = 20_000;

const SHAPE = object({
  version: literal(1),
  counters: list(COUNTER_SHAPE, 3),
  systemControl: byte,
  /** The interrupt line, which follows counter 0's rises only. */
  line: flag,
  /** Clock time of the next rise, or null. */
  deadline: nullable(finite),
});
export type PitState = StateOf<typeof SHAPE>;

export interface PitOptions {
  clock: DeviceClock;
  /** ISA interrupt 0: counter 0's output. */
  interrupt: InterruptLine;
}

export class Pit extends ByteWindow implements Stateful<PitState> {
  readonly port61: ByteWindow;
  private readonly channels = [new Counter(true), new Counter(true), new Counter(false)];
  private control = 0;
  private line = false;
  private deadline: number | null = null;
  private readonly timer: ClockTimer;

  constructor(private readonly options: PitOptions) {
    super(
      (offset) => (offset === CONTROL ? 0xff : this.channels[offset & 3].read(this.tick())),
      (offset, value) => {
        if (offset === CONTROL) this.writeControl(value);
        else this.channels[offset & 3].write(value, this.tick());
        if (offset === CONTROL || offset === 0) this.update();
      },
    );
    this.timer = options.clock.timer(() => {
      this.deadline = null;
      this.rise();
    });
    this.port61 = new ByteWindow(
      () => this.readSystemControl(),
      (_, value) => {
        this.control = value & SYSTEM_CONTROL_WRITABLE;
        this.channels[2].setGate((value & SPEAKER_GATE) !== 0, this.tick());
      },
    );
  }

  /** Whether the speaker's cone follows counter 2 now. */
  get speakerOn(): boolean {
    return (this.control & (SPEAKER_GATE | SPEAKER_ENABLE)) === (SPEAKER_GATE | SPEAKER_ENABLE);
  }

  save(): PitState {
    const counters = this.channels.map((channel) => channel.state);
    const { control: systemControl, line, deadline } = this;
    return SHAPE.parse({ version: 1, counters, systemControl, line, deadline }, "pit");
  }

  check(state: unknown): void {
    SHAPE.parse(state, "pit");
  }

  restore(state: PitState): void {
    const { counters, systemControl, line, deadline } = SHAPE.parse(state, "pit");
    for (const [index, channel] of this.channels.entries()) channel.state = counters[index];
    this.control = systemControl & SYSTEM_CONTROL_WRITABLE;
    this.setLine(line);
    this.setDeadline(deadline);
  }

  private tick(): number {
    return Math.floor((this.options.clock.now() / 1e9) * PIT_FREQUENCY);
  }

  private readSystemControl(): number {
    const refresh = Math.floor(this.options.clock.now() / REFRESH_NS) & 1 ? REFRESH : 0;
    return this.control | refresh | (this.channels[2].out(this.tick()) ? SPEAKER_OUT : 0);
  }

  private writeControl(value: number): void {
    const select = value >>> 6;
    const tick = this.tick();
    if (select === READ_BACK) {
      for (const [index, channel] of this.channels.entries()) {
        if ((value & (2 << index)) === 0) continue;
        if ((value & READ_BACK_NO_COUNT) === 0) channel.latchCount(tick);
        if ((value & READ_BACK_NO_STATUS) === 0) channel.latchStatus(tick);
      }
    } else if ((value & 0x30) === 0) {
      this.channels[select].latchCount(tick);
    } else {
      this.channels[select].control(value & 0x3f);
    }
  }

  private update(): void {
    this.setLine(this.channels[0].out(this.tick()));
    this.arm();
  }

  private rise(): void {
    // Between the last rise and this one the output was low, for one tick at least.
    this.setLine(false);
    this.setLine(true);
    this.arm();
  }

  private arm(): void {
    const now = this.options.clock.now();
    const rise = this.channels[0].nextRise(this.tick());
    this.setDeadline(rise === null ? null : Math.max(Math.ceil((rise * 1e9) / PIT_FREQUENCY), now + MIN_INTERVAL_NS));
  }

  private setLine(level: boolean): void {
    this.line = level;
    this.options.interrupt.set(level);
  }

  private setDeadline(deadline: number | null): void {
    this.deadline = deadline;
    if (deadline === null) this.timer.cancel();
    else this.timer.arm(deadline);
  }
}
