// npm start [-- OPTIONS]: installs and builds what is missing or stale, then runs `ringvisor boot OPTIONS`.
import { build } from "./lib/build.mjs";
import { ensureDependencies } from "./lib/dependencies.mjs";
import { fail } from "./lib/project.mjs";

ensureDependencies();
if (!build()) fail("the build failed: see above");
// In this process: a second Node costs start-up time, and signals and the terminal would need passing on.
process.argv.splice(2, 0, "boot");
await import("../dist/cli/main.js");
