// SP at a frame.
#define SAVE_GENERAL \
	MOVQ R15, frame_Regs+regs_R15(SP); \
	MOVQ R14, frame_Regs+regs_R14(SP); \
	MOVQ R13, frame_Regs+regs_R13(SP); \
	MOVQ R12, frame_Regs+regs_R12(SP); \
	MOVQ R11, frame_Regs+regs_R11(SP); \
	MOVQ R10, frame_Regs+regs_R10(SP); \
	MOVQ R9, frame_Regs+regs_R9(SP); \
	MOVQ R8, frame_Regs+regs_R8(SP); \
	MOVQ BP, frame_Regs+regs_RBP(SP); \
	MOVQ DI, frame_Regs+regs_RDI(SP); \
	MOVQ SI, frame_Regs+regs_RSI(SP); \
	MOVQ DX, frame_Regs+regs_RDX(SP); \
	MOVQ CX, frame_Regs+regs_RCX(SP); \
	MOVQ BX, frame_Regs+regs_RBX(SP); \
	MOVQ AX, frame_Regs+regs_RAX(SP)

#define LOAD_GENERAL \
	MOVQ frame_Regs+regs_R15(SP), R15; \
	MOVQ frame_Regs+regs_R14(SP), R14; \
	MOVQ frame_Regs+regs_R13(SP), R13; \
	MOVQ frame_Regs+regs_R12(SP), R12; \
	MOVQ frame_Regs+regs_R11(SP), R11; \
	MOVQ frame_Regs+regs_R10(SP), R10; \
	MOVQ frame_Regs+regs_R9(SP), R9; \
	MOVQ frame_Regs+regs_R8(SP), R8; \
	MOVQ frame_Regs+regs_RBP(SP), BP; \
	MOVQ frame_Regs+regs_RDI(SP), DI; \
	MOVQ frame_Regs+regs_RSI(SP), SI; \
	MOVQ frame_Regs+regs_RDX(SP), DX; \
	MOVQ frame_Regs+regs_RCX(SP), CX; \
	MOVQ frame_Regs+regs_RBX(SP), BX; \
	MOVQ frame_Regs+regs_RAX(SP), AX

// VERW clears the processor's buffers where it needs that; only its memory form
// does. The last thing before user mode.
#define CLEAR_BUFFERS \
	TESTL $const_featVERW, const_configBase+config_Features; \
	JZ    2(PC); \
	VERW  const_privateBase+private_KernelDS

// What the user had there is in the frame, and is neither to steer what the kernel
// speculates nor to lie on a stack that another thread's user mode has mapped. AX
// and BP follow, R12 and DX as well (CALL_GO).
#define CLEAR_GENERAL \
	XORL BX, BX; \
	XORL CX, CX; \
	XORL SI, SI; \
	XORL DI, DI; \
	XORL R8, R8; \
	XORL R9, R9; \
	XORL R10, R10; \
	XORL R11, R11; \
	XORL R13, R13; \
	XORL R15, R15

#define SAVE_XMM \
	MOVUPS X0, frame_XMM+0x00(SP); \
	MOVUPS X1, frame_XMM+0x10(SP); \
	MOVUPS X2, frame_XMM+0x20(SP); \
	MOVUPS X3, frame_XMM+0x30(SP); \
	MOVUPS X4, frame_XMM+0x40(SP); \
	MOVUPS X5, frame_XMM+0x50(SP); \
	MOVUPS X6, frame_XMM+0x60(SP); \
	MOVUPS X7, frame_XMM+0x70(SP); \
	MOVUPS X8, frame_XMM+0x80(SP); \
	MOVUPS X9, frame_XMM+0x90(SP); \
	MOVUPS X10, frame_XMM+0xa0(SP); \
	MOVUPS X11, frame_XMM+0xb0(SP); \
	MOVUPS X12, frame_XMM+0xc0(SP); \
	MOVUPS X13, frame_XMM+0xd0(SP); \
	MOVUPS X14, frame_XMM+0xe0(SP); \
	MOVUPS X15, frame_XMM+0xf0(SP)

#define LOAD_XMM \
	MOVUPS frame_XMM+0x00(SP), X0; \
	MOVUPS frame_XMM+0x10(SP), X1; \
	MOVUPS frame_XMM+0x20(SP), X2; \
	MOVUPS frame_XMM+0x30(SP), X3; \
	MOVUPS frame_XMM+0x40(SP), X4; \
	MOVUPS frame_XMM+0x50(SP), X5; \
	MOVUPS frame_XMM+0x60(SP), X6; \
	MOVUPS frame_XMM+0x70(SP), X7; \
	MOVUPS frame_XMM+0x80(SP), X8; \
	MOVUPS frame_XMM+0x90(SP), X9; \
	MOVUPS frame_XMM+0xa0(SP), X10; \
	MOVUPS frame_XMM+0xb0(SP), X11; \
	MOVUPS frame_XMM+0xc0(SP), X12; \
	MOVUPS frame_XMM+0xd0(SP), X13; \
	MOVUPS frame_XMM+0xe0(SP), X14; \
	MOVUPS frame_XMM+0xf0(SP), X15

// Call the function in a Go function variable that uses general registers only:
// the user's vector registers and FS base stay. Arguments are in AX, BX and CX, the
// result comes in AX. The callee may spill its register arguments above the return
// address, which is what the room on the stack is for.
#define CALL_PLAIN(fn) \
	MOVQ  $const_privateBase, R14; \
	XORL  BP, BP; \
	SUBQ  $32, SP; \
	MOVQ  fn, DX; \
	MOVQ  (DX), R12; \
	CALL  R12; \
	ADDQ  $32, SP

// The same for any function: compiled code takes X15 for zero.
#define CALL_GO(fn) \
	XORPS X15, X15; \
	CALL_PLAIN(fn)

// Close the user's pages: RFLAGS.AC, which a trap leaves as the user had it,
// would open them to ring 0. CLAC exists only where SMAP does.
#define CLOSE_USER \
	TESTL $const_cr4SMAP, const_configBase+config_CR4; \
	JZ    2(PC); \
	CLAC
