/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Code for hostile.c: each piece is copied to where it runs, and ends in UD2 if
 * nothing ended it before. What a selector is needed for takes it from EAX, from the
 * frame that lies on the stack, or from the far pointer at DATA. INT's vector is
 * its second byte.
 */
#ifndef SNIPPETS_H
#define SNIPPETS_H

#include <stdint.h>

#define DATA		0x20000000
#define FAR_POINTER	"0x20000100"
#define WHERE		"0x20000200"	/* the APIC id that SNIPPET where saw */
#define GARBAGE		"0x20000400"	/* 64-byte aligned, full of random bytes */

/* For loops: until the thread is away, at most so often. */
#define ROUNDS_TO_LEAVE	"4000"

#define SNIPPETS(X)							\
	X(where, 0, "mov %edx, %r8d; mov $" ROUNDS_TO_LEAVE ", %esi\n"	\
		"1: mov $1, %eax; cpuid; shr $24, %ebx; mov %ebx, (" WHERE "); jnz 2f; dec %esi; jnz 1b\n" \
		"2: xor %eax, %eax; xor %ebx, %ebx; xor %ecx, %ecx; mov %r8d, %edx; xor %esi, %esi") \
	X(spin, 0, "mov $3000, %ecx\n 1: dec %ecx; jnz 1b")		\
	X(int_n, INT, "int $0")						\
	X(int3, 0, "int3")						\
	X(icebp, 0, ".byte 0xf1")					\
	X(into, 0, ".byte 0xce")					\
	X(bound, 0, ".byte 0x62, 0x00, 0x00, 0x00")			\
	X(hlt, 0, "hlt")						\
	X(cli, 0, "cli")						\
	X(sti, 0, "sti")						\
	X(in, 0, "in $0x80, %al")					\
	X(out, 0, "out %al, %dx")					\
	X(insb, 0, "rep insb")						\
	X(outsl, 0, "rep outsl")					\
	X(lgdt, 0, "lgdt (%rsp)")					\
	X(lidt, 0, "lidt (%rsp)")					\
	X(lldt, SELECTOR, "lldt %ax")					\
	X(ltr, SELECTOR, "ltr %ax")					\
	X(lmsw, 0, "lmsw %ax")						\
	X(clts, 0, "clts")						\
	X(read_cr0, 0, "mov %cr0, %rax")				\
	X(write_cr0, 0, "mov %rax, %cr0")				\
	X(write_cr3, 0, "mov %rax, %cr3")				\
	X(write_cr4, 0, "mov %rax, %cr4")				\
	X(write_cr8, 0, "mov %rax, %cr8")				\
	X(read_dr7, 0, "mov %dr7, %rax")				\
	X(write_dr7, 0, "mov %rax, %dr7")				\
	X(rdmsr, 0, "rdmsr")						\
	X(wrmsr, 0, "mov $0xc0000082, %ecx; wrmsr")			\
	X(rdpmc, 0, "rdpmc")						\
	X(xsetbv, 0, "xor %ecx, %ecx; xsetbv")				\
	X(invlpg, 0, "invlpg (%rsp)")					\
	X(invd, 0, "invd")						\
	X(wbinvd, 0, "wbinvd")						\
	X(swapgs, 0, "swapgs")						\
	X(sysretl, 0, "sysretl")					\
	X(sysretq, 0, "sysretq")					\
	X(sysexit, 0, "sysexitl")					\
	X(rsm, 0, "rsm")						\
	X(vmcall, 0, "vmcall")						\
	X(vmrun, 0, ".byte 0x0f, 0x01, 0xd8")				\
	X(monitor, 0, "monitor")					\
	X(mwait, 0, "mwait")						\
	X(clac, 0, "clac")						\
	X(stac, 0, "stac")						\
	X(xsaves, 0, "xsaves (" GARBAGE ")")				\
	X(xrstors, 0, "xrstors (" GARBAGE ")")				\
	X(ud1, 0, "ud1 %eax, %eax")					\
	X(too_long, 0, ".fill 15, 1, 0x2e; nop")			\
	X(lock_nop, 0, "lock; nop")					\
	X(iretq, FRAME, "iretq")					\
	X(iretl, FRAME, "iretl")					\
	X(iretw, FRAME, "iretw")					\
	X(lretq, FRAME, "lretq")					\
	X(lretl, FRAME, "lretl")					\
	X(far_jump, SELECTOR, "ljmp *(" FAR_POINTER ")")		\
	X(far_call, SELECTOR, "lcall *(" FAR_POINTER ")")		\
	X(far_jump64, SELECTOR, "rex.w ljmp *(" FAR_POINTER ")")	\
	X(lss, SELECTOR, "lss (" FAR_POINTER "), %ebx")			\
	X(lfs, SELECTOR, "lfs (" FAR_POINTER "), %ebx")			\
	X(mov_ds, SELECTOR, "mov %eax, %ds")				\
	X(mov_es, SELECTOR, "mov %eax, %es")				\
	X(mov_fs, SELECTOR, "mov %eax, %fs")				\
	X(mov_gs, SELECTOR, "mov %eax, %gs")				\
	X(mov_ss, SELECTOR, "mov %eax, %ss")				\
	X(mov_ss_int3, SELECTOR, "mov %eax, %ss; int3")			\
	X(mov_ss_syscall, SELECTOR, "mov %eax, %ebx; mov $0x7654321, %eax; mov %ebx, %ss; syscall") \
	X(push_fs, 0, "push %fs; pop %gs")				\
	X(lar, SELECTOR, "lar %eax, %ebx")				\
	X(verw, SELECTOR, "verw %ax")					\
	X(popf, 0, "push %rdx; popfq; nop; nop")			\
	X(popf_tf, 0, "pushfq; orq $0x100, (%rsp); popfq; nop; nop")	\
	X(popf_tf_ss, 0, "mov %ss, %ebx; pushfq; orq $0x100, (%rsp); popfq; mov %ebx, %ss; nop; nop") \
	X(popf_tf_ss_syscall, 0, "mov %ss, %ebx; mov $0x7654321, %eax; pushfq; orq $0x100, (%rsp)\n" \
		"popfq; mov %ebx, %ss; syscall; nop")			\
	X(popf_tf_int3, 0, "pushfq; orq $0x100, (%rsp); popfq; int3")	\
	X(popf_tf_icebp, 0, "pushfq; orq $0x100, (%rsp); popfq; .byte 0xf1") \
	X(popf_tf_ud2, 0, "pushfq; orq $0x100, (%rsp); popfq; ud2")	\
	X(popf_tf_fault, 0, "pushfq; orq $0x100, (%rsp); popfq; mov 0, %eax") \
	X(popf_tf_syscall, 0, "mov $0x7654321, %eax; pushfq; orq $0x100, (%rsp); popfq; syscall; nop") \
	X(popf_tf_string, 0, "mov $" GARBAGE ", %rsi; mov $" GARBAGE ", %rdi; mov $5, %ecx\n" \
		"pushfq; orq $0x100, (%rsp); andq $~0x400, (%rsp); popfq; rep movsb") \
	X(popf_ac, 0, "pushfq; orq $0x40000, (%rsp); popfq; mov " GARBAGE "+1, %rbx") \
	X(popf_nt, 0, "pushfq; orq $0x4000, (%rsp); popfq; mov $500, %ecx\n 1: dec %ecx; jnz 1b; iretq") \
	X(syscall, 0, "mov $0x7654321, %eax; syscall")			\
	X(syscall_long, 0, "mov $0x7654321, %eax; .byte 0x2e, 0x66, 0x48; syscall") \
	X(sysenter, 0, "mov $0x7654321, %eax; mov %rsp, %rbp; sysenter") \
	X(int80, 0, "mov $0x7654321, %eax; int $0x80")			\
	X(wrfsbase, 0, "wrfsbase %rbx; mov $500, %ecx\n 1: dec %ecx; jnz 1b") \
	X(wrgsbase, 0, "wrgsbase %rbx; mov $500, %ecx\n 1: dec %ecx; jnz 1b") \
	X(use_fs, 0, "mov %fs:0, %eax")					\
	X(use_gs, 0, "mov %gs:(%rbx), %eax")				\
	X(divide, 0, "xor %ecx, %ecx; idiv %ecx")			\
	X(overflow, 0, "mov $0x80000000, %eax; cltd; mov $-1, %ecx; idiv %ecx") \
	X(load, 0, "mov (%rbx), %eax")					\
	X(store, 0, "mov %eax, (%rbx)")					\
	X(load_rbp, 0, "mov (%rbp), %eax")				\
	X(store_rsp, 0, "push %rbx; pop %rcx")				\
	X(jump, 0, "jmp *%rbx")						\
	X(call, 0, "call *%rbx")					\
	X(ret, 0, "ret")						\
	X(enter, 0, "enter $65535, $31")				\
	X(leave, 0, "leave; pop %rax")					\
	X(sse, 0, "divss %xmm1, %xmm0; sqrtps %xmm2, %xmm2; cvtps2dq %xmm3, %xmm3") \
	X(x87, 0, "fldpi; fldz; fdivrp; fsqrt; fldcw (" GARBAGE "); fwait") \
	X(ldmxcsr, 0, "ldmxcsr (" GARBAGE ")")				\
	X(fxrstor, 0, "fxrstor (" GARBAGE ")")				\
	X(xrstor, 0, "mov $7, %eax; xor %edx, %edx; xrstor (" GARBAGE ")") \
	X(movaps, 0, "movaps " GARBAGE "+1, %xmm0")			\
	X(wrpkru, 0, "mov $1, %ecx; .byte 0x0f, 0x01, 0xef")		\
	X(cmpxchg16b, 0, "lock cmpxchg16b " GARBAGE "+8")

enum { INT = 1, SELECTOR, FRAME };	/* what a piece's parameter is */

#define X(name, parameter, text)					\
	asm(".pushsection .rodata\n"					\
	    "snippet_" #name ": " text "\n"				\
	    "ud2\n"							\
	    "snippet_" #name "_end:\n"					\
	    ".popsection\n");						\
	extern const uint8_t snippet_##name[], snippet_##name##_end[];
SNIPPETS(X)
#undef X

static const struct snippet {
	const char *name;
	int parameter;
	const uint8_t *begin, *end;
} snippets[] = {
#define X(name, parameter, text) { #name, parameter, snippet_##name, snippet_##name##_end },
	SNIPPETS(X)
#undef X
};

#define SNIPPET_COUNT	(sizeof(snippets) / sizeof(*snippets))

#endif
