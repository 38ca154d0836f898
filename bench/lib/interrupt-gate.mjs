/**
 * 32-bit assembly that leads an interrupt to the label `handler`: a gate in a table at `idt`, which is loaded.
 * It needs a stack, of which it keeps 8 bytes, and changes EAX.
 */
export const interruptGate = (idt, vector) => `
mov dword ptr [${idt + vector * 8}], offset handler
mov eax, offset handler
and eax, 0xffff0000
or eax, 0x8e00
mov [${idt + vector * 8 + 4}], eax
mov ax, cs
mov [${idt + vector * 8 + 2}], ax
sub esp, 8
mov word ptr [esp], 0x7ff
mov dword ptr [esp + 2], ${idt}
lidt [esp]`;
