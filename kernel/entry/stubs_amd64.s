//go:build metal

#include "textflag.h"
#include "go_asm.h"

// One stub a vector, stubSize bytes apart, pushes what the processor does not:
// an error code where there is none, and the vector. ADJSP takes the pushes
// back for the assembler, which would add up those of all stubs.
#define STUB(n) PCALIGN $const_stubSize; PUSHQ $0; PUSHQ $(n); JMP ·common(SB); ADJSP $-16
#define STUB_ERR(n) PCALIGN $const_stubSize; PUSHQ $(n); JMP ·common(SB); ADJSP $-8
#define ROW(n) STUB(n); STUB(n+1); STUB(n+2); STUB(n+3); STUB(n+4); STUB(n+5); STUB(n+6); STUB(n+7)

TEXT ·stubs(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	ROW(0)
	STUB_ERR(8)                     // double fault: the gate leads elsewhere
	STUB(9)
	STUB_ERR(10)                    // invalid TSS
	STUB_ERR(11)                    // segment not present
	STUB_ERR(12)                    // stack segment
	STUB_ERR(13)                    // general protection
	STUB_ERR(14)                    // page fault
	STUB(15)
	STUB(16)
	STUB_ERR(17)                    // alignment check
	STUB(18)
	STUB(19)
	STUB(20)
	STUB_ERR(21)                    // control protection
	STUB(22)
	STUB(23)
	STUB(24)
	STUB(25)
	STUB(26)
	STUB(27)
	STUB(28)
	STUB_ERR(29)                    // VMM communication
	STUB_ERR(30)                    // security
	STUB(31)
	ROW(32); ROW(40); ROW(48); ROW(56)
	ROW(64); ROW(72); ROW(80); ROW(88)
	ROW(96); ROW(104); ROW(112); ROW(120)
	ROW(128); ROW(136); ROW(144); ROW(152)
	ROW(160); ROW(168); ROW(176); ROW(184)
	ROW(192); ROW(200); ROW(208); ROW(216)
	ROW(224); ROW(232); ROW(240); ROW(248)

// The addresses of the entry points, for the tables that the processor reads.

TEXT ·stubsPC(SB),NOSPLIT,$0-8
	LEAQ ·stubs(SB), AX
	MOVQ AX, ret+0(FP)
	RET

TEXT ·debugPC(SB),NOSPLIT,$0-8
	LEAQ ·debug(SB), AX
	MOVQ AX, ret+0(FP)
	RET

TEXT ·nmiPC(SB),NOSPLIT,$0-8
	LEAQ ·nmi(SB), AX
	MOVQ AX, ret+0(FP)
	RET

TEXT ·doubleFaultPC(SB),NOSPLIT,$0-8
	LEAQ ·doubleFault(SB), AX
	MOVQ AX, ret+0(FP)
	RET

TEXT ·machineCheckPC(SB),NOSPLIT,$0-8
	LEAQ ·machineCheck(SB), AX
	MOVQ AX, ret+0(FP)
	RET

TEXT ·syscallPC(SB),NOSPLIT,$0-8
	LEAQ ·syscall(SB), AX
	MOVQ AX, ret+0(FP)
	RET

TEXT ·restorePC(SB),NOSPLIT,$0-8
	LEAQ ·restore(SB), AX
	MOVQ AX, ret+0(FP)
	RET
