//go:build metal

#include "textflag.h"
#include "go_asm.h"
#include "macros_amd64.h"

// Store CX at the user's address in AX, unless that is null.
#define PUT(refused) \
	TESTQ AX, AX; \
	JZ    4(PC); \
	CALL  apkern∕kernel∕uaccess·put(SB); \
	TESTL DX, DX; \
	JZ    refused

// syscall: LSTAR. RCX = next instruction, R11 = flags, SP is the user's, all
// others as they were. Builds the frame a trap would have left, with the
// address of the instruction itself: the thread executes it again at home. Before
// that, what can be answered with general registers only is: FMASK has cleared AC
// and DF, and package answer has looked at the address and the flags that SYSRET
// takes from RCX and R11. An NMI or a machine check on the user's stack pointer has
// a stack of its own.
//
// What nobody answers here goes home at once, its extended state to the slot without a
// stop in the frame.
TEXT ·syscall(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ SP, const_privateBase+private_UserSP
	MOVQ $const_userFrame, SP
	SAVE_GENERAL
	LEAQ -2(CX), AX
	MOVQ AX, frame_Regs+regs_RIP(SP)
	MOVQ R11, frame_Regs+regs_RFlags(SP)
	MOVQ const_privateBase+private_UserSP, AX
	MOVQ AX, frame_Regs+regs_RSP(SP)
	MOVQ $const_vecSyscall, frame_Regs+regs_Vector(SP)
	MOVQ $0, frame_Regs+regs_Err(SP)
	MOVQ $const_userCS, frame_Regs+regs_CS(SP)
	MOVQ $const_userSS, frame_Regs+regs_SS(SP)
	CLEAR_GENERAL
	MOVQ SP, AX
	CALL_PLAIN(·firstFn(SB))
	CMPL AX, $const_answered
	JEQ  answered
	JCS  declined
	CMPL AX, $const_unanswered
	JEQ  forward
	MOVL const_configBase+config_LinuxCPU, CX
	MOVQ frame_Regs+regs_RDI(SP), AX
	PUT(declined)
	XORL CX, CX
	MOVQ frame_Regs+regs_RSI(SP), AX
	PUT(declined)
	INCQ const_statGetcpu
	MOVQ $0, frame_Regs+regs_RAX(SP)
answered:
	LOAD_GENERAL
	CLEAR_BUFFERS
	MOVQ frame_Regs+regs_RSP(SP), SP
	BYTE $0x48; SYSRET
declined:
	JMP  ·dispatch(SB)
forward:
	RDFSBASEQ AX
	MOVQ AX, frame_FSBase(SP)
	MOVQ $const_kernelFS, AX
	WRFSBASEQ AX
	MOVQ const_slotXMask, AX
	MOVQ $const_fpuArea, CX
	CALL apkern∕kernel∕cpu·saveExtended(SB)
	CALL_GO(·callFn(SB))
	JMP  ·park(SB)
