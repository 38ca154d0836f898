// Runs the calling script again in namespaces of its own, so that no mount, process or interface survives it.
import { spawn, spawnSync } from "node:child_process";

const MARK = "RINGVISOR_TEST_NAMESPACE";

/** What unshare takes for each namespace. */
const FLAGS = {
  mount: ["--mount", "--propagation", "private"],
  network: ["--net"],
  pid: ["--pid", "--fork", "--kill-child", "--mount-proc"],
};

/** Whether this is the script that runs inside. */
export const inside = process.env[MARK] !== undefined;

/**
 * Returns in the namespaces; outside of them it waits for the script that runs inside, calls `afterwards` and ends with
 * that script's exit code. Mounts are shared among themselves inside, as a host with systemd has them.
 */
export async function inOwnNamespaces(kinds, afterwards = () => {}) {
  if (inside) {
    spawnSync("mount", ["--make-rshared", "/"]);
    if (kinds.includes("network")) spawnSync("ip", ["link", "set", "lo", "up"]);
    return;
  }
  const flags = kinds.flatMap((kind) => FLAGS[kind]);
  // podman waits 20 s for a conmon that nobody reaps: PID 1 has to.
  const init = kinds.includes("pid") ? ["catatonit", "--"] : [];
  const child = spawn("unshare", [...flags, ...init, process.execPath, ...process.argv.slice(1)], {
    stdio: "inherit",
    env: { ...process.env, [MARK]: "1" },
  });
  // A terminal's Ctrl-C reaches both; what is sent to us alone is passed on.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  const code = await new Promise((resolve, reject) => {
    child.on("error", (error) => reject(new Error(`cannot run unshare: ${error.message}`)));
    child.on("exit", (status, signal) => resolve(signal ? 1 : status));
  });
  afterwards();
  process.exit(code);
}
