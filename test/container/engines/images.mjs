// Images made of Debian packages, and Debian's docker-registry on loopback to serve them.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { atEnd } from "../lib/scratch.mjs";

const REGISTRY = "127.0.0.1:5000";
export const BUSYBOX = `${REGISTRY}/ringvisor/busybox:12`;
export const PYTHON = `${REGISTRY}/ringvisor/python:3.11`;

const BASE_PACKAGES = ["busybox-static", "base-files"];
const LIBRARY_PACKAGES = ["libc6", "zlib1g", "libexpat1"];
const PYTHON_PACKAGES = ["python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib"];

function must(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8", ...options });
  if (error || status !== 0) throw new Error(`${command} ${args[0]} failed: ${error?.message ?? stderr}`);
  return stdout;
}

/** Unpacks Debian packages, fetched with the system's package client, into a new folder. */
function unpack(packages, download, target) {
  mkdirSync(download, { recursive: true });
  mkdirSync(target, { recursive: true });
  must("apt-get", ["-qq", "-o", "APT::Sandbox::User=root", "download", ...packages], { cwd: download });
  for (const file of readdirSync(download).filter((name) => name.endsWith(".deb"))) {
    must("dpkg-deb", ["--extract", join(download, file), target]);
  }
}

/** The users of the image: Debian's root and nobody, and one who may do little. */
const PASSWD = `root:x:0:0:root:/root:/bin/sh
app:x:1000:1000:app:/home/app:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
`;
const GROUP = "root:x:0:\naudio:x:29:\napp:x:1000:\nnogroup:x:65534:\n";

/** Writes the build contexts of both images below `folder`. */
export function prepareContexts(folder) {
  const base = join(folder, "base");
  unpack(BASE_PACKAGES, join(folder, "debs-base"), base);
  const applets = must(join(base, "bin/busybox"), ["--list"]).split("\n").filter(Boolean);
  for (const name of applets) {
    if (!existsSync(join(base, "bin", name))) symlinkSync("busybox", join(base, "bin", name));
  }
  for (const name of ["proc", "sys", "dev", "run", "home/app", "www"]) mkdirSync(join(base, name), { recursive: true });
  writeFileSync(join(base, "etc/passwd"), PASSWD);
  writeFileSync(join(base, "etc/group"), GROUP);
  writeFileSync(
    join(folder, "Containerfile.busybox"),
    `FROM scratch
COPY base /
RUN ["/bin/busybox", "chown", "1000:1000", "/home/app"]
RUN echo served > /www/index.html
ENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
CMD ["/bin/sh"]
`,
  );
  unpack(LIBRARY_PACKAGES, join(folder, "debs-library"), join(folder, "library"));
  unpack(PYTHON_PACKAGES, join(folder, "debs-python"), join(folder, "python"));
  writeFileSync(
    join(folder, "Containerfile.python"),
    `FROM ${BUSYBOX}
COPY library /
COPY python /
RUN ln -s python3.11 /usr/bin/python3 && python3 -c 'import http.server'
WORKDIR /www
EXPOSE 8000/tcp
CMD ["python3", "-m", "http.server", "8000"]
`,
  );
}

/** Starts the registry; resolves when it answers. */
export async function startRegistry(folder) {
  mkdirSync(join(folder, "storage"), { recursive: true });
  const configuration = join(folder, "config.json");
  writeFileSync(
    configuration,
    JSON.stringify({
      version: 0.1,
      log: { level: "error" },
      storage: { filesystem: { rootdirectory: join(folder, "storage") } },
      http: { addr: REGISTRY },
    }),
  );
  const child = spawn("docker-registry", ["serve", configuration], { stdio: "ignore" });
  atEnd(() => child.kill("SIGKILL"));
  for (let attempt = 0; attempt < 600; attempt++) {
    if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`);
    try {
      if ((await fetch(`http://${REGISTRY}/v2/`)).ok) return;
    } catch {
      // Not up yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("docker-registry does not answer");
}

/** Builds both images with podman and pushes them: the RUN lines go through the runtime under test. */
export function buildAndPush(podman, contexts) {
  for (const [name, image] of [
    ["busybox", BUSYBOX],
    ["python", PYTHON],
  ]) {
    podman.out(
      "build",
      "--quiet",
      "--pull=never",
      "--file",
      join(contexts, `Containerfile.${name}`),
      "--tag",
      image,
      contexts,
    );
    podman.out("push", "--quiet", image);
  }
}

/** The number of layers that the registry has for an image. */
export function layersServed(folder, image) {
  const [name, tag] = image.slice(REGISTRY.length + 1).split(":");
  const repository = join(folder, "storage/docker/registry/v2/repositories", name);
  const digest = readFileSync(join(repository, "_manifests/tags", tag, "current/link"), "utf8")
    .trim()
    .split(":")[1];
  const blob = join(folder, "storage/docker/registry/v2/blobs/sha256", digest.slice(0, 2), digest, "data");
  return JSON.parse(readFileSync(blob, "utf8")).layers.length;
}
