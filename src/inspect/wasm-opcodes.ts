/** The instructions of WebAssembly by their numbers, with what stands behind each: the core specification 2.0, section 5.4. */

/** What follows an opcode. `tag`, `try` and `delegate` are the legacy exception handling's, which engines keep. */
export type Immediate =
  | "none"
  | "block"
  | "label"
  | "labels"
  | "function"
  | "table-type"
  | "local"
  | "global"
  | "table"
  | "tables"
  | "tag"
  | "types"
  | "memory-access"
  | "memory-lane"
  | "memory-index"
  | "memory-indices"
  | "data-memory"
  | "data"
  | "element-table"
  | "i32"
  | "i64"
  | "f32"
  | "f64"
  | "v128"
  | "shuffle"
  | "lane";

export interface Opcode {
  readonly name: string;
  readonly immediate: Immediate;
}

type Table = Map<number, Opcode>;

/** Names in a row from `first` on; `-` leaves a number free, `T:a b` stands for `T.a T.b`. */
function put(table: Table, first: number, immediate: Immediate, text: string): void {
  let number = first;
  let type = "";
  for (const word of text.trim().split(/\s+/)) {
    const colon = word.indexOf(":");
    if (colon >= 0) type = `${word.slice(0, colon)}.`;
    const name = word.slice(colon + 1);
    if (name !== "-") table.set(number, { name: `${type}${name}`, immediate });
    number++;
  }
}

function plain(): Table {
  const table: Table = new Map();
  put(table, 0x00, "none", "unreachable nop");
  put(table, 0x02, "block", "block loop if");
  put(table, 0x05, "none", "else");
  put(table, 0x06, "block", "try");
  put(table, 0x07, "tag", "catch throw");
  put(table, 0x09, "label", "rethrow");
  put(table, 0x0b, "none", "end");
  put(table, 0x0c, "label", "br br_if");
  put(table, 0x0e, "labels", "br_table");
  put(table, 0x0f, "none", "return");
  put(table, 0x10, "function", "call");
  put(table, 0x11, "table-type", "call_indirect");
  put(table, 0x12, "function", "return_call");
  put(table, 0x13, "table-type", "return_call_indirect");
  put(table, 0x18, "label", "delegate");
  put(table, 0x19, "none", "catch_all drop select");
  put(table, 0x1c, "types", "select");
  put(table, 0x20, "local", "local:get set tee");
  put(table, 0x23, "global", "global:get set");
  put(table, 0x25, "table", "table:get set");
  put(table, 0x28, "memory-access", "i32:load i64:load f32:load f64:load i32:load8_s load8_u load16_s load16_u");
  put(table, 0x30, "memory-access", "i64:load8_s load8_u load16_s load16_u load32_s load32_u");
  put(
    table,
    0x36,
    "memory-access",
    "i32:store i64:store f32:store f64:store i32:store8 store16 i64:store8 store16 store32",
  );
  put(table, 0x3f, "memory-index", "memory:size grow");
  put(table, 0x41, "i32", "i32:const");
  put(table, 0x42, "i64", "i64:const");
  put(table, 0x43, "f32", "f32:const");
  put(table, 0x44, "f64", "f64:const");
  const compare = "eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u";
  put(table, 0x45, "none", `i32:${compare} i64:${compare}`);
  put(table, 0x5b, "none", "f32:eq ne lt gt le ge f64:eq ne lt gt le ge");
  const integer = "clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr";
  put(table, 0x67, "none", `i32:${integer} i64:${integer}`);
  const float = "abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign";
  put(table, 0x8b, "none", `f32:${float} f64:${float}`);
  put(table, 0xa7, "none", "i32:wrap_i64 trunc_f32_s trunc_f32_u trunc_f64_s trunc_f64_u");
  put(table, 0xac, "none", "i64:extend_i32_s extend_i32_u trunc_f32_s trunc_f32_u trunc_f64_s trunc_f64_u");
  put(table, 0xb2, "none", "f32:convert_i32_s convert_i32_u convert_i64_s convert_i64_u demote_f64");
  put(table, 0xb7, "none", "f64:convert_i32_s convert_i32_u convert_i64_s convert_i64_u promote_f32");
  put(table, 0xbc, "none", "i32:reinterpret_f32 i64:reinterpret_f64 f32:reinterpret_i32 f64:reinterpret_i64");
  put(table, 0xc0, "none", "i32:extend8_s extend16_s i64:extend8_s extend16_s extend32_s");
  return table;
}

/** Behind 0xfc. */
function bulk(): Table {
  const table: Table = new Map();
  const saturating = "trunc_sat_f32_s trunc_sat_f32_u trunc_sat_f64_s trunc_sat_f64_u";
  put(table, 0, "none", `i32:${saturating} i64:${saturating}`);
  put(table, 8, "data-memory", "memory:init");
  put(table, 9, "data", "data:drop");
  put(table, 10, "memory-indices", "memory:copy");
  put(table, 11, "memory-index", "memory:fill");
  put(table, 12, "element-table", "table:init");
  put(table, 13, "data", "elem:drop");
  put(table, 14, "tables", "table:copy");
  put(table, 15, "table", "table:grow size fill");
  return table;
}

