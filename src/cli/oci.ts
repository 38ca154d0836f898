/** `ringvisor oci`: the OCI runtime's verbs. */
import { main } from "./oci/main.js";

export function run(args: string[]): Promise<number> {
  return main(args);
}
