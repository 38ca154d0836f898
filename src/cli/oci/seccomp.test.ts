/** Seccomp profiles in containers: what the kernel makes of them. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { TestBundle, whyNot } from "./testing/bundle.js";

const skip = whyNot();
const ALLOW = { defaultAction: "SCMP_ACT_ALLOW" };

test("a profile refuses with the errno it names", { skip }, () => {
  using bundle = new TestBundle();
  const { stdout, stderr } = bundle.script("mkdir /tmp/a; ls /tmp; grep Seccomp: /proc/self/status", (config) => {
    // EDOM, which mkdir never has of itself.
    config.linux!.seccomp = {
      ...ALLOW,
      syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 33 }],
    };
  });
  assert.match(stderr, /Numerical argument out of domain/);
  assert.match(stdout, /^Seccomp:\s2$/m);
});

test("a profile ends a process that calls what it must not", { skip }, () => {
  using bundle = new TestBundle();
  const { stdout } = bundle.script("(mkdir /tmp/a) 2>&1; echo $?", (config) => {
    config.linux!.seccomp = {
      ...ALLOW,
      syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_KILL_PROCESS" }],
    };
  });
  // SIGSYS
  assert.match(stdout, /^159$/m);
});

test("a profile that is wrong is refused before anything is made", { skip }, () => {
  using bundle = new TestBundle();
  const { stderr, status } = bundle.script("true", (config) => {
    config.linux!.seccomp = { ...ALLOW, syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_SHRUG" }] };
  });
  assert.equal(status, 1);
  assert.match(stderr, /linux\.seccomp\.syscalls\[0\]\.action/);
  assert.equal(bundle.run("list", "--quiet").stdout, "");
});

/** Takes a listener at the socket argv[1], prints what came with it, and answers each call with EDOM. */
const AGENT = `
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(int argc, char **argv) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, argv[1]);
  int listening = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(listening, (void *)&address, sizeof address) || listen(listening, 1)) return 1;
  int connection = accept(listening, 0, 0);
  static char text[65536], control[64];
  struct iovec vector = {text, sizeof text - 1};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(connection, &message, 0) <= 0) return 2;
  int listener = *(int *)CMSG_DATA(CMSG_FIRSTHDR(&message));
  puts(text);
  fflush(stdout);
  for (;;) {
    struct seccomp_notif call = {0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call)) return 0;
    struct seccomp_notif_resp answer = {.id = call.id, .error = -EDOM};
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
}
`;

test("an agent answers the calls that a profile notifies of", { skip }, async (context) => {
  using bundle = new TestBundle();
  const agent = join(bundle.folder, "agent");
  const socket = join(bundle.folder, "agent.sock");
  writeFileSync(`${agent}.c`, AGENT);
  try {
    execFileSync("gcc", ["-o", agent, `${agent}.c`]);
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return context.skip("needs gcc");
    throw error;
  }
  const child = spawn(agent, [socket], { stdio: ["ignore", "pipe", "inherit"] });
  const told = new Promise<string>((resolve) => {
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (part) => {
      text += part;
      if (text.includes("\n")) resolve(text);
    });
  });
  try {
    while (!existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 10));
    const { stderr } = bundle.script("mkdir /tmp/a", (config) => {
      config.linux!.seccomp = {
        ...ALLOW,
        listenerPath: socket,
        listenerMetadata: "for the agent",
        syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_NOTIFY" }],
      };
    });
    assert.match(stderr, /Numerical argument out of domain/);
    const state = JSON.parse(await told);
    assert.deepEqual(state.fds, ["seccompFd"]);
    assert.equal(state.metadata, "for the agent");
    assert.equal(state.state.id, "test");
    assert.ok(state.pid > 0);
  } finally {
    child.kill("SIGKILL");
  }
});
