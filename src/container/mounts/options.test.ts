import assert from "node:assert/strict";
import { test } from "node:test";
import * as C from "../stage/constants.js";
import { MOUNT_OPTION_NAMES, parseMountOptions } from "./options.js";

test("options of every file system become flags, the rest is the file system's own", () => {
  const { flags, data } = parseMountOptions(["nosuid", "noexec", "size=64k", "ro", "mode=755"]);
  assert.equal(flags, C.MS_NOSUID | C.MS_NOEXEC | C.MS_RDONLY);
  assert.equal(data, "size=64k,mode=755");
});

test("the last of contradicting options counts", () => {
  assert.equal(parseMountOptions(["ro", "rw"]).flags, 0);
  assert.deepEqual(parseMountOptions(["ro", "rw"]).attributes, { set: 0, clear: C.MOUNT_ATTR_RDONLY });
  assert.deepEqual(parseMountOptions(["rw", "ro"]).attributes, { set: C.MOUNT_ATTR_RDONLY, clear: 0 });
});

test("access times are values of one field: it is cleared before one is set", () => {
  const { attributes } = parseMountOptions(["noatime", "strictatime"]);
  assert.deepEqual(attributes, { set: C.MOUNT_ATTR_STRICTATIME, clear: C.MOUNT_ATTR__ATIME });
});

test("recursive forms stand apart", () => {
  const options = parseMountOptions(["rbind", "rro", "rprivate", "shared"]);
  assert.equal(options.bind, "recursive");
  assert.equal(options.flags, 0);
  assert.deepEqual(options.recursiveAttributes, { set: C.MOUNT_ATTR_RDONLY, clear: 0 });
  assert.deepEqual(options.propagation, [C.MS_PRIVATE | C.MS_REC, C.MS_SHARED]);
});

test("every name that features lists is understood", () => {
  for (const name of MOUNT_OPTION_NAMES) assert.equal(parseMountOptions([name]).data, "", name);
});

test("names that objects inherit are the file system's own options", () => {
  assert.equal(parseMountOptions(["constructor", "rtoString"]).data, "constructor,rtoString");
});