/** Behind 0xfd. */
function vector(): Table {
  const table: Table = new Map();
  put(
    table,
    0,
    "memory-access",
    `v128:load load8x8_s load8x8_u load16x4_s load16x4_u load32x2_s load32x2_u load8_splat load16_splat load32_splat
     load64_splat store`,
  );
  put(table, 12, "v128", "v128:const");
  put(table, 13, "shuffle", "i8x16:shuffle");
  put(table, 14, "none", "i8x16:swizzle splat i16x8:splat i32x4:splat i64x2:splat f32x4:splat f64x2:splat");
  put(
    table,
    21,
    "lane",
    "i8x16:extract_lane_s extract_lane_u replace_lane i16x8:extract_lane_s extract_lane_u replace_lane",
  );
  const lanes = "extract_lane replace_lane";
  put(table, 27, "lane", `i32x4:${lanes} i64x2:${lanes} f32x4:${lanes} f64x2:${lanes}`);
  const compare = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u";
  put(table, 35, "none", `i8x16:${compare} i16x8:${compare} i32x4:${compare}`);
  put(table, 65, "none", "f32x4:eq ne lt gt le ge f64x2:eq ne lt gt le ge");
  put(table, 77, "none", "v128:not and andnot or xor bitselect any_true");
  put(
    table,
    84,
    "memory-lane",
    "v128:load8_lane load16_lane load32_lane load64_lane store8_lane store16_lane store32_lane store64_lane",
  );
  put(table, 92, "memory-access", "v128:load32_zero load64_zero");
  put(table, 94, "none", "f32x4:demote_f64x2_zero f64x2:promote_low_f32x4");
  put(table, 96, "none", "i8x16:abs neg popcnt all_true bitmask narrow_i16x8_s narrow_i16x8_u");
  put(table, 103, "none", "f32x4:ceil floor trunc nearest");
  put(table, 107, "none", "i8x16:shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u f64x2:ceil floor");
  put(table, 118, "none", "i8x16:min_s min_u max_s max_u f64x2:trunc i8x16:avgr_u");
  put(table, 124, "none", "i16x8:extadd_pairwise_i8x16_s extadd_pairwise_i8x16_u");
  put(table, 126, "none", "i32x4:extadd_pairwise_i16x8_s extadd_pairwise_i16x8_u");
  const widen = (from: string) =>
    `extend_low_${from}_s extend_high_${from}_s extend_low_${from}_u extend_high_${from}_u shl shr_s shr_u add`;
  const multiply = (from: string) =>
    `extmul_low_${from}_s extmul_high_${from}_s extmul_low_${from}_u extmul_high_${from}_u`;
  put(table, 128, "none", "i16x8:abs neg q15mulr_sat_s all_true bitmask narrow_i32x4_s narrow_i32x4_u");
  put(table, 135, "none", `i16x8:${widen("i8x16")} add_sat_s add_sat_u sub sub_sat_s sub_sat_u f64x2:nearest`);
  put(table, 149, "none", `i16x8:mul min_s min_u max_s max_u - avgr_u ${multiply("i8x16")}`);
  put(table, 160, "none", "i32x4:abs neg - all_true bitmask");
  put(table, 167, "none", `i32x4:${widen("i16x8")} - - sub - - - mul min_s min_u max_s max_u dot_i16x8_s`);
  put(table, 188, "none", `i32x4:${multiply("i16x8")}`);
  put(table, 192, "none", "i64x2:abs neg - all_true bitmask");
  put(table, 199, "none", `i64x2:${widen("i32x4")} - - sub - - - mul eq ne lt_s gt_s le_s ge_s ${multiply("i32x4")}`);
  put(table, 224, "none", "f32x4:abs neg - sqrt add sub mul div min max pmin pmax");
  put(table, 236, "none", "f64x2:abs neg - sqrt add sub mul div min max pmin pmax");
  put(table, 248, "none", "i32x4:trunc_sat_f32x4_s trunc_sat_f32x4_u f32x4:convert_i32x4_s convert_i32x4_u");
  put(
    table,
    252,
    "none",
    "i32x4:trunc_sat_f64x2_s_zero trunc_sat_f64x2_u_zero f64x2:convert_low_i32x4_s convert_low_i32x4_u",
  );
  return table;
}

/** By prefix byte; 0 for the opcodes of one byte. */
export const OPCODES: ReadonlyMap<number, ReadonlyMap<number, Opcode>> = new Map([
  [0, plain()],
  [0xfc, bulk()],
  [0xfd, vector()],
]);
