/**
 * What a program runs on: descriptor tables, page tables, and handlers that note every event in a hash and then go on,
 * by mapping the page, by skipping the instruction, or by serving the program's call.
 */
import { assemble } from "../assemble.js";
import * as L from "./layout.js";
import type { CodeBits } from "./program.js";

const ERROR_CODE_VECTORS = [8, 10, 11, 12, 13, 14, 17, 21];
/** Vectors that a program may raise by INT: breakpoint, overflow, and all that are not the processor's. */
const isOpen = (vector: number) => vector === 3 || vector === 4 || vector >= 0x20;

const hex = (value: number) => `0x${value.toString(16)}`;

/** RAM as it is before every program of this code size: everything but code and data. */
export function kernelImage(bits: CodeBits): Uint8Array {
  const image = new Uint8Array(L.RAM_BYTES);
  const view = new DataView(image.buffer);
  if (bits === 16) {
    image.set(assemble(realKernel(), 16, L.KERNEL_CODE), L.KERNEL_CODE);
    for (let vector = 0; vector < 256; vector++) view.setUint32(vector * 4, L.STUBS + vector * L.STUB_BYTES, true);
    return image;
  }
  image.set(assemble(kernel(bits), bits, L.KERNEL_CODE), L.KERNEL_CODE);
  writeDescriptors(view, bits);
  writePageTables(view, bits);
  return image;
}

/** Address of SYSCALL's entry: the first instruction of the kernel's code. */
export const SYSCALL_ENTRY = L.KERNEL_CODE;

