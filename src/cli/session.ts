/**
 * One run of `ringvisor boot`: the machine with all that is around it, from its start to an exit code.
 *
 * What may end it: the guest (power off, reset, debug exit, crash, panic), the user (Ctrl-A X, the monitor,
 * gdb, a signal), the time limit, the console's other end, and our own failures. The first counts.
 */
import { createInterface } from "node:readline";
import { privilegeLevel } from "../inspect/cpu-mode.js";
import { crashReport } from "../inspect/crash-report.js";
import { Monitor } from "../inspect/monitor.js";
import { PanicWatch } from "../inspect/panic-watch.js";
import type { SymbolTable } from "../inspect/symbols.js";
import type { Machine } from "../machine/machine.js";
import type { MachineOutcome } from "../machine/outcome.js";
import { type HostConsole, StdioConsole } from "../node/console.js";
import { ESCAPE_HELP, type EscapeAction } from "../node/escape-keys.js";
import { FileError } from "../node/files.js";
import { type GdbServer, startGdbServer } from "../node/gdb-server.js";
import { createProgress } from "../node/progress.js";
import { saveMachineFile } from "../node/saved-machine-file.js";
import type { HostScreen } from "../node/screen/screen.js";
import type { VcpuState } from "../vcpu/state.js";
import type { SaveRequest } from "./boot-options.js";
import { EXIT, SIGNAL_EXIT_BASE } from "./errors.js";

export interface SessionOptions {
  timeout: number | null;
  gdbPort: number | null;
  longMode: boolean;
  symbols: SymbolTable | null;
  /** When to save the machine, and where to. */
  saves: readonly SaveRequest[];
  /** The last of these saves ends the run. */
  quitWhenSaved: boolean;
  /** Told when a reset ends the run although nobody asked for that; null where it does not. */
  resetAdvice: string | null;
  /** The machine's screen, which has the terminal; null where the console has it. */
  screen: Pick<HostScreen, "suspend" | "resume" | "close"> | null;
}

/** Why the session ended, where it was not the guest. */
type Interruption =
  | { kind: "quit" }
  | { kind: "killed-by-gdb" }
  | { kind: "signal"; signal: NodeJS.Signals; number: number }
  | { kind: "timeout" }
  | { kind: "saved" }
  | { kind: "save-failed"; error: Error }
  | { kind: "panic"; state: VcpuState | null; vcpu: number }
  | { kind: "console"; error: Error };

export interface SessionResult {
  exitCode: number;
  /** For `--stats`: a word for how it ended. */
  reason: string;
}

const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
const SIGPIPE = 13;
/** A kernel that has said its last word is looked at this often, and must look dead each time. */
const PANIC_SAMPLES = 10;
const PANIC_SAMPLE_MS = 100;
/** How long the help stays where a screen will be drawn over it. */
const HELP_MS = 4000;
/** Bytes between two reports of a save's progress. */
const PROGRESS_STEP = 4 << 20;

