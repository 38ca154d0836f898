/**
 * ACPI tables for firmware: three fw_cfg files. Firmware allocates memory for the first two, then follows the
 * commands in the third, which put addresses into pointers and make checksums right.
 * QEMU, docs/specs/acpi_hw_reduced and the loader's interface, as SeaBIOS and OVMF implement it.
 */
import type { FwCfg } from "./fw-cfg.js";

/** Tables whose pointers hold offsets into `tables` so far. */
export interface LoadableTables {
  readonly rsdp: Uint8Array;
  readonly tables: Uint8Array;
  readonly pointers: readonly { readonly file: "rsdp" | "tables"; readonly offset: number; readonly size: number }[];
  readonly checksums: readonly {
    readonly file: "rsdp" | "tables";
    readonly offset: number;
    readonly start: number;
    readonly length: number;
  }[];
}

const FILES = { rsdp: "etc/acpi/rsdp", tables: "etc/acpi/tables" } as const;
const LOADER_FILE = "etc/table-loader";

const COMMAND_BYTES = 128;
const NAME_BYTES = 56;
const ALLOCATE = 1;
const ADD_POINTER = 2;
const ADD_CHECKSUM = 3;
/** Zones: anywhere below 4 GiB, or the segment from 0xf0000 where an RSDP is searched. */
const ZONE_HIGH = 1;
const ZONE_F_SEGMENT = 2;
/** The FACS in `tables` asks for it. */
const TABLES_ALIGNMENT = 64;
const RSDP_ALIGNMENT = 16;

/** The commands as the file's bytes. */
export function loaderCommands({ pointers, checksums }: LoadableTables): Uint8Array {
  const commands: Uint8Array[] = [];
  const command = (type: number): DataView => {
    const view = new DataView(new ArrayBuffer(COMMAND_BYTES));
    view.setUint32(0, type, true);
    commands.push(new Uint8Array(view.buffer));
    return view;
  };
  const name = (view: DataView, offset: number, file: "rsdp" | "tables"): void => {
    new Uint8Array(view.buffer).set(new TextEncoder().encode(FILES[file]), offset);
  };
  const allocate = (file: "rsdp" | "tables", alignment: number, zone: number): void => {
    const view = command(ALLOCATE);
    name(view, 4, file);
    view.setUint32(4 + NAME_BYTES, alignment, true);
    view.setUint8(8 + NAME_BYTES, zone);
  };
  allocate("rsdp", RSDP_ALIGNMENT, ZONE_F_SEGMENT);
  allocate("tables", TABLES_ALIGNMENT, ZONE_HIGH);
  for (const { file, offset, size } of pointers) {
    const view = command(ADD_POINTER);
    name(view, 4, file);
    name(view, 4 + NAME_BYTES, "tables");
    view.setUint32(4 + 2 * NAME_BYTES, offset, true);
    view.setUint8(8 + 2 * NAME_BYTES, size);
  }
  for (const { file, offset, start, length } of checksums) {
    const view = command(ADD_CHECKSUM);
    name(view, 4, file);
    view.setUint32(4 + NAME_BYTES, offset, true);
    view.setUint32(8 + NAME_BYTES, start, true);
    view.setUint32(12 + NAME_BYTES, length, true);
  }
  const bytes = new Uint8Array(commands.length * COMMAND_BYTES);
  for (const [index, each] of commands.entries()) bytes.set(each, index * COMMAND_BYTES);
  return bytes;
}

/** Adds the three files. */
export function addAcpiFiles(fwCfg: FwCfg, tables: LoadableTables): void {
  fwCfg.addFile(FILES.rsdp, tables.rsdp);
  fwCfg.addFile(FILES.tables, tables.tables);
  fwCfg.addFile(LOADER_FILE, loaderCommands(tables));
}
