/** What a debugger asks of a vCPU as struct kvm_guest_debug: breakpoints and watchpoints are in debug registers. */
import { AcceleratorError, type DebugControl } from "../../vcpu/accelerator.js";

const ENABLE = 1;
const SINGLE_STEP = 2;
const USE_HARDWARE = 1 << 17;
const BYTES = 72;
const DEBUG_REGISTERS = 8;
const DEBUG_REGISTER_COUNT = 4;
// DR7's fields. Intel SDM 3B 18.2.4.
const DR7_RESERVED = 0x400;
const EXECUTE = 0;
const WRITE = 1;
const ACCESS = 3;
const LENGTH = new Map([
  [1, 0],
  [2, 1],
  [8, 2],
  [4, 3],
]);

/** @throws AcceleratorError UNIMPLEMENTED_FEATURE beyond four points, or for a size that a debug register has not */
export function debugControl(control: DebugControl | null): Uint8Array {
  const bytes = new Uint8Array(BYTES);
  if (control === null) return bytes;
  const points = [
    ...control.breakpoints.map((address) => ({ address, type: EXECUTE, size: 1 })),
    ...control.watchpoints.map(({ address, size, access }) => ({
      address,
      // A debug register cannot tell reads alone.
      type: access === "write" ? WRITE : ACCESS,
      size,
    })),
  ];
  if (points.length > DEBUG_REGISTER_COUNT) {
    throw new AcceleratorError(
      "UNIMPLEMENTED_FEATURE",
      `under KVM there are ${DEBUG_REGISTER_COUNT} breakpoints and watchpoints together, not ${points.length}`,
    );
  }
  const view = new DataView(bytes.buffer);
  let dr7 = DR7_RESERVED;
  points.forEach(({ address, type, size }, index) => {
    const length = LENGTH.get(size);
    if (length === undefined || address % BigInt(size) !== 0n) {
      throw new AcceleratorError(
        "UNIMPLEMENTED_FEATURE",
        `under KVM a watchpoint has 1, 2, 4 or 8 aligned bytes, not ${size} at 0x${address.toString(16)}`,
      );
    }
    view.setBigUint64(DEBUG_REGISTERS + index * 8, BigInt.asUintN(64, address), true);
    dr7 |= (2 << (index * 2)) | ((type | (length << 2)) << (16 + index * 4));
  });
  view.setUint32(0, ENABLE | (control.singleStep ? SINGLE_STEP : 0) | (points.length > 0 ? USE_HARDWARE : 0), true);
  if (points.length > 0) view.setBigUint64(DEBUG_REGISTERS + 7 * 8, BigInt(dr7 >>> 0), true);
  return bytes;
}
