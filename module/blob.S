/* SPDX-License-Identifier: GPL-2.0 */
/* The application kernel's image, as the build made it (struct apk_blob). */
#include <linux/stringify.h>

	.section .rodata, "a"
	.balign 16
	.globl	apk_blob_start
apk_blob_start:
	.incbin	__stringify(APKERN_BLOB)
	.globl	apk_blob_end
apk_blob_end:

	.section .note.GNU-stack, "", @progbits
