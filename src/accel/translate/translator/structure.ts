/**
 * Structured control flow from a control-flow graph: dominators say which blocks are nested in which, so that every
 * edge becomes a branch to the end of a wasm block or to the start of a wasm loop. An edge backwards to a node that
 * does not dominate it (irreducible control flow) has no such place and is told apart.
 */

export interface Graph {
  /** Successors by node number. The entry is node 0, and every node can be reached from it. */
  readonly successors: readonly (readonly number[])[];
}

export interface Structure {
  /** Position in reverse postorder by node. */
  readonly order: Int32Array;
  /** Immediate dominator by node; the entry's is itself. */
  readonly dominator: Int32Array;
  /** Whether a node is the target of a back edge. */
  readonly isLoop: readonly boolean[];
  /** Whether a node has several forward edges into it, and so a wasm block that ends where it starts. */
  readonly isMerge: readonly boolean[];
  /** Children in the dominator tree, in reverse postorder. */
  readonly children: readonly (readonly number[])[];
  edge(from: number, to: number): Edge;
}

export type Edge = "forward" | "back" | "irreducible";

export function structure({ successors }: Graph): Structure {
  const count = successors.length;
  const sequence = reversePostorder(successors);
  const order = new Int32Array(count).fill(-1);
  sequence.forEach((node, position) => {
    order[node] = position;
  });
  const predecessors: number[][] = Array.from({ length: count }, () => []);
  for (const node of sequence) for (const next of successors[node]) predecessors[next].push(node);
  const dominator = dominators(sequence, order, predecessors);

  const dominates = (a: number, b: number) => {
    let node = b;
    while (order[node] > order[a]) node = dominator[node];
    return node === a;
  };
  const edge = (from: number, to: number): Edge =>
    order[to] > order[from] ? "forward" : dominates(to, from) ? "back" : "irreducible";

  const isLoop: boolean[] = [];
  const isMerge: boolean[] = [];
  const children: number[][] = Array.from({ length: count }, () => []);
  for (const node of sequence) {
    const kinds = predecessors[node].map((from) => edge(from, node));
    isLoop[node] = kinds.includes("back");
    isMerge[node] = kinds.filter((kind) => kind === "forward").length > 1;
    if (node !== 0) children[dominator[node]].push(node);
  }
  return { order, dominator, isLoop, isMerge, children, edge };
}

function reversePostorder(successors: readonly (readonly number[])[]): number[] {
  const sequence: number[] = [];
  const seen = new Uint8Array(successors.length);
  const stack: { node: number; next: number }[] = [{ node: 0, next: 0 }];
  seen[0] = 1;
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    const following = successors[top.node];
    if (top.next < following.length) {
      const node = following[top.next++];
      if (seen[node] === 0) {
        seen[node] = 1;
        stack.push({ node, next: 0 });
      }
    } else {
      sequence.push(top.node);
      stack.pop();
    }
  }
  return sequence.reverse();
}

// The iterative algorithm of Cooper, Harvey and Kennedy.
function dominators(sequence: number[], order: Int32Array, predecessors: number[][]): Int32Array {
  const dominator = new Int32Array(order.length).fill(-1);
  dominator[0] = 0;
  const common = (first: number, second: number) => {
    let a = first;
    let b = second;
    while (a !== b) {
      while (order[a] > order[b]) a = dominator[a];
      while (order[b] > order[a]) b = dominator[b];
    }
    return a;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const node of sequence) {
      if (node === 0) continue;
      let found = -1;
      for (const from of predecessors[node]) {
        if (dominator[from] !== -1) found = found === -1 ? from : common(found, from);
      }
      if (dominator[node] !== found) {
        dominator[node] = found;
        changed = true;
      }
    }
  }
  return dominator;
}
