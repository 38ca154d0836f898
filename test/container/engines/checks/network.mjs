// Networks, published ports, names; health checks; pods.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { hostLink } from "../../lib/host.mjs";
import { BUSYBOX as IMAGE, PYTHON } from "../images.mjs";
import { equal, matches, until } from "../podman.mjs";

const sh = (podman, options, script) => podman.out("run", "--rm", ...options, IMAGE, "sh", "-c", script);

async function get(url) {
  try {
    return await (await fetch(url, { signal: AbortSignal.timeout(5000) })).text();
  } catch {
    return undefined;
  }
}

const SERVER = ["httpd", "-f", "-p", "80", "-h", "/www"];

export const networkChecks = {
  "published port on one address": async (podman) => {
    podman.out("run", "--detach", "--publish", "127.0.0.1:8101:80", IMAGE, ...SERVER);
    await until("an answer", async () => (await get("http://127.0.0.1:8101/")) === "served\n");
  },
  "published port on every address, of a Python server": async (podman) => {
    const id = podman.out("run", "--detach", "--publish", "8102:8000", PYTHON);
    await until("an answer", async () => (await get("http://127.0.0.1:8102/index.html")) === "served\n");
    await until("its log", () => /GET \/index.html/.test(podman.run(["logs", id]).stderr));
  },
  "the port is free after the container": async (podman) => {
    for (const round of [1, 2]) {
      const id = podman.out("run", "--detach", "--publish", "127.0.0.1:8103:80", IMAGE, ...SERVER);
      await until(`answer ${round}`, async () => (await get("http://127.0.0.1:8103/")) === "served\n");
      podman.out("rm", "--force", "--time=0", id);
      equal(await get("http://127.0.0.1:8103/"), undefined);
    }
  },
  "--network none and host": (podman) => {
    equal(sh(podman, ["--network", "none"], "ls /sys/class/net"), "lo");
    equal(sh(podman, ["--network", "host"], "readlink /proc/self/ns/net"), hostLink("/proc/self/ns/net"));
  },
  "--network container:": (podman) => {
    const id = podman.out("run", "--detach", IMAGE, ...SERVER);
    equal(sh(podman, ["--network", `container:${id}`], "wget -qO- http://127.0.0.1/"), "served");
  },
  "a network of one's own, with names": async (podman) => {
    podman.out("network", "create", "ours");
    try {
      podman.out("run", "--detach", "--network", "ours", "--name", "web", IMAGE, ...SERVER);
      await until("the name", () => sh(podman, ["--network", "ours"], "wget -qO- http://web/ || true") === "served");
    } finally {
      podman.run(["rm", "--all", "--force", "--time=0"]);
      podman.run(["network", "rm", "--force", "ours"]);
    }
  },
  "--add-host, --dns, --ip": (podman) => {
    const options = ["--add-host", "other:10.9.8.7", "--dns", "10.1.2.3", "--ip", "10.88.7.7"];
    matches(sh(podman, options, "cat /etc/hosts"), /10\.9\.8\.7\s+other/);
    matches(sh(podman, options, "cat /etc/resolv.conf"), /nameserver 10\.1\.2\.3/);
    matches(sh(podman, options, "ip addr"), /10\.88\.7\.7/);
  },
  "ping with podman's ping_group_range": (podman) =>
    equal(sh(podman, [], "ping -c 1 127.0.0.1 > /dev/null && echo up"), "up"),
  "health check: healthy and unhealthy": (podman) => {
    const options = ["--health-interval", "disable", "--health-retries", "1", "--health-cmd"];
    const well = podman.out("run", "--detach", ...options, "test -e /www/index.html", IMAGE, "sleep", "1000");
    podman.out("healthcheck", "run", well);
    equal(podman.inspect(well, "{{.State.Health.Status}}"), "healthy");
    podman.out("exec", well, "rm", "/www/index.html");
    podman.ends(1, "healthcheck", "run", well);
    equal(podman.inspect(well, "{{.State.Health.Status}}"), "unhealthy");
  },
  "pod: shared network, IPC and host name": (podman) => {
    podman.out("pod", "create", "--name", "pod", "--hostname", "podhost", "--publish", "127.0.0.1:8104:80");
    podman.out("run", "--detach", "--pod", "pod", IMAGE, ...SERVER);
    const inPod = (script) => podman.out("run", "--rm", "--pod", "pod", IMAGE, "sh", "-c", script);
    equal(inPod("wget -qO- http://127.0.0.1/; hostname"), "served\npodhost");
    equal(inPod("readlink /proc/self/ns/ipc"), inPod("readlink /proc/self/ns/ipc"));
  },
  "pod: shared PIDs": (podman) => {
    podman.out("pod", "create", "--name", "pod", "--share", "net,pid");
    podman.out("run", "--detach", "--pod", "pod", IMAGE, "sleep", "1234");
    matches(podman.out("run", "--rm", "--pod", "pod", IMAGE, "ps"), /sleep 1234/);
  },
  "pod: stop, start, pause, restart, kill": async (podman) => {
    podman.out("pod", "create", "--name", "pod");
    const id = podman.out("run", "--detach", "--pod", "pod", IMAGE, "sleep", "1000");
    for (const [verb, state] of [
      ["pause", "paused"],
      ["unpause", "running"],
      ["stop", "exited"],
      ["start", "running"],
      ["restart", "running"],
      ["kill", "exited"],
    ]) {
      podman.out("pod", verb, ...(verb === "stop" ? ["--time=1"] : []), "pod");
      await until(`${state} after pod ${verb}`, () => podman.inspect(id, "{{.State.Status}}") === state);
    }
  },
  "play kube: two containers, a volume, limits": async (podman) => {
    const file = join(podman.folder, "pod.yaml");
    writeFileSync(
      file,
      `apiVersion: v1
kind: Pod
metadata:
  name: kube
spec:
  hostname: kubehost
  volumes:
  - name: shared
    emptyDir: {}
  containers:
  - name: web
    image: ${IMAGE}
    command: ["httpd", "-f", "-p", "80", "-h", "/data"]
    ports:
    - containerPort: 80
      hostIP: 127.0.0.1
      hostPort: 8105
    resources:
      limits:
        memory: 64Mi
    volumeMounts:
    - name: shared
      mountPath: /data
  - name: writer
    image: ${IMAGE}
    command: ["sh", "-c", "echo from the writer > /data/index.html; sleep 1000"]
    securityContext:
      readOnlyRootFilesystem: true
    volumeMounts:
    - name: shared
      mountPath: /data
`,
    );
    podman.out("play", "kube", file);
    try {
      await until("the page", async () => (await get("http://127.0.0.1:8105/")) === "from the writer\n");
      equal(podman.out("exec", "kube-web", "hostname"), "kubehost");
    } finally {
      podman.out("play", "kube", "--down", file);
    }
  },
  "--init container of a pod": (podman) => {
    podman.out("pod", "create", "--name", "pod");
    podman.out("create", "--pod", "pod", "--init-ctr", "once", "--name", "before", IMAGE, "true");
    podman.out("create", "--pod", "pod", "--name", "main", IMAGE, "sleep", "1000");
    podman.out("pod", "start", "pod");
    equal(podman.inspect("main", "{{.State.Status}}"), "running");
  },
};
