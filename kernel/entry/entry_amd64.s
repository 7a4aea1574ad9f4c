//go:build metal

#include "textflag.h"
#include "go_asm.h"
#include "macros_amd64.h"

// Entry: the trampoline jumps here in long mode, with interrupts off, CR3 =
// cfg.idle_top and no stack. It does not return.
TEXT ·Entry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	CLI
	MOVQ  $const_stackTop, SP
	PUSHQ $2                        // no NT, no AC, no IOPL
	POPFQ
	MOVQ  CR4, AX
	ORQ   const_configBase+config_CR4, AX
	MOVQ  AX, CR4
	MOVQ  $const_cr0, AX
	MOVQ  AX, CR0

	MOVQ  $const_privateBase, R14
	MOVQ  $const_stackLow, AX
	MOVQ  AX, g_StackLo(R14)
	ADDQ  $const_stackRed, AX
	MOVQ  AX, g_StackGuard0(R14)
	MOVQ  AX, g_StackGuard1(R14)
	MOVQ  $const_stackTop, AX
	MOVQ  AX, g_StackHi(R14)
	MOVQ  R14, private_TLS(R14)
	MOVQ  $const_kernelFS, AX
	WRFSBASEQ AX
	CALL_GO(·startFn(SB))

	LEAQ  ·fatalEntry(SB), AX       // nothing else in the image refers to
	LEAQ  ·stackEntry(SB), AX       // what the post-link tool jumps to
	JMP   ·park(SB)

// park: this CPU has no thread. What is on the trap stack is forgotten. idleFn
// returns with the user frame filled; from there on no Go runs, as its
// registers are being loaded.
TEXT ·park(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ $const_userFrame, SP
	CALL_GO(·idleFn(SB))
	XORL AX, AX
	MOVW AX, DS
	MOVW AX, ES
	MOVW AX, FS                     // may clear the base, so before it
	MOVW AX, GS
	MOVQ const_slotGSBase, AX
	WRGSBASEQ AX
	MOVQ frame_FSBase(SP), AX
	WRFSBASEQ AX
	MOVQ const_slotXMask, AX
	MOVQ AX, DX
	SHRQ $32, DX
	MOVQ $const_fpuArea, CX
	JMP  ·restore(SB)

// restore: its first instruction is the one at which an extended state that
// the processor refuses shows; trap.Dispatch knows its address.
TEXT ·restore(SB),NOSPLIT|NOFRAME,$0
	XRSTOR64 (CX)
	JMP ·leave(SB)

// leave: SP at a frame, everything but the general registers loaded; interrupts
// are off and stay off.
TEXT ·leave(SB),NOSPLIT|NOFRAME,$0
	LOAD_GENERAL
	ADDQ  $(frame_Regs+regs_RIP), SP
	CLEAR_BUFFERS
	IRETQ

// common: all stubs come here with vector and error code pushed. SP becomes the
// address of a frame.
TEXT ·common(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	SUBQ $(frame_Regs+regs_Vector), SP
	SAVE_GENERAL
	JMP ·dispatch(SB)

// dispatch: SP at a frame whose general registers are complete. The FS base is
// swapped wherever the trap came from, so that it nests without a question
// asked.
TEXT ·dispatch(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	CLD
	CLOSE_USER
	CLEAR_GENERAL
	SAVE_XMM
	RDFSBASEQ AX
	MOVQ  AX, frame_FSBase(SP)
	MOVQ  $const_kernelFS, AX
	WRFSBASEQ AX
	MOVQ  SP, AX
	CALL_GO(·trapFn(SB))
	TESTQ AX, AX
	JNZ   gone
	MOVQ  frame_FSBase(SP), AX
	WRFSBASEQ AX
	LOAD_XMM
	JMP   ·leave(SB)
gone:
	JMP   ·park(SB)

// debug: vector 1 has a stack of its own, because it can hit before the SYSCALL
// entry has one. From user mode the frame moves to where all others are.
#define MOVE(from, off) \
	MOVQ from(SP), AX; \
	MOVQ AX, const_stackTop-const_hardwareSize+off

TEXT ·debug(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	PUSHQ $0
	PUSHQ $1
	PUSHQ AX
	TESTB $3, 8+hardware_cs(SP)
	JZ    ring0
	MOVE(8+hardware_vector, hardware_vector)
	MOVE(8+hardware_err, hardware_err)
	MOVE(8+hardware_rip, hardware_rip)
	MOVE(8+hardware_cs, hardware_cs)
	MOVE(8+hardware_flags, hardware_flags)
	MOVE(8+hardware_sp, hardware_sp)
	MOVE(8+hardware_ss, hardware_ss)
	POPQ  AX
	MOVQ  $(const_stackTop-const_hardwareSize), SP
	JMP   ·common(SB)
ring0:
	POPQ  AX
	JMP   ·common(SB)
