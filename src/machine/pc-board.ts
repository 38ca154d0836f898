/** The board of a PC: a q35 with ICH9's chips, at the ports and addresses where a PC has them. */
import { PowerManagement, SLEEP_TYPE_S3, SLEEP_TYPE_S5 } from "../devices/acpi/power-management.js";
import { Coprocessor } from "../devices/coprocessor/coprocessor.js";
import { DebugConsole, DebugExit, PostCode } from "../devices/debug-exit/debug-exit.js";
import type { CharBackend, PlainData, Stateful } from "../devices/device.js";
import { addAcpiFiles } from "../devices/fw-cfg/acpi-loader.js";
import {
  FW_CFG_CPU_COUNT,
  FW_CFG_MAX_CPUS,
  FW_CFG_NO_GRAPHICS,
  FW_CFG_PORTS,
  FW_CFG_RAM_SIZE,
  FwCfg,
} from "../devices/fw-cfg/fw-cfg.js";
import { Hpet } from "../devices/hpet/hpet.js";
import { Ioapic } from "../devices/ioapic/ioapic.js";
import { HostBridge, PciBus } from "../devices/pci/host-bridge.js";
import { LpcBridge } from "../devices/pci/lpc.js";
import { PirqRouter } from "../devices/pci/pirq.js";
import { Pic } from "../devices/pic/pic.js";
import { Pit } from "../devices/pit/pit.js";
import { I8042 } from "../devices/ps2/i8042.js";
import { A20Gate } from "../devices/reset/a20-gate.js";
import { Port92, ResetControl } from "../devices/reset/reset.js";
import { Rtc } from "../devices/rtc/rtc.js";
import { Serial } from "../devices/serial/serial.js";
import { TESTDEV_LINES, TESTDEV_MEMORY_BYTES, TestDevice } from "../devices/testdev/testdev.js";
import type { ScreenImage } from "../devices/vga/screen-image.js";
import { VBE_PORT_COUNT, VBE_PORTS, VGA_PORT_COUNT, VGA_PORTS, VGA_WINDOW_BYTES, Vga } from "../devices/vga/vga.js";
import { type AcpiTables, buildAcpiTables, FACS_OFFSET, relocateAcpiTables, SCI_IRQ } from "./acpi-tables.js";
import type { Board, BoardBuilder, BoardContext } from "./board.js";
import {
  ECAM,
  ECAM_BYTES,
  FOUR_GIB,
  HPET_BASE,
  IOAPIC_BASE,
  isPciMemory,
  type MemoryMap,
  SYSTEM_ROM,
  VGA_HOLE,
} from "./memory-map.js";

/** Of the board's chips, their places and their states together. */
const BOARD_VERSION = 2;
const PM_BASE = 0x600;
const PM_BYTES = 0x80;
const VGA_DEVICE = 2;
const LPC_DEVICE = 0x1f;
/** Behind the RSDP, in the part of the first MiB that is reserved. */
const ACPI_TABLES = SYSTEM_ROM + 0x40;
/** CMOS: why the processor was reset; and what SeaBIOS and its like take for the end of S3. */
const CMOS_SHUTDOWN = 0x0f;
const SHUTDOWN_RESUME = 0xfe;
const SERIAL_IRQ = 4;
const KEYBOARD_IRQ = 1;
const MOUSE_IRQ = 12;
const COPROCESSOR_IRQ = 13;
const TESTDEV_MMIO = 0xff000000;

export interface PcBoardOptions {
  /** Port 0xf4 ends the machine with the value that is written. */
  debugExit?: boolean;
  /** The test device of kvm-unit-tests. */
  testDevice?: boolean;
  /** Takes what firmware prints to port 0x402. */
  debugConsole?: Pick<CharBackend, "write">;
  /** A VGA with this option ROM, which may be empty. */
  vga?: { readonly rom: Uint8Array };
  /** A floppy that firmware boots from: see boot/floppy.ts. */
  floppy?: Uint8Array;
}

/** The PIRQ of a slot's INTx pin: they take turns among A to D. */
const pirqOf = (slot: number, pin: number) => (slot + pin) & 3;

export function pcBoard(options: PcBoardOptions = {}): BoardBuilder {
  return (context) => new PcBoard(context, options);
}

class PcBoard implements Board {
  readonly description: PlainData;
  readonly states: ReadonlyMap<string, Stateful<PlainData>>;
  private readonly pic: Pic;
  private readonly ioapic: Ioapic;
  readonly textMode: boolean;
  private readonly pm: PowerManagement;
  private readonly rtc: Rtc;
  readonly keptInSleep = ["rtc", "pm"];
  readonly facs = ACPI_TABLES + FACS_OFFSET;
  private readonly ps2: I8042;
  private readonly vga: Vga | null;
  private readonly coprocessor: Coprocessor;

