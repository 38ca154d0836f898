/** Whether native code can be called from this Node. */

/** koffi, which calls C functions. `absent`: the package is not installed. `untried`: nothing would use it. */
export type NativeCalls =
  | { state: "works" }
  | { state: "absent" }
  | { state: "broken"; error: string }
  | { state: "untried" };

/** @param load imports the package; it is missing where the installation left optional native code out */
export async function probeNativeCalls(load: () => Promise<unknown>): Promise<NativeCalls> {
  try {
    await load();
    return { state: "works" };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ERR_MODULE_NOT_FOUND") return { state: "absent" };
    return { state: "broken", error: String(message ?? error).split("\n")[0] };
  }
}
