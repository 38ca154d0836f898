/** Serves gdb on a TCP port of this host alone: whoever reaches it controls the machine. One client at a time. */
import { createServer, type Socket } from "node:net";
import { GdbStub, type GdbStubOptions } from "../inspect/gdb/stub.js";
import { FileError } from "./files.js";

export interface GdbServer {
  /** The port that it listens on, also where 0 was asked for. */
  readonly port: number;
  /** The machine came to its end. */
  ended(exitCode: number): void;
  close(): void;
}

export type GdbServerOptions = Omit<GdbStubOptions, "send" | "onDetach">;

/** @throws FileError where the port cannot be had */
export async function startGdbServer(port: number, options: GdbServerOptions): Promise<GdbServer> {
  let client: { socket: Socket; stub: GdbStub } | null = null;
  const server = createServer((socket) => {
    if (client !== null) {
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    const stub = new GdbStub({
      ...options,
      send: (bytes) => {
        socket.write(bytes);
      },
      onDetach: () => {
        socket.end();
      },
    });
    const here = { socket, stub };
    client = here;
    socket.on("error", () => {});
    socket.on("close", () => {
      stub.close();
      if (client === here) client = null;
    });
    void stub.attach().then(() => {
      socket.on("data", (bytes: Uint8Array) => stub.receive(bytes));
    });
  });
  const bound = await new Promise<number>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const problem = error.code === "EADDRINUSE" ? "is in use" : error.message;
      reject(new FileError(`port ${port}`, problem, { cause: error }));
    });
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
  return {
    port: bound,
    ended(exitCode) {
      client?.stub.ended(exitCode);
      client?.socket.end();
    },
    close() {
      server.close();
      // What was sent still goes out; a client that does not close is not waited for.
      client?.socket.unref();
      client?.socket.end();
    },
  };
}