// What lies on the stack when `events` is reached: three saved registers, vector, error code, and what the CPU pushed.
function kernel(bits: 32 | 64): string {
  const wide = bits === 64;
  const [a, c, d, sp] = wide ? ["rax", "rcx", "rdx", "rsp"] : ["eax", "ecx", "edx", "esp"];
  const word = wide ? 8 : 4;
  const slot = (index: number) => `[${sp} + ${index * word}]`;
  const [userDx, userCx, userAx, vector, error, ip, , flags] = Array.from({ length: 8 }, (_, index) => slot(index));
  const pointer = wide ? "qword ptr" : "dword ptr";
  const toggle = L.TABLES ^ (L.TABLES + L.TABLES_BYTES);
  // Two tables a space in 32-bit code: a directory and a page table, of 4 MiB, which has the window twice.
  const table = (space: number) => hex(L.TABLES + space * L.TABLES_BYTES + (wide ? 0x3000 : 0x1000));
  const entries = wide
    ? [0, 1].map((space) => `[${table(space)} + rax * 8]`)
    : [0, 1].flatMap((space) => [`[${table(space)} + eax * 4]`, `[${table(space)} + 0x800 + eax * 4]`]);
  return `
syscall_entry:
  ${
    wide
      ? `
  mov [${hex(L.KERNEL.savedStack)}], rsp
  mov rsp, ${hex(L.SYSCALL_STACK)}
  push ${hex(L.USER_SS)}
  push qword ptr [${hex(L.KERNEL.savedStack)}]
  push r11
  push ${hex(L.USER64_CS)}
  push rcx
  push 0
  push ${hex(L.SERVICE_VECTOR + 1)}`
      : ""
  }
common:
  push ${a}
  push ${c}
  push ${d}
  ${wide ? "" : `mov eax, ds\n  mov ecx, ${hex(L.KERNEL_SS)}\n  mov ds, ecx\n  mov [${hex(L.KERNEL.savedStack)}], eax`}
  mov ${a}, [${hex(L.KERNEL.log)}]
  imul ${a}, ${a}, 0x1bd1e995
  xor ${a}, ${vector}
  add ${a}, ${error}
  rol ${a}, 9
  add ${a}, ${ip}
  rol ${a}, 9
  xor ${a}, ${flags}
  mov ${c}, cr2
  add ${a}, ${c}
  mov [${hex(L.KERNEL.log)}], ${a}
  mov ecx, [${hex(L.KERNEL.count)}]
  inc ecx
  mov [${hex(L.KERNEL.count)}], ecx
  cmp ecx, [${hex(L.KERNEL.limit)}]
  ja end
  mov eax, ${vector}
  cmp eax, 14
  je page_fault
  cmp eax, 1
  je debug
  cmp eax, 2
  jb skip
  cmp eax, 4
  jbe done
  cmp eax, 7
  je no_math
  cmp eax, ${hex(L.SERVICE_VECTOR)}
  je service
  cmp eax, ${hex(L.SERVICE_VECTOR + 1)}
  je service
  cmp eax, ${hex(L.END_VECTOR)}
  je end
  cmp eax, 8
  je end
  cmp eax, 0x20
  jb skip
  mov dword ptr [${hex(L.APIC + 0xb0)}], 0
done:
  ${wide ? `cmp dword ptr ${vector}, ${hex(L.SERVICE_VECTOR + 1)}\n  je sysret_path` : `mov eax, [${hex(L.KERNEL.savedStack)}]\n  mov ds, eax`}
  pop ${d}
  pop ${c}
  pop ${a}
  add ${sp}, ${2 * word}
  iret${wide ? "q" : "d"}
${
  wide
    ? `
sysret_path:
  pop rdx
  pop rcx
  pop rax
  add rsp, 16
  pop rcx
  add rsp, 8
  pop r11
  pop rsp
  sysretq`
    : ""
}
no_math:
  clts
  jmp done
debug:
  dec dword ptr [${hex(L.KERNEL.steps)}]
  jg done
  and dword ptr ${flags}, 0xfffffeff
  jmp done
page_fault:
  mov ${d}, cr2
  mov eax, edx
  shr eax, 12
  and eax, 511
  cmp byte ptr [${hex(L.KERNEL.repair)} + ${a}], 0
  je skip
  ${entries.map((entry) => `or ${pointer} ${entry}, 7`).join("\n  ")}
  ${wide ? entries.map((entry) => `btr qword ptr ${entry}, 63`).join("\n  ") : ""}
  invlpg [${d}]
  jmp done
skip:
  mov ${c}, ${ip}
  mov edx, ecx
  and edx, ${hex(L.WINDOW - 1)}
  sub edx, ${hex(L.CODE)}
  cmp edx, ${hex(2 * L.CODE_BYTES)}
  jae end
  and edx, ${hex(L.CODE_BYTES - 1)}
  movzx edx, word ptr [${hex(L.SKIP_AT)} + ${d} * 2]
  test edx, edx
  jz end
  and ${c}, -${hex(L.CODE_BYTES)}
  or ${c}, ${d}
  mov ${ip}, ${c}
  jmp done
service:
  mov ${a}, ${userAx}
  and eax, 7
  cmp eax, 1
  je switch
  cmp eax, 2
  je flush
  cmp eax, 3
  je protect
  cmp eax, 4
  je patch
  cmp eax, 5
  je lazy_math
  cmp eax, 6
  je bases
  cmp eax, 7
  jne done
  rdtsc
  add [${hex(L.KERNEL.log)}], ${a}
  jmp done
switch:
  mov ${a}, cr3
  xor eax, ${hex(toggle)}
  mov cr3, ${a}
  jmp done
protect:
  mov eax, ${userCx}
  and eax, 3
  add eax, ${hex(L.DATA / L.PAGE)}
  mov edx, ${userDx}
  and edx, 7
  ${entries.map((entry) => `xor ${pointer} ${entry}, ${d}`).join("\n  ")}
flush:
  mov ${a}, cr3
  mov cr3, ${a}
  jmp done
patch:
  mov ecx, ${userCx}
  and ecx, ${hex(L.CODE_BYTES - 1)}
  mov edx, ${userDx}
  add ecx, [${hex(L.KERNEL.code)}]
  xor byte ptr [${c}], dl
  jmp done
lazy_math:
  mov ${a}, cr0
  or eax, 8
  mov cr0, ${a}
  jmp done
bases:
  ${
    wide
      ? `
  swapgs
  swapgs
  mov ecx, 0xc0000100
  rdmsr
  xor eax, 0x40
  wrmsr`
      : "sgdt [0x8000]"
  }
  jmp done
end:
  mov dword ptr [${hex(L.KERNEL.ended)}], 1
  cli
  hlt
  jmp end
  .org ${L.STUBS - L.KERNEL_CODE}
${stubs("push 0", "push vector")}`;
}

function stubs(noError: string, push: string): string {
  return `
  .set vector, 0
  .rept 256
    .balign ${L.STUB_BYTES}
    .if ${ERROR_CODE_VECTORS.map((vector) => `(vector != ${vector})`).join(" && ")}
      ${noError}
    .endif
    ${push}
    jmp common
    .set vector, vector + 1
  .endr`;
}

