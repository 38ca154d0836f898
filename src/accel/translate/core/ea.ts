// The linear address of a record's memory operand.
import {
  F_EA_SPECIAL, REC_ASIZE, REC_BASE, REC_DISP, REC_FLAGS, REC_INDEX, REC_OSIZE, REC_SCALE, REC_SEG,
} from "./record";
import { segmentLinear } from "./segments";

/** base + index << scale + displacement, without segment, truncated to 32 bits where N is u32. */
// @ts-ignore: decorator
@inline
export function addressIn<N>(cpu: usize, rec: usize): u64 {
  if (sizeof<N>() == 4) {
    return <u64>(
      load<u32>(cpu + load<u8>(rec, REC_BASE)) +
      (load<u32>(cpu + load<u8>(rec, REC_INDEX)) << <u32>load<u8>(rec, REC_SCALE)) +
      load<u32>(rec, REC_DISP)
    );
  }
  return (
    load<u64>(cpu + load<u8>(rec, REC_BASE)) +
    (load<u64>(cpu + load<u8>(rec, REC_INDEX)) << load<u8>(rec, REC_SCALE)) +
    <u64>(<i64>load<i32>(rec, REC_DISP))
  );
}

/** Likewise, not truncated. */
// @ts-ignore: decorator
@inline
export function address(cpu: usize, rec: usize): u64 {
  return addressIn<u64>(cpu, rec);
}

/** The linear address of an operand of `size` bytes. Raises #GP or #SS where the segment does not allow the access. */
// @ts-ignore: decorator
@inline
export function eaSized(cpu: usize, rec: usize, size: u32, write: u32): u64 {
  if ((load<u8>(rec, REC_FLAGS) & F_EA_SPECIAL) == 0) return address(cpu, rec);
  return special(cpu, rec, size, write);
}

/** Likewise; without a size, the record's operand size. */
// @ts-ignore: decorator
@inline
export function ea(cpu: usize, rec: usize, size: u32 = 0, write: u32 = 0): u64 {
  return eaSized(cpu, rec, size != 0 ? size : <u32>load<u8>(rec, REC_OSIZE), write);
}

/** LEA: the offset, truncated to the address size. */
export function effectiveOffset(cpu: usize, rec: usize): u64 {
  return truncateOffset(address(cpu, rec), <u32>load<u8>(rec, REC_ASIZE));
}

// @ts-ignore: decorator
@inline
export function truncateOffset(offset: u64, addressSize: u32): u64 {
  if (addressSize == 8) return offset;
  return offset & (addressSize == 4 ? 0xffffffff : 0xffff);
}

function special(cpu: usize, rec: usize, size: u32, write: u32): u64 {
  const offset = truncateOffset(address(cpu, rec), <u32>load<u8>(rec, REC_ASIZE));
  return segmentLinear(cpu, <u32>load<u8>(rec, REC_SEG), offset, size, write);
}
