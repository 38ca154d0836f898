/** One line on a terminal that says what is going on; nothing at all in a pipe. */

export interface Progress {
  /** Replaces what the line says. */
  update(text: string): void;
  /** Takes the line away. */
  done(): void;
}

export function createProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  if (!stream.isTTY) return { update: () => {}, done: () => {} };
  let shown = false;
  return {
    update(text) {
      shown = true;
      const width = Math.max(20, stream.columns || 80) - 1;
      stream.write(`\r\x1b[K${text.slice(0, width)}`);
    },
    done() {
      if (shown) stream.write("\r\x1b[K");
      shown = false;
    },
  };
}