export class Session {
  private interruption: Interruption | null = null;
  private readonly watch = new PanicWatch();
  private readonly monitor: Monitor;
  private console: HostConsole | null = null;
  private gdb: GdbServer | null = null;
  private monitorOpen = false;
  private panicSamples = 0;
  /** Parts of the session that need the machine paused. */
  private holds = 0;
  /** Somebody else, gdb, had paused it before. */
  private heldOutside = false;
  /** Ends a save under way. */
  private readonly stopping = new AbortController();
  private savesLeft: number;
  private saving: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly machine: Machine,
    private readonly options: SessionOptions,
  ) {
    this.monitor = new Monitor(machine, options.symbols, (file) => this.save(file));
    this.savesLeft = options.saves.length;
  }

  /** Sees what the guest writes. */
  observe(bytes: Uint8Array): void {
    this.watch.feed(bytes);
  }

  onAction(action: EscapeAction): void {
    if (action === "quit") void this.interrupt({ kind: "quit" });
    else if (action === "help") this.showHelp();
    else void this.openMonitor();
  }

  /** A screen is redrawn at once: the help gets a moment. */
  private showHelp(): void {
    const { screen } = this.options;
    screen?.suspend();
    process.stdout.write(`\r\n${ESCAPE_HELP}`);
    if (screen !== null) setTimeout(() => screen.resume(), HELP_MS);
  }

  onConsoleFailure(error: Error): void {
    void this.interrupt({ kind: "console", error });
  }

  async run(console: HostConsole): Promise<SessionResult> {
    const { timeout, gdbPort } = this.options;
    this.console = console;
    const release = this.catchSignals();
    const timers: NodeJS.Timeout[] = [];
    try {
      if (gdbPort !== null) await this.startGdb(gdbPort);
      const saves = this.options.saves.map((request) => this.saveWhenDue(request));
      const running = this.machine.start({ paused: gdbPort !== null });
      if (timeout !== null) timers.push(setTimeout(() => void this.interrupt({ kind: "timeout" }), timeout));
      timers.push(setInterval(() => void this.lookForPanic(), PANIC_SAMPLE_MS));
      const outcome = await running;
      this.stopping.abort(new Error("the run ended"));
      await Promise.all([...saves, this.saving]);
      this.options.screen?.close();
      console.close();
      const result = this.withMissedSaves(await this.conclude(outcome));
      this.gdb?.ended(result.exitCode);
      return result;
    } finally {
      for (const timer of timers) clearTimeout(timer);
      this.gdb?.close();
      console.close();
      release();
      this.machine.close();
    }
  }

  private async interrupt(interruption: Interruption): Promise<void> {
    this.interruption ??= interruption;
    this.stopping.abort(new Error("the run is ending"));
    await this.machine.stop();
  }

  /** Pauses the machine until `release`. */
  private async hold(): Promise<void> {
    if (this.holds++ === 0) this.heldOutside = this.machine.status === "paused";
    await this.machine.pause();
  }

  private release(): void {
    if (--this.holds === 0 && !this.heldOutside) this.machine.resume();
  }

  /** Saves the paused machine; what to tell. Several at a time come one after the other. */
  private save(file: string): Promise<string> {
    const saving = this.saving.then(() => this.saveNow(file));
    this.saving = saving.catch(() => {});
    return saving;
  }

  private async saveNow(file: string): Promise<string> {
    const progress = createProgress();
    let shown = 0;
    try {
      const size = await saveMachineFile(this.machine, file, {
        signal: this.stopping.signal,
        progress: (bytes) => {
          if (bytes - shown < PROGRESS_STEP) return;
          shown = bytes;
          progress.update(`saving to ${file}: ${Math.floor(bytes / 2 ** 20)} MiB`);
        },
      });
      return `saved to ${file}: ${(size / 2 ** 20).toFixed(1)} MiB`;
    } finally {
      progress.done();
    }
  }

  /** Never rejects. */
  private async saveWhenDue({ point, file }: SaveRequest): Promise<void> {
    if (!(await this.machine.pauseAt(point))) return;
    // The machine is paused already: nothing may come in between before it is held.
    if (this.holds++ === 0) this.heldOutside = false;
    try {
      await this.save(file);
      if (--this.savesLeft === 0 && this.options.quitWhenSaved) void this.interrupt({ kind: "saved" });
    } catch (error) {
      // Where the run is ending anyway, the save was given up for that.
      if (!this.stopping.signal.aborted) void this.interrupt({ kind: "save-failed", error: error as Error });
    } finally {
      this.release();
    }
  }

  /** A script that goes on with a file must not find that it is not there. */
  private withMissedSaves(result: SessionResult): SessionResult {
    if (this.savesLeft === 0 || this.interruption?.kind === "save-failed") return result;
    process.stderr.write(`ringvisor: the run ended before ${this.savesLeft} of its --save-at\n`);
    return result.exitCode === EXIT.POWER_OFF ? { ...result, exitCode: EXIT.USAGE } : result;
  }

  /** A second signal while the first is being obeyed ends the process at once. */
  private catchSignals(): () => void {
    const handlers = Object.entries(SIGNALS).map(([name, number]) => {
      const signal = name as keyof typeof SIGNALS;
      const handler = () => {
        if (this.interruption?.kind === "signal") process.exit(SIGNAL_EXIT_BASE + number);
        void this.interrupt({ kind: "signal", signal, number });
      };
      process.on(signal, handler);
      return () => process.removeListener(signal, handler);
    });
    return () => {
      for (const remove of handlers) remove();
    };
  }

  private async startGdb(port: number): Promise<void> {
    this.gdb = await startGdbServer(port, {
      machine: this.machine,
      longMode: this.options.longMode,
      onKill: () => void this.interrupt({ kind: "killed-by-gdb" }),
      monitor: async (line) => {
        const { text, verdict } = await this.monitor.execute(line);
        return verdict === "stay" ? text : "gdb's own commands do that";
      },
    });
    process.stderr.write(`ringvisor: waiting for gdb on 127.0.0.1:${this.gdb.port}\n`);
  }

  /** The terminal becomes the monitor's until `continue` or `quit`. */
  private async openMonitor(): Promise<void> {
    const { console } = this;
    if (this.monitorOpen || !(console instanceof StdioConsole)) return;
    this.monitorOpen = true;
    await this.hold();
    console.flush();
    console.detach();
    this.options.screen?.suspend();
    process.stdout.write("\r\nringvisor monitor; help lists the commands\n");
    const lines = createInterface({
      input: process.stdin,
      output: process.stdout,
      terminal: true,
      completer: (text: string) => [this.monitor.names.filter((name) => name.startsWith(text)), text],
    });
    let quit = false;
    // Ctrl-C at the prompt throws the line away, as in a shell.
    lines.on("SIGINT", () => {
      process.stdout.write("\n");
      lines.write(null, { ctrl: true, name: "u" });
      lines.prompt();
    });
    lines.setPrompt(this.monitor.prompt);
    lines.prompt();
    for await (const line of lines) {
      const { text, verdict } = await this.monitor.execute(line);
      if (text !== "") process.stdout.write(`${text}\n`);
      quit = verdict === "quit";
      if (verdict !== "stay") break;
      lines.setPrompt(this.monitor.prompt);
      lines.prompt();
    }
    lines.close();
    console.attach();
    this.options.screen?.resume();
    this.monitorOpen = false;
    if (quit) void this.interrupt({ kind: "quit" });
    this.release();
  }

  /**
   * A Linux that panicked and will not reboot spins in its kernel for ever. The text alone is no proof:
   * `dmesg` may have printed it. So the vCPUs are looked at for a while: a live system waits in HLT, runs
   * programs, or prints something.
   */
  private async lookForPanic(): Promise<void> {
    if (!this.watch.ended || this.machine.status !== "running") {
      this.panicSamples = 0;
      return;
    }
    await this.hold();
    const states = this.machine.vcpus.map((vcpu) => vcpu.getState());
    // CPUs that the panic stopped are halted with interrupts off.
    const dead = states.every((state) => {
      if (state.runState === "halted") return (state.rflags & 0x200n) === 0n;
      return state.runState !== "running" || privilegeLevel(state) === 0;
    });
    const spinning = states.findIndex((state) => state.runState === "running");
    this.panicSamples = dead && (spinning >= 0 || states.length > 0) ? this.panicSamples + 1 : 0;
    if (!dead) this.watch.ended = false;
    if (this.panicSamples >= PANIC_SAMPLES) {
      const vcpu = Math.max(0, spinning);
      void this.interrupt({ kind: "panic", vcpu, state: states[vcpu] });
    }
    this.release();
  }

  private async conclude(outcome: MachineOutcome): Promise<SessionResult> {
    switch (outcome.kind) {
      case "poweroff":
        return { exitCode: EXIT.POWER_OFF, reason: "poweroff" };
      case "debug-exit":
        return { exitCode: ((outcome.value << 1) | 1) & 0xff, reason: "debug-exit" };
      case "reset":
        if (this.options.resetAdvice !== null) process.stderr.write(`ringvisor: ${this.options.resetAdvice}\n`);
        if (this.watch.message === null) return { exitCode: EXIT.POWER_OFF, reason: "reset" };
        await this.reportCrash(this.watch.message, 0, this.machine.vcpus[0].getState());
        return { exitCode: EXIT.GUEST_CRASH, reason: "panic" };
      case "crash":
        await this.reportCrash("triple fault", outcome.vcpu, outcome.state);
        return { exitCode: EXIT.GUEST_CRASH, reason: "triple-fault" };
      case "internal-error": {
        const { error, vcpu, state } = outcome;
        if (state !== null && vcpu !== null) await this.reportCrash(error.message, vcpu, state, "ringvisor failed");
        else process.stderr.write(`ringvisor: ${error.message}\n`);
        if (error.name !== "AcceleratorError") process.stderr.write(`${error.stack}\n`);
        return { exitCode: EXIT.OUR_FAILURE, reason: "internal-error" };
      }
      case "stopped":
        return this.concludeInterruption();
    }
  }

  private async concludeInterruption(): Promise<SessionResult> {
    const { interruption } = this;
    switch (interruption?.kind) {
      case "timeout":
        process.stderr.write(`ringvisor: stopped after ${(this.options.timeout ?? 0) / 1000} s (--timeout)\n`);
        return { exitCode: EXIT.TIMEOUT, reason: "timeout" };
      case "save-failed": {
        const { error } = interruption;
        process.stderr.write(`ringvisor: ${error.message}\n`);
        return { exitCode: error instanceof FileError ? EXIT.USAGE : EXIT.OUR_FAILURE, reason: "save-failed" };
      }
      case "signal":
        return { exitCode: SIGNAL_EXIT_BASE + interruption.number, reason: interruption.signal };
      case "panic":
        if (interruption.state !== null) {
          await this.reportCrash(this.watch.message ?? "kernel panic", interruption.vcpu, interruption.state);
        }
        return { exitCode: EXIT.GUEST_CRASH, reason: "panic" };
      case "console": {
        const { error } = interruption;
        if ((error as NodeJS.ErrnoException).code === "EPIPE") {
          return { exitCode: SIGNAL_EXIT_BASE + SIGPIPE, reason: "SIGPIPE" };
        }
        process.stderr.write(`ringvisor: console: ${error.message}\n`);
        return { exitCode: EXIT.OUR_FAILURE, reason: "console" };
      }
      default:
        return { exitCode: EXIT.POWER_OFF, reason: interruption?.kind ?? "stopped" };
    }
  }

  private async reportCrash(what: string, vcpu: number, state: VcpuState, who = "the guest crashed"): Promise<void> {
    const { machine, options } = this;
    const context = { vcpu: machine.vcpus[vcpu], memory: machine.memory, state, symbols: options.symbols };
    process.stderr.write(await crashReport(`\nringvisor: ${who}: ${what}`, context));
  }
}
