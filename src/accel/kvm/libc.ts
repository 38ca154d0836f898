/**
 * The C library by FFI: the system calls that a VMM on /dev/kvm needs and Node has no function for.
 * Addresses are numbers: user space stays below 2^53.
 */
import { getSystemErrorName } from "node:util";
import koffi from "koffi";
import { AcceleratorError, type AcceleratorErrorCode } from "../../vcpu/accelerator.js";

interface LibC {
  open(path: string, flags: number): number;
  close(fd: number): number;
  read(fd: number, buffer: Uint8Array, length: number): number;
  write(fd: number, buffer: Uint8Array, length: number): number;
  ioctl(fd: number, request: number, argument: number): number;
  ioctlBuffer(fd: number, request: number, argument: Uint8Array): number;
  mmap(address: number, length: number, protection: number, flags: number, fd: number, offset: number): number;
  munmap(address: number, length: number): number;
  eventfd(initial: number, flags: number): number;
  epollCreate(flags: number): number;
  epollControl(epoll: number, operation: number, fd: number, event: Uint8Array): number;
  epollWait(epoll: number, events: Uint8Array, count: number, timeout: number): number;
  addressOf(buffer: Uint8Array, zero: number, length: number): number;
  systemCall(number: number, a: number, b: number, c: number): number;
  timerCreate(number: number, clock: number, event: Uint8Array, id: Uint8Array): number;
  timerSet(number: number, id: number, flags: number, value: Uint8Array, old: Uint8Array | null): number;
  sigaction(signal: number, action: Uint8Array, old: Uint8Array | null): number;
  dlsym(handle: number, name: string): number;
}

/** A signal interrupts KVM_RUN whatever this says; other calls are to go on as if nothing had been. */
const SA_RESTART = 0x1000_0000;

export const O_RDWR = 2;
export const O_CLOEXEC = 0o2000000;
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const MAP_SHARED = 1;
export const EFD_CLOEXEC = 0o2000000;
export const EFD_NONBLOCK = 0o4000;
export const EPOLL_CLOEXEC = 0o2000000;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLLIN = 1;
export const EPOLLONESHOT = 1 << 30;
export const EINTR = 4;
export const EIO = 5;
export const EAGAIN = 11;

const SYS_GETTID = 186;
const SYS_TGKILL = 234;

let loaded: LibC | undefined;

/** Loads the C library once. Throws ACCELERATOR_UNAVAILABLE on anything but 64-bit Linux with glibc or musl. */
export function libc(): LibC {
  loaded ??= load();
  return loaded;
}

function load(): LibC {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new AcceleratorError(
      "ACCELERATOR_UNAVAILABLE",
      `KVM needs x86-64 Linux; this is ${process.platform}-${process.arch}`,
    );
  }
  let library: ReturnType<typeof koffi.load>;
  try {
    library = koffi.load("libc.so.6");
  } catch {
    try {
      library = koffi.load("libc.musl-x86_64.so.1");
    } catch (error) {
      throw new AcceleratorError("ACCELERATOR_UNAVAILABLE", `the C library cannot be loaded: ${error}`);
    }
  }
  return {
    open: library.func("int open(const char *path, int flags)"),
    close: library.func("int close(int fd)"),
    read: library.func("intptr_t read(int fd, void *buffer, size_t length)"),
    write: library.func("intptr_t write(int fd, const void *buffer, size_t length)"),
    ioctl: library.func("int ioctl(int fd, unsigned long request, uintptr_t argument)"),
    ioctlBuffer: library.func("int ioctl(int fd, unsigned long request, void *argument)"),
    mmap: library.func(
      "uintptr_t mmap(uintptr_t address, size_t length, int protection, int flags, int fd, int64_t offset)",
    ),
    munmap: library.func("int munmap(uintptr_t address, size_t length)"),
    eventfd: library.func("int eventfd(unsigned int initial, int flags)"),
    epollCreate: library.func("int epoll_create1(int flags)"),
    epollControl: library.func("int epoll_ctl(int epoll, int operation, int fd, void *event)"),
    epollWait: library.func("int epoll_wait(int epoll, void *events, int count, int timeout)"),
    // memset of no bytes returns its first argument: the address of a buffer.
    addressOf: library.func("uintptr_t memset(void *buffer, int zero, size_t length)"),
    systemCall: library.func("long syscall(long number, long a, long b, long c)"),
    // As system calls: before version 2.34, glibc has these in another library.
    timerCreate: library.func("long syscall(long number, long clock, void *event, void *id)"),
    timerSet: library.func("long syscall(long number, long id, long flags, void *value, void *old)"),
    sigaction: library.func("int sigaction(int signal, const void *action, void *old)"),
    dlsym: library.func("uintptr_t dlsym(uintptr_t handle, const char *name)"),
  } as unknown as LibC;
}

/** errno of the last call on this thread. */
export function errno(): number {
  return koffi.errno();
}

/** "ioctl's name: EINVAL", from the last call's errno or the one given. */
export function systemError(code: AcceleratorErrorCode, what: string, number = errno()): AcceleratorError {
  let name = `errno ${number}`;
  try {
    name = getSystemErrorName(-number);
  } catch {
    // A number that the library has no name for.
  }
  return new AcceleratorError(code, `${what}: ${name}`);
}

/** The address of a buffer's first byte. The buffer must not move: a WebAssembly.Memory of fixed size. */
export function addressOf(buffer: Uint8Array): number {
  return libc().addressOf(buffer, 0, 0);
}

/** The memory at an address as an ArrayBuffer. Valid until it is unmapped. */
export function viewOf(address: number, length: number): ArrayBuffer {
  return koffi.view(address as never, length) as ArrayBuffer;
}

/** The kernel's id of this thread. */
export function threadId(): number {
  return libc().systemCall(SYS_GETTID, 0, 0, 0);
}

/** The signal that makes a thread leave KVM_RUN: a real-time signal, because Node takes none of these. */
export const KICK_SIGNAL = 44;

/** Interrupts the system call that a thread of this process is in. */
export function kickThread(thread: number): void {
  libc().systemCall(SYS_TGKILL, process.pid, thread, KICK_SIGNAL);
}

let handlerInstalled = false;

/**
 * Installs a handler for KICK_SIGNAL that does nothing, so that the signal interrupts a system call and
 * no more. The handler is a pure function of the C library: nothing of ours can run in a signal handler.
 */
export function installKickHandler(): void {
  if (handlerInstalled) return;
  const handler = libc().dlsym(0, "abs");
  if (handler === 0) throw new AcceleratorError("ACCELERATOR_UNAVAILABLE", "the C library has no function abs");
  // struct sigaction of glibc and musl: handler, 128 bytes of mask, flags, restorer.
  const action = new Uint8Array(152);
  const view = new DataView(action.buffer);
  view.setBigUint64(0, BigInt(handler), true);
  view.setUint32(136, SA_RESTART, true);
  if (libc().sigaction(KICK_SIGNAL, action, null) !== 0) {
    throw systemError("ACCELERATOR_UNAVAILABLE", "the signal handler cannot be installed");
  }
  handlerInstalled = true;
}
