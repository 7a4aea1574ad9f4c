//go:build metal

#include "textflag.h"
#include "go_asm.h"

// SMAP keeps ring 0 from user pages unless RFLAGS.AC is set (SDM 3, section
// 4.6); STAC and CLAC exist only where SMAP does.
#define ALLOW \
	TESTL $const_cr4SMAP, const_configBase+config_CR4; \
	JZ    2(PC); \
	STAC

#define FORBID \
	TESTL $const_cr4SMAP, const_configBase+config_CR4; \
	JZ    2(PC); \
	CLAC

// The access is the first instruction of a routine of its own, so that its
// address has a name. An exception there goes on at refused, which returns to
// the same caller with DX = 0.

TEXT ·access64(SB),NOSPLIT|NOFRAME,$0
	MOVQ (AX), CX
	RET

TEXT ·accessWord(SB),NOSPLIT|NOFRAME,$0
	MOVL (AX), CX
	RET

TEXT ·access32(SB),NOSPLIT|NOFRAME,$0
	MOVL CX, (AX)
	RET

TEXT ·refused(SB),NOSPLIT|NOFRAME,$0
	XORL CX, CX
	XORL DX, DX
	RET

TEXT ·load64(SB),NOSPLIT,$0-17
	MOVQ addr+0(FP), AX
	MOVL $1, DX
	ALLOW
	CALL ·access64(SB)
	FORBID
	MOVQ CX, v+8(FP)
	MOVB DX, ok+16(FP)
	RET

TEXT ·load32(SB),NOSPLIT,$0-13
	MOVQ addr+0(FP), AX
	MOVL $1, DX
	ALLOW
	CALL ·accessWord(SB)
	FORBID
	MOVL CX, v+8(FP)
	MOVB DX, ok+12(FP)
	RET

// put: CX to the user's 4 bytes at AX, a user address. DX = 0: it was refused.
// Uses these three registers only: the entry code calls it, too.
TEXT ·put(SB),NOSPLIT|NOFRAME,$0
	MOVL $1, DX
	ALLOW
	CALL ·access32(SB)
	FORBID
	RET

TEXT ·store32(SB),NOSPLIT,$0-17
	MOVQ addr+0(FP), AX
	MOVL v+8(FP), CX
	CALL ·put(SB)
	MOVB DX, ok+16(FP)
	RET

TEXT ·accessPCs(SB),NOSPLIT,$0-32
	LEAQ ·access64(SB), AX
	MOVQ AX, load+0(FP)
	LEAQ ·accessWord(SB), AX
	MOVQ AX, word+8(FP)
	LEAQ ·access32(SB), AX
	MOVQ AX, store+16(FP)
	LEAQ ·refused(SB), AX
	MOVQ AX, refused+24(FP)
	RET
