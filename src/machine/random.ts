import { dword, list } from "../devices/state-shape.js";

const SHAPE = list(dword, 4);

/** Numbers for RDRAND in a deterministic machine: xoshiro128** (Blackman and Vigna), seeded by SplitMix32. */
export class SeededRandom {
  private readonly state = new Uint32Array(4);

  constructor(seed: number) {
    let value = seed >>> 0;
    for (let index = 0; index < 4; index++) {
      value = (value + 0x9e3779b9) >>> 0;
      let mixed = Math.imul(value ^ (value >>> 16), 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      this.state[index] = mixed ^ (mixed >>> 15);
    }
  }

  /** 32 bits, unsigned. */
  next(): number {
    const state = this.state;
    const scrambled = Math.imul(rotate(Math.imul(state[1], 5), 7), 9) >>> 0;
    const shifted = state[1] << 9;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate(state[3], 11);
    return scrambled;
  }

  save(): number[] {
    return [...this.state];
  }

  /** @throws StateError where `state` is none */
  check(state: readonly number[]): void {
    SHAPE.parse(state, "random numbers");
  }

  restore(state: readonly number[]): void {
    this.state.set(state);
  }
}

function rotate(value: number, count: number): number {
  return (value << count) | (value >>> (32 - count));
}
