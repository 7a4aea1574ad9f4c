//go:build metal

#include "textflag.h"
#include "go_asm.h"
#include "macros_amd64.h"

// fatalEntry: the runtime's panic routines jump here, with the return address
// of the code that failed at 0(SP).
TEXT ·fatalEntry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	CLI
	MOVQ $const_kindPanic, AX
	JMP  ·failed(SB)

// stackEntry: runtime.morestack jumps here, with the return address of the
// function that needs more stack than there is at 0(SP).
TEXT ·stackEntry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	CLI
	MOVQ $const_kindStack, AX
	JMP  ·failed(SB)

// failed: AX = kind. The double fault's stack is free, or its user stopped.
TEXT ·failed(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ 0(SP), BX
	LEAQ 8(SP), CX
	MOVQ $const_fatalTop, SP
	JMP  ·stop(SB)

// stop: AX = kind, BX = pc, CX = sp, SP at a stack that works.
TEXT ·stop(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	CLD
	CLOSE_USER
	MOVQ $const_kernelFS, DX
	WRFSBASEQ DX
	CALL_GO(·fatalFn(SB))
halt:
	CLI
	HLT
	JMP  halt

// doubleFault: vector 8 on its own stack, error code 0 pushed.
TEXT ·doubleFault(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ 8(SP), BX
	MOVQ 32(SP), CX
	MOVQ $const_kindDouble, AX
	JMP  ·stop(SB)

// machineCheck: vector 18 on its own stack. As Linux does on a CPU that is going
// down: what can go on goes on. Runs no Go then, so that it may come at any
// instruction.
TEXT ·machineCheck(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	PUSHQ AX
	PUSHQ CX
	PUSHQ DX
	INCQ  const_statMCE
	TESTL $const_featMCA, const_configBase+config_Features
	JZ    lost
	MOVL  $const_mcgStatus, CX
	RDMSR
	TESTL $const_mcgRestart, AX
	JZ    lost
	XORL  AX, AX
	XORL  DX, DX
	WRMSR
	POPQ  DX
	POPQ  CX
	POPQ  AX
	IRETQ
lost:
	MOVQ 24(SP), BX
	MOVQ 48(SP), CX
	MOVQ $const_kindCheck, AX
	JMP  ·stop(SB)

// nmi: vector 2 on its own stack. Linux sends NMIs to all CPUs when it panics:
// they are counted, and stop the CPU for good if it was told to park. Runs no
// Go, so that it may come at any instruction.
TEXT ·nmi(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	PUSHQ AX
	INCQ  const_statNMI
	MOVQ  const_privateBase+private_Self, AX
	TESTQ AX, AX
	JZ    back
	CMPL  cpuhead_Command(AX), $const_cmdPark
	JEQ   halt
back:
	POPQ  AX
	IRETQ
halt:
	CLI
	HLT
	JMP   halt
