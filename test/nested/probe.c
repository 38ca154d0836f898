/*
 * Whether this host's KVM runs a guest: one vCPU in real mode adds two registers, writes the sum to a
 * port and halts; then it writes to the port again and again. With nothing of Ringvisor in it, it tells a broken host from a broken accelerator.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

/* add al, bl; out 0xe9, al; hlt; then, for the time that an exit takes: out 0xe9, al; jmp to the out */
static const unsigned char code[] = {0x00, 0xd8, 0xe6, 0xe9, 0xf4, 0xe6, 0xe9, 0xeb, 0xfc};

enum { ENTRY = 0x1000, MEMORY = 0x10000, PORT = 0xe9, EXITS = 1000 };

static int check(int result, const char *what) {
  if (result < 0) {
    perror(what);
    exit(1);
  }
  return result;
}

int main(void) {
  int kvm = check(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
  int version = check(ioctl(kvm, KVM_GET_API_VERSION, 0), "KVM_GET_API_VERSION");
  int vm = check(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
  unsigned char *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) check(-1, "mmap");
  memcpy(memory + ENTRY, code, sizeof code);
  struct kvm_userspace_memory_region region = {.memory_size = MEMORY, .userspace_addr = (unsigned long)memory};
  check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");

  int vcpu = check(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
  int size = check(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
  struct kvm_run *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
  if (run == MAP_FAILED) check(-1, "mmap of the vCPU");
  struct kvm_sregs sregs;
  check(ioctl(vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
  sregs.cs.base = 0;
  sregs.cs.selector = 0;
  check(ioctl(vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
  struct kvm_regs regs = {.rip = ENTRY, .rax = 40, .rbx = 2, .rflags = 2};
  check(ioctl(vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");

  check(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
  if (run->exit_reason != KVM_EXIT_IO || run->io.port != PORT) {
    printf("the first exit is %u, not a write to a port\n", run->exit_reason);
    return 1;
  }
  unsigned char sum = *((unsigned char *)run + run->io.data_offset);
  check(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
  if (run->exit_reason != KVM_EXIT_HLT || sum != 42) {
    printf("the second exit is %u, not a halt, or 40 + 2 is %u\n", run->exit_reason, sum);
    return 1;
  }
  printf("KVM API %d: a guest added 40 and 2, wrote %u and halted\n", version, sum);

  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (int count = 0; count < EXITS; count++) check(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
  clock_gettime(CLOCK_MONOTONIC, &end);
  double seconds = end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9;
  printf("an exit to a C program takes %.0f microseconds\n", seconds / EXITS * 1e6);
  return 0;
}
