/**
 * Eventfds that somebody outside of this thread rings: KVM for an ioeventfd. Node cannot poll an eventfd,
 * so one worker of the process blocks in epoll_wait for all of them and tells this thread which rang.
 */
import { parentPort, Worker, workerData } from "node:worker_threads";
import * as c from "./libc.js";
import { libc, systemError } from "./libc.js";

/** struct epoll_event on x86-64: events u32, data u64, packed. */
const EPOLL_EVENT_BYTES = 12;
const MAX_EVENTS = 64;
/** The id under which the worker is told to end. */
const END = 0;

interface WatcherData {
  epoll: number;
}

/** Makes an eventfd. */
export function createEventDescriptor(): number {
  const fd = libc().eventfd(0, c.EFD_CLOEXEC | c.EFD_NONBLOCK);
  if (fd < 0) throw systemError("ACCELERATOR_UNAVAILABLE", "eventfd");
  return fd;
}

class Watcher {
  private readonly epoll: number;
  private readonly end: number;
  private readonly worker: Worker;
  private readonly callbacks = new Map<number, { fd: number; ring: () => void }>();
  private nextId = END + 1;

  constructor() {
    this.epoll = libc().epollCreate(c.EPOLL_CLOEXEC);
    if (this.epoll < 0) throw systemError("ACCELERATOR_UNAVAILABLE", "epoll_create1");
    this.end = createEventDescriptor();
    this.control(c.EPOLL_CTL_ADD, this.end, END);
    const data: WatcherData = { epoll: this.epoll };
    this.worker = new Worker(new URL(import.meta.url), { workerData: { eventWatcher: data } });
    this.worker.unref();
    this.worker.on("message", (ids: number[]) => {
      for (const id of ids) this.ring(id);
    });
  }

  get idle(): boolean {
    return this.callbacks.size === 0;
  }

  add(fd: number, ring: () => void): number {
    const id = this.nextId++;
    this.control(c.EPOLL_CTL_ADD, fd, id);
    this.callbacks.set(id, { fd, ring });
    return id;
  }

  remove(id: number): void {
    const entry = this.callbacks.get(id);
    if (!entry) return;
    this.callbacks.delete(id);
    this.control(c.EPOLL_CTL_DEL, entry.fd, id);
  }

  /** Ends the worker. What it holds is closed when it has left. */
  close(): void {
    this.worker.once("exit", () => {
      libc().close(this.epoll);
      libc().close(this.end);
    });
    const one = new Uint8Array(8);
    one[0] = 1;
    writeFully(this.end, one);
  }

  private ring(id: number): void {
    const entry = this.callbacks.get(id);
    if (!entry) return;
    // Rings that came together are one.
    libc().read(entry.fd, new Uint8Array(8), 8);
    this.control(c.EPOLL_CTL_MOD, entry.fd, id);
    entry.ring();
  }

  private control(operation: number, fd: number, id: number): void {
    const event = new Uint8Array(EPOLL_EVENT_BYTES);
    const view = new DataView(event.buffer);
    // One message a ring: the descriptor is looked at again when this thread has seen it.
    view.setUint32(0, c.EPOLLIN | c.EPOLLONESHOT, true);
    view.setUint32(4, id, true);
    if (libc().epollControl(this.epoll, operation, fd, event) < 0) {
      throw systemError("ACCELERATOR_DEFECT", "epoll_ctl");
    }
  }
}

let watcher: Watcher | null = null;

/** Calls `ring` on this thread when the eventfd is written to. The result ends that; the descriptor stays open. */
export function watchEventDescriptor(fd: number, ring: () => void): () => void {
  watcher ??= new Watcher();
  const own = watcher;
  const id = own.add(fd, ring);
  return () => {
    own.remove(id);
    if (!own.idle || watcher !== own) return;
    watcher = null;
    own.close();
  };
}

function writeFully(fd: number, bytes: Uint8Array): void {
  if (libc().write(fd, bytes, bytes.length) !== bytes.length) throw systemError("ACCELERATOR_DEFECT", "eventfd write");
}

function watch({ epoll }: WatcherData): void {
  const events = new Uint8Array(MAX_EVENTS * EPOLL_EVENT_BYTES);
  const view = new DataView(events.buffer);
  for (;;) {
    const count = libc().epollWait(epoll, events, MAX_EVENTS, -1);
    if (count < 0) {
      if (c.errno() === c.EINTR) continue;
      throw systemError("ACCELERATOR_DEFECT", "epoll_wait");
    }
    const ids = Array.from({ length: count }, (_, index) => view.getUint32(index * EPOLL_EVENT_BYTES + 4, true));
    if (ids.includes(END)) return;
    parentPort?.postMessage(ids);
  }
}

if (parentPort && workerData?.eventWatcher) watch(workerData.eventWatcher as WatcherData);
