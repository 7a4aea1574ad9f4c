#include "textflag.h"

// What the kernel fills in: struct sigaction of <asm/signal.h>.
GLOBL action<>(SB), NOPTR, $32

// Entry is the process's entry point, in front of the Go runtime's, when the
// program is linked with -E apkern/internal/launch.Entry. It notes in ·ignored
// and ·blocked which signals the process was started with so: the runtime
// installs handlers of its own and unblocks some, and does not tell.
//
// The kernel enters with the argument count at 0(SP) and nothing that matters
// in the registers; SP goes on unchanged to the runtime's entry. There is no g
// and no stack check here.
TEXT ·Entry(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	MOVQ	$14, AX			// rt_sigprocmask(SIG_BLOCK, NULL, &blocked, 8)
	XORL	DI, DI
	XORL	SI, SI
	LEAQ	·blocked(SB), DX
	MOVQ	$8, R10
	SYSCALL
	MOVQ	$1, ·entered(SB)
	MOVQ	$1, BX			// signal number

next:
	MOVQ	$13, AX			// rt_sigaction(signal, NULL, &action, 8)
	MOVQ	BX, DI
	XORL	SI, SI
	LEAQ	action<>(SB), DX
	MOVQ	$8, R10
	SYSCALL
	TESTQ	AX, AX
	JNZ	other
	CMPQ	action<>(SB), $1		// SIG_IGN
	JNE	other
	LEAQ	-1(BX), CX
	BTSQ	CX, ·ignored(SB)

other:
	INCQ	BX
	CMPQ	BX, $64
	JLE	next
	JMP	_rt0_amd64_linux(SB)