// Real mode: no error codes, no page faults; its variables and the table to skip by are reached through DS.
function realKernel(): string {
  return `
common:
  push ax
  push cx
  push dx
  push bx
  push ds
  push bp
  mov bp, sp
  xor ax, ax
  mov ds, ax
  mov eax, [${hex(L.KERNEL.log)}]
  imul eax, eax, 0x1bd1e995
  xor eax, [bp + 12]
  rol eax, 9
  add eax, [bp + 14]
  rol eax, 9
  xor ax, [bp + 18]
  mov [${hex(L.KERNEL.log)}], eax
  mov cx, [${hex(L.KERNEL.count)}]
  inc cx
  mov [${hex(L.KERNEL.count)}], cx
  cmp cx, [${hex(L.KERNEL.limit)}]
  ja end
  mov ax, [bp + 12]
  cmp ax, 1
  je debug
  cmp ax, 2
  jb skip
  cmp ax, 4
  jbe done
  cmp ax, 7
  je no_math
  cmp ax, 8
  je end
  cmp ax, ${hex(L.SERVICE_VECTOR)}
  je done
  cmp ax, ${hex(L.END_VECTOR)}
  je end
  cmp ax, 0x20
  jae done
skip:
  mov ax, [bp + 16]
  cmp ax, [${hex(L.KERNEL.codeSegment)}]
  jne end
  mov bx, [bp + 14]
  test bx, bx
  js end
  mov ax, ${hex(L.SKIP_AT / 16)}
  mov ds, ax
  add bx, bx
  mov ax, [bx]
  test ax, ax
  jz end
  mov [bp + 14], ax
done:
  pop bp
  pop ds
  pop bx
  pop dx
  pop cx
  pop ax
  add sp, 2
  iret
no_math:
  clts
  jmp done
debug:
  dec word ptr [${hex(L.KERNEL.steps)}]
  jg done
  and word ptr [bp + 18], 0xfeff
  jmp done
end:
  xor ax, ax
  mov ds, ax
  mov word ptr [${hex(L.KERNEL.ended)}], 1
  cli
  hlt
  jmp end
  .org ${L.STUBS - L.KERNEL_CODE}
  .set vector, 0
  .rept 256
    .balign ${L.STUB_BYTES}
    push vector
    jmp common
    .set vector, vector + 1
  .endr`;
}

function writeDescriptors(view: DataView, bits: 32 | 64): void {
  const set = (selector: number, value: bigint) => view.setBigUint64(L.GDT + (selector & ~7), value, true);
  const withBase = (descriptor: bigint, base: number) => descriptor | (BigInt(base) << 16n);
  set(L.KERNEL_CS, bits === 64 ? 0x00af_9b00_0000_ffffn : 0x00cf_9b00_0000_ffffn);
  set(L.KERNEL_SS, 0x00cf_9300_0000_ffffn);
  set(L.USER32_CS, 0x00cf_fb00_0000_ffffn);
  set(L.USER_SS, 0x00cf_f300_0000_ffffn);
  set(L.USER64_CS, 0x00af_fb00_0000_ffffn);
  set(L.TSS_SELECTOR, withBase(0x0000_8b00_0000_0067n, L.TSS));
  set(L.FS_SELECTOR, withBase(0x00cf_f300_0000_ffffn, L.FS_BASE));
  set(L.GS_SELECTOR, withBase(0x00cf_f300_0000_ffffn, L.GS_BASE));
  if (bits === 64) {
    view.setBigUint64(L.TSS + 4, BigInt(L.KERNEL_STACK), true);
    // The first interrupt stack is for double faults.
    view.setBigUint64(L.TSS + 0x24, BigInt(L.FAULT_STACK), true);
  } else {
    view.setUint32(L.TSS + 4, L.KERNEL_STACK, true);
    view.setUint32(L.TSS + 8, L.KERNEL_SS, true);
  }
  view.setUint16(L.TSS + 0x66, 0x68, true);
  for (let vector = 0; vector < 256; vector++) {
    const stub = L.STUBS + vector * L.STUB_BYTES;
    const gate = L.IDT + vector * (bits === 64 ? 16 : 8);
    view.setUint32(gate, (L.KERNEL_CS << 16) | (stub & 0xffff), true);
    const stack = bits === 64 && vector === 8 ? 1 : 0;
    view.setUint32(gate + 4, (stub & 0xffff0000) | (isOpen(vector) ? 0xee00 : 0x8e00) | stack, true);
  }
}

/** Every upper entry leads to the one page table of its address space. */
function writePageTables(view: DataView, bits: 32 | 64): void {
  for (let space = 0; space < 2; space++) {
    const tables = L.TABLES + space * L.TABLES_BYTES;
    if (bits === 64) {
      for (let level = 0; level < 3; level++) {
        for (let index = 0; index < 512; index++) {
          view.setBigUint64(tables + level * L.PAGE + index * 8, BigInt(tables + (level + 1) * L.PAGE) | 7n, true);
        }
      }
      for (let index = 0; index < 512; index++) {
        const noExecute = index * L.PAGE === L.SPECIAL + 3 * L.PAGE ? 1n << 63n : 0n;
        view.setBigUint64(tables + 3 * L.PAGE + index * 8, L.windowEntry(index, space === 1, 0) | noExecute, true);
      }
    } else {
      for (let index = 0; index < 1024; index++) {
        view.setUint32(tables + index * 4, (tables + L.PAGE) | 7, true);
        view.setUint32(tables + L.PAGE + index * 4, Number(L.windowEntry(index % 512, space === 1, 0)), true);
      }
    }
  }
}
