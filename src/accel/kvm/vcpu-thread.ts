/**
 * The thread on which a vCPU blocks in KVM_RUN: a worker with one loop, told what to do through a
 * shared array. Everything else of a vCPU happens on the device thread while this one waits.
 */
import { parentPort, Worker, workerData } from "node:worker_threads";
import * as api from "./api.js";
import { EIO, errno, kickThread, libc, threadId } from "./libc.js";

/** Indexes into the shared Int32Array. */
const COMMAND = 0; // counts up with every command
const DESCRIPTOR = 1; // the vCPU to run
const REPLY = 2; // the command that was carried out last
const RESULT = 3; // KVM_RUN's result, or -errno
const THREAD = 4; // the worker's kernel thread id
const WORDS = 8;

/**
 * How long (ms) each side looks for the other's word before it goes to sleep: a short exit then costs no wake-up.
 * By the clock, because a look costs a thousand times more in a slow machine, before the loop is compiled.
 */
const SPIN_TIME = 0.02;
/** Looks between two looks at the clock. */
const SPINS = 32;
/** Threads that wait for the next vCPU; more are let go. */
const POOL_LIMIT = 8;

interface ThreadData {
  vcpuThread: SharedArrayBuffer;
}

const pool: VcpuThread[] = [];

export class VcpuThread {
  private readonly words = new Int32Array(new SharedArrayBuffer(WORDS * 4));
  private readonly worker: Worker;
  private command = 0;
  private broken = false;

  /** A thread that waits, or a new one. */
  static acquire(): VcpuThread {
    return pool.pop() ?? new VcpuThread();
  }

  private constructor() {
    const data: ThreadData = { vcpuThread: this.words.buffer as SharedArrayBuffer };
    this.worker = new Worker(new URL(import.meta.url), { workerData: data, stdin: false });
    // A waiting thread must not keep the process alive; one that runs a vCPU does.
    this.worker.unref();
    const fail = () => {
      this.broken = true;
      this.words[RESULT] = -EIO;
      Atomics.store(this.words, REPLY, this.command);
      Atomics.notify(this.words, REPLY);
    };
    this.worker.once("error", fail);
    this.worker.once("exit", fail);
  }

  /** Starts one KVM_RUN. */
  start(fd: number): void {
    this.command = (this.command + 1) | 0;
    if (this.broken) return;
    this.words[DESCRIPTOR] = fd;
    Atomics.store(this.words, COMMAND, this.command);
    Atomics.notify(this.words, COMMAND);
  }

  /** Looks for the result for a short while: 0, a negative errno, or null when it is not there yet. */
  poll(): number | null {
    if (this.broken) return -EIO;
    return spin(() => Atomics.load(this.words, REPLY) === this.command) ? (this.words[RESULT] ?? 0) : null;
  }

  /** Waits for the result. */
  async wait(): Promise<number> {
    this.worker.ref();
    try {
      for (;;) {
        if (this.broken) return -EIO;
        const seen = Atomics.load(this.words, REPLY);
        if (seen === this.command) return this.words[RESULT] ?? 0;
        const wait = Atomics.waitAsync(this.words, REPLY, seen);
        if (wait.async) await wait.value;
      }
    } finally {
      this.worker.unref();
    }
  }

  /** Interrupts a KVM_RUN under way. The caller has set immediate_exit before, so that none is missed. */
  kick(): void {
    const thread = Atomics.load(this.words, THREAD);
    if (thread !== 0 && !this.broken) kickThread(thread);
  }

  /** Gives the thread back. It must not be running a vCPU. */
  release(): void {
    if (!this.broken && pool.length < POOL_LIMIT) pool.push(this);
    else void this.worker.terminate();
  }
}

/** Looks until the condition holds, for SPIN_TIME at most. */
function spin(condition: () => boolean): boolean {
  const end = performance.now() + SPIN_TIME;
  do {
    for (let look = 0; look < SPINS; look++) if (condition()) return true;
  } while (performance.now() < end);
  return false;
}

function serve({ vcpuThread }: ThreadData): never {
  const words = new Int32Array(vcpuThread);
  const { ioctl } = libc();
  Atomics.store(words, THREAD, threadId());
  for (let done = 0; ; ) {
    if (!spin(() => Atomics.load(words, COMMAND) !== done)) Atomics.wait(words, COMMAND, done);
    const command = Atomics.load(words, COMMAND);
    if (command === done) continue;
    const result = ioctl(words[DESCRIPTOR] ?? -1, api.KVM_RUN, 0);
    words[RESULT] = result < 0 ? -errno() : result;
    done = command;
    Atomics.store(words, REPLY, command);
    Atomics.notify(words, REPLY);
  }
}

if (parentPort && workerData?.vcpuThread instanceof SharedArrayBuffer) serve(workerData as ThreadData);
