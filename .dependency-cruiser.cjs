// The layers of src/: arrows point one way. `npm run check:layers` holds these rules and, beside them,
// that nothing in a portable layer uses a global of Node or of the DOM (scripts/check-layers.mjs).

/** Folders of src/ from the ground up. A folder may import itself and what stands before it. */
const LAYERS = [
  "guest-memory",
  "vcpu",
  "accel",
  "block",
  "net",
  "devices",
  "boot",
  "machine",
  "pv",
  "image",
  "container",
  "inspect",
  "control",
  "node",
  "web",
  "cli",
];

/** Tests and what only they use may import what they like from below, and Node. */
const TEST_FILES = "([.]test[.]ts$|/testing/|^src/test-support/)";

/** Run on any host: neither Node nor the DOM. accel/kvm speaks to the kernel and is not among them. */
const PORTABLE = "^src/(guest-memory|vcpu|accel/translate|devices|boot|machine|pv|block|net)/";

const upwards = LAYERS.slice(0, -1).map((layer, index) => ({
  name: `${layer}-imports-upwards`,
  comment: `${layer} stands below what it imports`,
  severity: "error",
  from: { path: `^src/${layer}/`, pathNot: TEST_FILES },
  to: { path: `^src/(${LAYERS.slice(index + 1).join("|")})/` },
}));

module.exports = {
  forbidden: [
    ...upwards,
    {
      name: "devices-know-no-machine",
      comment: "a device sees its bus, an interrupt line, a clock and a backend; not even its test needs a machine",
      severity: "error",
      from: { path: "^src/devices/", pathNot: TEST_FILES },
      to: { path: "^src/(machine|boot|accel)/" },
    },
    {
      name: "loaders-know-no-accelerator",
      comment: "boot and machine know the contract in vcpu/, whoever implements it",
      severity: "error",
      from: { path: "^src/(boot|machine)/", pathNot: TEST_FILES },
      to: { path: "^src/accel/" },
    },
    {
      name: "portable-layers-import-no-node",
      comment: "these layers run in a browser as they are",
      severity: "error",
      from: { path: PORTABLE, pathNot: TEST_FILES },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "portable-layers-import-no-native-code",
      severity: "error",
      from: { path: PORTABLE, pathNot: TEST_FILES },
      to: { path: "node_modules/(koffi|@koromix)" },
    },
    {
      name: "core-imports-no-typescript-of-the-host",
      comment: "the core is compiled by itself: beside its own folder it may use tables of constants",
      severity: "error",
      from: { path: "^src/accel/translate/core/" },
      to: { pathNot: "^src/accel/translate/(core/|layout[.]ts|feature-bits[.]ts)" },
    },
    {
      name: "tests-stay-out-of-the-program",
      severity: "error",
      from: { path: "^src/", pathNot: TEST_FILES },
      to: { path: TEST_FILES },
    },
    {
      name: "no-cycles",
      severity: "error",
      // The core is one compilation unit without module initialization: its files may name each other.
      from: { pathNot: "^src/accel/translate/core/" },
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: [".ts", ".js", ".mjs", ".cjs", ".json"],
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "types"],
    },
  },
};
