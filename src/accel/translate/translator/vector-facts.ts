/** What the code before a place has made sure of, on every way to it. Bits by register where there are several. */
export class VectorFacts {
  /** SSE instructions do not fault for CR0 or CR4: which holds until the region ends. */
  sse = false;
  avx = false;
  /** MXCSR rounds to nearest, inexact is masked and flagged. */
  quick = false;
  /** The low double or single of a register is not denormal. */
  double = 0;
  single = 0;
  /** Nor is any in its low 128 bits. */
  doubles = 0;
  singles = 0;

  copy(): VectorFacts {
    return Object.assign(new VectorFacts(), this);
  }

  /** What is left where ways meet: each went through the place that these facts are of. */
  join(): VectorFacts {
    const facts = new VectorFacts();
    facts.sse = this.sse;
    facts.avx = this.avx;
    return facts;
  }

  /** XMM `number` gets a new value. */
  forget(number: number): void {
    const others = ~(1 << number);
    this.double &= others;
    this.single &= others;
    this.doubles &= others;
    this.singles &= others;
  }

  /** XMM `to` gets the value of `from`. */
  move(to: number, from: number): void {
    const copied = (set: number) => (set & ~(1 << to)) | (((set >> from) & 1) << to);
    this.double = copied(this.double);
    this.single = copied(this.single);
    this.doubles = copied(this.doubles);
    this.singles = copied(this.singles);
  }
}
