// Users, capabilities, seccomp, what of /proc and /sys shows.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { hostFile, hostLink } from "../../lib/host.mjs";
import { BUSYBOX as IMAGE } from "../images.mjs";
import { equal, matches } from "../podman.mjs";

const sh = (podman, options, script) => podman.out("run", "--rm", ...options, IMAGE, "sh", "-c", script);
const status = (podman, options, field) => sh(podman, options, `grep '^${field}:' /proc/self/status | cut -f2`);

const PODMAN_CAPABILITIES = "00000000a80425fb";

export const securityChecks = {
  "--user by number and name": (podman) => {
    equal(sh(podman, ["--user", "1234:5678"], "echo $(id -u):$(id -g)"), "1234:5678");
    equal(sh(podman, ["--user", "app"], "id -un; cd && pwd"), "app\n/home/app");
  },
  "--group-add": (podman) => matches(sh(podman, ["--group-add", "29", "--group-add", "31"], "id -G"), /\b29 31\b/),
  "--umask": (podman) => equal(sh(podman, ["--umask", "0077"], "umask"), "0077"),
  "capabilities: podman's own set": (podman) => {
    equal(status(podman, [], "CapEff"), PODMAN_CAPABILITIES);
    equal(status(podman, [], "CapBnd"), PODMAN_CAPABILITIES);
    equal(status(podman, [], "CapInh"), "0000000000000000");
  },
  "capabilities: none left for a user": (podman) => {
    equal(status(podman, ["--user", "1000"], "CapEff"), "0000000000000000");
    equal(status(podman, ["--user", "1000"], "CapBnd"), PODMAN_CAPABILITIES);
  },
  "--cap-add with a user: ambient": (podman) => {
    const options = ["--user", "1000", "--cap-add", "NET_ADMIN"];
    equal(status(podman, options, "CapEff"), "0000000000001000");
    equal(status(podman, options, "CapAmb"), "0000000000001000");
  },
  "--cap-drop all, --cap-add one": (podman) => {
    equal(status(podman, ["--cap-drop", "all"], "CapBnd"), "0000000000000000");
    equal(status(podman, ["--cap-drop", "all", "--cap-add", "CHOWN"], "CapEff"), "0000000000000001");
    equal(sh(podman, ["--cap-drop", "CHOWN"], "touch /f; chown 1 /f 2>/dev/null || echo refused"), "refused");
    equal(sh(podman, ["--cap-add", "NET_ADMIN"], "ip link set lo mtu 1280 && cat /sys/class/net/lo/mtu"), "1280");
    equal(sh(podman, [], "ip link set lo mtu 1280 2>/dev/null || echo refused"), "refused");
  },
  "--privileged": (podman) => sh(podman, ["--privileged"], "ls /dev/loop0 && mount -t tmpfs x /tmp"),
  "--security-opt no-new-privileges": (podman) => {
    equal(status(podman, ["--security-opt", "no-new-privileges"], "NoNewPrivs"), "1");
    equal(status(podman, [], "NoNewPrivs"), "0");
  },
  "seccomp: the default profile is loaded, and refuses": (podman) => {
    equal(status(podman, [], "Seccomp"), "2");
    // The kernel itself would let this capability try, and say that there is no such file.
    const swap = (...options) => sh(podman, ["--cap-add", "SYS_ADMIN", ...options], "swapoff /nothing 2>&1 || true");
    matches(swap(), /not permitted/);
    matches(swap("--security-opt", "seccomp=unconfined"), /No such file/);
  },
  "seccomp=unconfined": (podman) => equal(status(podman, ["--security-opt", "seccomp=unconfined"], "Seccomp"), "0"),
  "seccomp: a profile with an errno and arguments": (podman) => {
    const file = join(podman.folder, "profile.json");
    writeFileSync(
      file,
      JSON.stringify({
        defaultAction: "SCMP_ACT_ALLOW",
        architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        syscalls: [
          { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 38 },
          { names: ["kill"], action: "SCMP_ACT_ERRNO", args: [{ index: 1, value: 10, op: "SCMP_CMP_EQ" }] },
        ],
      }),
    );
    const script = "mkdir /x 2>&1; kill -USR1 1 2>&1; trap 'echo usr2' USR2; kill -USR2 $$; sleep 0.1";
    const text = sh(podman, ["--security-opt", `seccomp=${file}`], script);
    matches(text, /Function not implemented/);
    matches(text, /not permitted/);
    matches(text, /usr2/);
  },
  "seccomp: a profile that kills": (podman) => {
    const file = join(podman.folder, "kill.json");
    const syscalls = [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_KILL_PROCESS" }];
    writeFileSync(file, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls }));
    podman.ends(159, "run", "--rm", "--security-opt", `seccomp=${file}`, IMAGE, "mkdir", "/x");
  },
  "masked and read-only paths": (podman) => {
    equal(
      sh(podman, [], "head -c 1 /proc/kcore 2>/dev/null | wc -c; ls /proc/acpi /sys/firmware 2>/dev/null | grep -vc :"),
      "0\n1",
    );
    equal(sh(podman, [], "echo x > /proc/sys/kernel/hostname 2>/dev/null || echo refused"), "refused");
    equal(sh(podman, [], "echo b > /proc/sysrq-trigger 2>/dev/null || echo refused"), "refused");
    equal(sh(podman, [], "echo x > /sys/kernel/uevent_helper 2>/dev/null || echo refused"), "refused");
  },
  "--security-opt mask and unmask": (podman) => {
    equal(sh(podman, ["--security-opt", "mask=/etc/passwd:/www"], "cat /etc/passwd; ls /www"), "");
    const count = sh(podman, ["--security-opt", "unmask=/proc/timer_list"], "head -n 1 /proc/timer_list | wc -l");
    equal(count, "1");
  },
  "--pid=host, container: and --ipc, --uts": (podman) => {
    const own = hostLink("/proc/self/ns/pid");
    equal(sh(podman, ["--pid=host"], "readlink /proc/self/ns/pid"), own);
    const id = podman.out("run", "--detach", "--hostname", "first", "--ipc=shareable", IMAGE, "sleep", "1000");
    matches(sh(podman, [`--pid=container:${id}`], "ps"), /sleep 1000/);
    equal(
      sh(podman, [`--ipc=container:${id}`], "readlink /proc/self/ns/ipc"),
      podman.out("exec", id, "readlink", "/proc/self/ns/ipc"),
    );
    equal(sh(podman, ["--uts=host"], "readlink /proc/self/ns/uts"), hostLink("/proc/self/ns/uts"));
  },
  "--hostname": (podman) =>
    equal(sh(podman, ["--hostname", "box.example"], "hostname; cat /etc/hostname"), "box.example\nbox.example"),
  "--uidmap, --gidmap: a user namespace": (podman) => {
    const options = ["--uidmap", "0:200000:5000", "--gidmap", "0:300000:5000"];
    equal(
      sh(podman, options, "id -u; tr -s ' ' < /proc/self/uid_map; tr -s ' ' < /proc/self/gid_map"),
      "0\n 0 200000 5000\n 0 300000 5000",
    );
    const id = podman.out("run", "--detach", ...options, "--user", "1000", IMAGE, "sleep", "1000");
    matches(hostFile(`/proc/${podman.inspect(id, "{{.State.Pid}}")}/status`), /^Uid:\t201000\t/m);
    equal(podman.out("exec", "--user", "7", id, "id", "-u"), "7");
  },
  "a user namespace with its own terminal": (podman) => {
    const options = ["--uidmap", "0:200000:5000", "--gidmap", "0:300000:5000", "--tty"];
    matches(podman.onTerminal(["run", "--rm", ...options, IMAGE, "sh", "-c", "stat -c %u $(tty)"]).stdout, /^0$/m);
  },
  "--annotation, --label": (podman) => {
    const id = podman.out("run", "--detach", "--annotation", "a.b=c", "--label", "d=e", IMAGE, "sleep", "1000");
    equal(podman.inspect(id, '{{index .Config.Annotations "a.b"}} {{index .Config.Labels "d"}}'), "c e");
  },
  "--personality": (podman) => sh(podman, ["--personality=LINUX32"], "uname -m"),
};
