// The SSE operations alone, for differential.mjs.
import { REC_OP } from "../../../src/accel/translate/core/record";
import { execSse } from "../../../src/accel/translate/core/sse";

export { sseDecode } from "../../../src/accel/translate/core/sse-decode";

export function execute(cpu: usize, rec: usize): void {
  execSse(cpu, rec, load<u16>(rec, REC_OP));
}