  constructor(
    private readonly context: BoardContext,
    options: PcBoardOptions,
  ) {
    const { ports, mmio, clock, router, map, power } = context;
    const { debugExit = false, testDevice: hasTestDevice = false } = options;
    this.description = {
      name: "pc",
      version: BOARD_VERSION,
      debugExit,
      testDevice: hasTestDevice,
      vga: options.vga !== undefined,
      floppy: options.floppy?.length ?? 0,
    };
    this.pic = new Pic({ intr: { set: (level) => router.setIntr(level) } });
    this.ioapic = new Ioapic({
      deliver: (message) => context.deliver(message),
      routed: (pin, message) => context.routeIoapicPin(pin, message),
    });
    router.connect(this.pic, this.ioapic);
    ports.add("pic", 0x20, 2, this.pic.master);
    ports.add("pic", 0xa0, 2, this.pic.slave);
    ports.add("elcr", 0x4d0, 2, this.pic.elcr);
    mmio.add("ioapic", IOAPIC_BASE, 0x1000, this.ioapic);

    const hpet = new Hpet({ lines: (gsi) => router.line(gsi), clock, msi: context.msi });
    mmio.add("hpet", HPET_BASE, 0x400, hpet);
    const pit = new Pit({ interrupt: hpet.replaceable(router.line(0)), clock });
    ports.add("pit", 0x40, 4, pit);
    ports.add("port 61", 0x61, 1, pit.port61);
    const rtc = new Rtc({
      interrupt: hpet.replaceable(router.line(8)),
      clock,
      lowMemory: ramBelow(context),
      highMemory: ramAbove(context),
      alarm: () => this.pm.rtcAlarm(),
    });
    this.rtc = rtc;
    ports.add("rtc", 0x70, 4, rtc);
    const serial = new Serial({ interrupt: router.line(SERIAL_IRQ), clock, backend: context.console });
    ports.add("serial", 0x3f8, 8, serial);

    this.pm = new PowerManagement({
      sci: router.line(SCI_IRQ),
      clock,
      powerOff: () => power.powerOff(),
      suspend: () => power.suspend(),
      wake: () => power.wake(),
    });
    ports.add("acpi pm", PM_BASE, PM_BYTES, this.pm);
    const pirqs: PirqRouter = new PirqRouter({
      line: (gsi) => router.line(gsi),
      pirqOf,
      route: (pirq) => lpc.route(pirq),
    });
    const pci = new PciBus({
      ports,
      memory: mmio,
      decodes: (base, size) => isPciMemory(map, base, size),
      intx: (slot, pin) => pirqs.intx(slot, pin),
    });
    const hostBridge = new HostBridge(ECAM, (segments) => context.remapShadow(segments));
    if (!hasRom(map)) hostBridge.openShadow();
    const lpc = new LpcBridge(PM_BASE, () => pirqs.routingChanged());
    pci.add(0, 0, hostBridge);
    pci.add(LPC_DEVICE, 0, lpc);
    ports.add("pci", 0xcf8, 8, pci.ports);
    mmio.add("ecam", ECAM, ECAM_BYTES, pci.ecam);
    const reset = new ResetControl(() => power.reset());
    ports.add("reset", 0xcf9, 1, reset);
    const a20 = new A20Gate((open) => context.gateA20(open));
    const port92 = new Port92(() => power.reset(), a20);
    ports.add("port 92", 0x92, 1, port92);
    this.coprocessor = new Coprocessor({
      interrupt: router.line(COPROCESSOR_IRQ),
      ignore: () => context.ignoreFloatErrors(),
    });
    ports.add("coprocessor", 0xf0, 2, this.coprocessor);
    const postCode = new PostCode();
    ports.add("post code", 0x80, 1, postCode);
    context.coalesce("ports", 0x80, 1);
    if (options.debugExit) ports.add("debug exit", 0xf4, 4, new DebugExit((value) => power.debugExit(value)));
    if (options.debugConsole) ports.add("debug console", 0x402, 1, new DebugConsole(options.debugConsole));
    this.ps2 = new I8042({
      clock,
      keyboardInterrupt: router.line(KEYBOARD_IRQ),
      mouseInterrupt: router.line(MOUSE_IRQ),
      reset: () => power.reset(),
      a20,
    });
    ports.add("ps2 data", 0x60, 1, this.ps2.data);
    ports.add("ps2 command", 0x64, 1, this.ps2.command);
    this.vga = options.vga === undefined ? null : this.makeVga(pci, options.vga.rom);
    // Without a ROM nothing else sets a mode: a kernel finds the screen as firmware would leave it.
    this.textMode = this.vga !== null && !hasRom(map);
    if (!hasRom(map)) this.ps2.enableKeyboard();
    if (this.textMode) this.vga?.setTextMode();
    const fwCfg = this.makeFwCfg(options.floppy);
    ports.add("fw_cfg", 0x510, FW_CFG_PORTS, fwCfg);
    const testDevice = options.testDevice ? this.makeTestDevice() : null;

    this.states = new Map<string, Stateful<PlainData>>([
      ["serial", serial],
      ["rtc", rtc],
      ["pm", this.pm],
      ["pci", pci],
      ["hostBridge", hostBridge],
      ["lpc", lpc],
      ["reset", reset],
      ["port92", port92],
      ["postCode", postCode],
      ["coprocessor", this.coprocessor],
      ["ps2", this.ps2],
      ["fwCfg", fwCfg],
      ...(this.vga ? [["vga", this.vga] as const] : []),
      ...(testDevice ? [["testdev", testDevice] as const] : []),
      ["pit", pit],
      ["hpet", hpet],
      ["ioapic", this.ioapic],
      ["pic", this.pic],
    ]);
  }

