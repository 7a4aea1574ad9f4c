/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a startup interrupt straight to long mode (Intel SDM volume 3, sections
 * 9.4 and 10.8.5). start.c copies these bytes to a page below 1 MiB, which
 * idle_top maps at its own address, and fills struct trampoline_data.
 *
 * In: real mode, CS = page >> 4, IP = 0, interrupts off.
 * Out: 64-bit mode at data.entry, CR3 = data.cr3, CR4 = data.cr4, EFER =
 * data.efer, caches on, no stack.
 */
	.section .rodata, "a"
	.balign	16
	.globl	apk_trampoline
apk_trampoline:
	.code16
	cli
	cld
	jmp	real_mode

	.balign	16
	.globl	apk_trampoline_data
apk_trampoline_data:		/* struct trampoline_data in start.c */
cr3:	.long	0
cr4:	.long	0
efer:	.long	0
seen:	.long	0
entry:	.quad	0
target:	.long	long_mode - apk_trampoline	/* start.c adds the page's address */
	.word	0x10
	.word	0
gdtr:	.word	gdt_end - gdt - 1
gdtr_base: .long gdt - apk_trampoline		/* here as well */
	.word	0

	.balign	8
gdt:	.quad	0
	.quad	0
	.quad	0x00af9b000000ffff	/* 0x10: 64-bit code */
	.quad	0x00cf93000000ffff	/* 0x18: data */
gdt_end:

real_mode:
	movw	%cs, %ax
	movw	%ax, %ds
	incl	seen - apk_trampoline
	movl	cr4 - apk_trampoline, %eax
	movl	%eax, %cr4
	movl	cr3 - apk_trampoline, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx	/* MSR_EFER */
	movl	efer - apk_trampoline, %eax
	xorl	%edx, %edx
	wrmsr
	lgdtl	gdtr - apk_trampoline
	/* PG WP NE ET MP PE at once; CD and NW, which INIT leaves set, are cleared. */
	movl	$0x80010033, %eax
	movl	%eax, %cr0
	ljmpl	*(target - apk_trampoline)

	.code64
long_mode:
	movl	$0x18, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movq	entry(%rip), %rax
	jmpq	*%rax
	.globl	apk_trampoline_end
apk_trampoline_end:

	.section .note.GNU-stack, "", @progbits
