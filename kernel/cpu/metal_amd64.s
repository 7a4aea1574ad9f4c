//go:build metal

#include "textflag.h"

// All of it runs in ring 0 with interrupts off; nothing here keeps state. The
// wrappers by which Go calls these functions reload R14 and X15 afterwards.

TEXT ·ReadMSR(SB),NOSPLIT,$0-16
	MOVL msr+0(FP), CX
	RDMSR
	SHLQ $32, DX
	ORQ  DX, AX
	MOVQ AX, ret+8(FP)
	RET

TEXT ·WriteMSR(SB),NOSPLIT,$0-16
	MOVL msr+0(FP), CX
	MOVQ v+8(FP), AX
	MOVQ AX, DX
	SHRQ $32, DX
	WRMSR
	RET

TEXT ·ReadCR2(SB),NOSPLIT,$0-8
	MOVQ CR2, AX
	MOVQ AX, ret+0(FP)
	RET

TEXT ·WriteCR3(SB),NOSPLIT,$0-8
	MOVQ v+0(FP), AX
	MOVQ AX, CR3
	RET

TEXT ·ReadDR6(SB),NOSPLIT,$0-8
	MOVQ DR6, AX
	MOVQ AX, ret+0(FP)
	RET

TEXT ·WriteDR6(SB),NOSPLIT,$0-8
	MOVQ v+0(FP), AX
	MOVQ AX, DR6
	RET

TEXT ·ReadTSC(SB),NOSPLIT,$0-8
	LFENCE
	RDTSC
	SHLQ $32, DX
	ORQ  DX, AX
	MOVQ AX, ret+0(FP)
	RET

TEXT ·CPUID(SB),NOSPLIT,$0-24
	MOVL leaf+0(FP), AX
	MOVL sub+4(FP), CX
	CPUID
	MOVL AX, a+8(FP)
	MOVL BX, b+12(FP)
	MOVL CX, c+16(FP)
	MOVL DX, d+20(FP)
	RET

TEXT ·WriteXCR0(SB),NOSPLIT,$0-8
	XORL CX, CX
	MOVQ v+0(FP), AX
	MOVQ AX, DX
	SHRQ $32, DX
	XSETBV
	RET

TEXT ·WritePKRU(SB),NOSPLIT,$0-4
	MOVL v+0(FP), AX
	XORL CX, CX
	XORL DX, DX
	BYTE $0x0f; BYTE $0x01; BYTE $0xef // WRPKRU
	RET

TEXT ·ReadGSBase(SB),NOSPLIT,$0-8
	RDGSBASEQ AX
	MOVQ AX, ret+0(FP)
	RET

TEXT ·Selectors(SB),NOSPLIT,$0-16
	XORL AX, AX
	MOVW DS, AX
	MOVL AX, ds+0(FP)
	MOVW ES, AX
	MOVL AX, es+4(FP)
	MOVW FS, AX
	MOVL AX, fs+8(FP)
	MOVW GS, AX
	MOVL AX, gs+12(FP)
	RET

TEXT ·XSave(SB),NOSPLIT,$0-24
	MOVQ   xmm+0(FP), AX
	MOVUPS 0x00(AX), X0
	MOVUPS 0x10(AX), X1
	MOVUPS 0x20(AX), X2
	MOVUPS 0x30(AX), X3
	MOVUPS 0x40(AX), X4
	MOVUPS 0x50(AX), X5
	MOVUPS 0x60(AX), X6
	MOVUPS 0x70(AX), X7
	MOVUPS 0x80(AX), X8
	MOVUPS 0x90(AX), X9
	MOVUPS 0xa0(AX), X10
	MOVUPS 0xb0(AX), X11
	MOVUPS 0xc0(AX), X12
	MOVUPS 0xd0(AX), X13
	MOVUPS 0xe0(AX), X14
	MOVUPS 0xf0(AX), X15
	MOVQ   area+8(FP), CX
	MOVQ   mask+16(FP), AX
	JMP    ·saveExtended(SB)