  acknowledgePic(): number {
    return this.pic.acknowledge();
  }

  floatError(): void {
    this.coprocessor.error();
  }

  endOfInterrupt(vector: number): void {
    this.ioapic.endOfInterrupt(vector);
  }

  markResume(): void {
    this.rtc.setCmos(CMOS_SHUTDOWN, SHUTDOWN_RESUME);
  }

  powerButton(): void {
    this.pm.powerButton();
  }

  writeAcpiTables(): number {
    const { memory } = this.context;
    const { rsdp, tables } = relocateAcpiTables(this.acpiTables(), ACPI_TABLES);
    memory.write(ACPI_TABLES, tables);
    memory.write(SYSTEM_ROM, rsdp);
    return SYSTEM_ROM;
  }

  screen(): ScreenImage | null {
    return this.vga?.screen() ?? null;
  }

  typeScanCodes(codes: readonly number[]): void {
    this.ps2.type(codes);
  }

  key(make: readonly number[], pressed: boolean): void {
    this.ps2.key(make, pressed);
  }

  get keyboardIdle(): boolean {
    return !this.ps2.keyboard.waiting;
  }

  private acpiTables(): AcpiTables {
    const { map, cpus } = this.context;
    return buildAcpiTables({
      cpus,
      pmBase: PM_BASE,
      softOffType: SLEEP_TYPE_S5,
      suspendType: SLEEP_TYPE_S3,
      vga: this.vga !== null,
      pciMmio64: map.pciMmio64,
      pirqOf,
    });
  }

  private makeFwCfg(floppy: Uint8Array | undefined): FwCfg {
    const { memory, map, cpus } = this.context;
    const fwCfg = new FwCfg({ memory });
    fwCfg.addInteger(FW_CFG_RAM_SIZE, 8, map.ramSize);
    fwCfg.addInteger(FW_CFG_CPU_COUNT, 2, cpus);
    fwCfg.addInteger(FW_CFG_MAX_CPUS, 2, cpus);
    fwCfg.addInteger(FW_CFG_NO_GRAPHICS, 2, this.vga === null ? 1 : 0);
    fwCfg.addFile("etc/e820", e820File(map));
    addAcpiFiles(fwCfg, this.acpiTables());
    if (floppy !== undefined) fwCfg.addFile("floppyimg/floppy.img", floppy);
    return fwCfg;
  }

  private makeVga(pci: PciBus, rom: Uint8Array): Vga {
    const { ports, mmio, memory, clock } = this.context;
    const placeMemory = (base: number | null) => this.context.placeVideoMemory(base);
    const vga = new Vga({ clock, memory: memory.video, rom, placeMemory });
    ports.add("vga", VGA_PORTS, VGA_PORT_COUNT, vga.ports);
    ports.add("vbe", VBE_PORTS, VBE_PORT_COUNT, vga.vbePorts);
    mmio.add("vga", VGA_HOLE, VGA_WINDOW_BYTES, vga.window);
    pci.add(VGA_DEVICE, 0, vga.fn);
    return vga;
  }

  private makeTestDevice(): TestDevice {
    const { ports, mmio, router } = this.context;
    const device = new TestDevice({ line: (gsi) => router.line(gsi) });
    ports.add("testdev data", 0xe0, 4, device.data);
    ports.add("testdev flush", 0xe4, 4, device.flush);
    ports.add("testdev byte", 0xe8, 4, device.data);
    ports.add("testdev lines", 0x2000, TESTDEV_LINES, device.interrupts);
    mmio.add("testdev memory", TESTDEV_MMIO, TESTDEV_MEMORY_BYTES, device.memory);
    return device;
  }
}

/** Whether firmware starts the machine. */
function hasRom(map: MemoryMap): boolean {
  return map.slots.some((slot) => slot.readonly);
}

/** RAM as firmware reads it: entries of base, length and type. */
function e820File({ e820 }: MemoryMap): Uint8Array {
  const bytes = new Uint8Array(e820.length * 20);
  const data = new DataView(bytes.buffer);
  e820.forEach(({ base, size, type }, index) => {
    data.setBigUint64(index * 20, BigInt(base), true);
    data.setBigUint64(index * 20 + 8, BigInt(size), true);
    data.setUint32(index * 20 + 16, type, true);
  });
  return bytes;
}

function ramBelow({ map }: BoardContext): number {
  return map.slots
    .filter((slot) => !slot.readonly && slot.gpa < FOUR_GIB)
    .reduce((end, slot) => Math.max(end, slot.gpa + slot.size), 0);
}

function ramAbove({ map }: BoardContext): number {
  return map.slots.filter((slot) => !slot.readonly && slot.gpa >= FOUR_GIB).reduce((sum, slot) => sum + slot.size, 0);
}
