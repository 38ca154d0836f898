/** Hooks that run in the runtime's own namespaces: the state on standard input, an end within the time given. */
import { type ChildProcess, spawn } from "node:child_process";
import { ContainerError } from "../errors.js";
import type { Hook } from "../spec/config.js";
import type { OciState } from "./state.js";

/** Says what went wrong and can be lived with. */
export type Warn = (message: string) => void;

const MAX_ERROR_LENGTH = 4096;

/** Runs them one after the other. @throws ContainerError `HOOK_FAILED` for the first that fails */
export async function runHooks(name: string, hooks: readonly Hook[] | undefined, state: OciState): Promise<void> {
  for (const [index, hook] of (hooks ?? []).entries()) {
    const problem = await runHook(hook, JSON.stringify(state));
    if (problem !== null) {
      throw new ContainerError("HOOK_FAILED", `error running ${name} hook #${index}: ${hook.path}: ${problem}`);
    }
  }
}

/** The same where a failure only deserves a warning. */
export async function tryHooks(
  name: string,
  hooks: readonly Hook[] | undefined,
  state: OciState,
  warn: Warn,
): Promise<void> {
  for (const [index, hook] of (hooks ?? []).entries()) {
    const problem = await runHook(hook, JSON.stringify(state));
    if (problem !== null) warn(`error running ${name} hook #${index}: ${hook.path}: ${problem}`);
  }
}

function environment(entries: readonly string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(
    entries.map((entry) => {
      const equals = entry.indexOf("=");
      return equals < 0 ? [entry, ""] : [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}

/** Null where it went well. */
function runHook({ path, args, env = [], timeout }: Hook, state: string): Promise<string | null> {
  return new Promise((resolve) => {
    let child: ChildProcess;
    try {
      child = spawn(path, args?.slice(1) ?? [], {
        argv0: args?.[0] ?? path,
        env: environment(env),
        stdio: ["pipe", "pipe", "pipe"],
        cwd: "/",
      });
    } catch (error) {
      resolve((error as Error).message);
      return;
    }
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-MAX_ERROR_LENGTH);
      });
    }
    let timedOut = false;
    const timer = timeout
      ? setTimeout(() => {
          timedOut = true;
          child.kill("SIGKILL");
        }, timeout * 1000)
      : null;
    const finish = (problem: string | null) => {
      if (timer) clearTimeout(timer);
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve(problem);
    };
    child.on("error", (error) => finish(error.message));
    child.on("exit", (code, signal) => {
      if (timedOut) finish(`it did not end within ${timeout} seconds`);
      else if (code === 0) finish(null);
      else finish(`${signal ? `signal ${signal}` : `exit status ${code}`}, output: ${output.trim()}`);
    });
    // A hook need not read its input.
    child.stdin?.on("error", () => {});
    child.stdin?.end(state);
  });
}