// saveExtended stores the live extended state, as far as AX has a bit for it, in the
// XSAVE area at CX, and leaves no vector register as it was. Called from assembly.
TEXT ·saveExtended(SB),NOSPLIT|NOFRAME,$0-0
	MOVQ   AX, DX
	SHRQ   $32, DX
	XORL   BX, BX
	MOVQ   BX, 512(CX)
	MOVQ   BX, 520(CX)
	MOVQ   BX, 528(CX)
	MOVQ   BX, 536(CX)
	MOVQ   BX, 544(CX)
	MOVQ   BX, 552(CX)
	MOVQ   BX, 560(CX)
	MOVQ   BX, 568(CX)
	XSAVE64 (CX)
	XORPS  X0, X0
	XORPS  X1, X1
	XORPS  X2, X2
	XORPS  X3, X3
	XORPS  X4, X4
	XORPS  X5, X5
	XORPS  X6, X6
	XORPS  X7, X7
	XORPS  X8, X8
	XORPS  X9, X9
	XORPS  X10, X10
	XORPS  X11, X11
	XORPS  X12, X12
	XORPS  X13, X13
	XORPS  X14, X14
	RET

TEXT ·MMIORead32(SB),NOSPLIT,$0-12
	MOVQ p+0(FP), AX
	MOVL (AX), AX
	MOVL AX, ret+8(FP)
	RET

TEXT ·MMIOWrite32(SB),NOSPLIT,$0-12
	MOVQ p+0(FP), AX
	MOVL v+8(FP), CX
	MOVL CX, (AX)
	RET

TEXT ·InvalidatePage(SB),NOSPLIT,$0-8
	MOVQ   p+0(FP), AX
	INVLPG (AX)
	RET

// The return address is turned into a far return, which loads CS.
TEXT ·LoadTables(SB),NOSPLIT|NOFRAME,$0-16
	MOVQ gdt+0(FP), AX
	LGDT (AX)
	MOVQ idt+8(FP), AX
	LIDT (AX)
	MOVQ 0(SP), AX
	SUBQ $8, SP
	MOVQ AX, 0(SP)
	MOVQ $0x10, 8(SP)
	XORL AX, AX
	MOVW AX, SS
	MOVW AX, DS
	MOVW AX, ES
	LLDT AX
	MOVL $0x40, AX
	LTR  AX
	RETFQ

TEXT ·InitFPU(SB),NOSPLIT,$0-4
	BYTE    $0xdb; BYTE $0xe3 // FNINIT
	LDMXCSR mxcsr+0(FP)
	RET

TEXT ·Pause(SB),NOSPLIT,$0-0
	PAUSE
	RET

TEXT ·Fence(SB),NOSPLIT,$0-0
	MFENCE
	LFENCE
	RET

TEXT ·WaitInterrupt(SB),NOSPLIT,$0-0
	STI
	HLT
	CLI
	RET

TEXT ·Monitor(SB),NOSPLIT,$0-8
	MOVQ p+0(FP), AX
	XORL CX, CX
	XORL DX, DX
	MONITOR
	RET

TEXT ·WaitMonitor(SB),NOSPLIT,$0-0
	XORL AX, AX
	XORL CX, CX
	STI
	MWAIT
	CLI
	RET

// Each CALL pushes the address of an INT3 that is never reached, because the
// stack pointer is moved past all of them at the end. 0xcc is INT3; the
// assembler's INT $3 has two bytes.
#define CALLNEXT BYTE $0xe8; LONG $1; BYTE $0xcc
#define FOUR CALLNEXT; CALLNEXT; CALLNEXT; CALLNEXT

TEXT ·FillRSB(SB),NOSPLIT|NOFRAME,$0-0
	FOUR
	FOUR
	FOUR
	FOUR
	FOUR
	FOUR
	FOUR
	FOUR
	ADDQ $(32*8), SP
	LFENCE
	RET

TEXT ·Stop(SB),NOSPLIT,$0-0
again:
	CLI
	HLT
	JMP again
