/* SPDX-License-Identifier: MIT */
/*
 * void filch_switch_(void **save, void *to)
 *
 * Keep what the procedure call standard says a function keeps (x19 to x30, d8 to d15), store the stack pointer in *save, go
 * on where "to" was saved. The floating-point environment belongs to the thread and is left alone.
 */
	.text
	.globl	filch_switch_
	.hidden	filch_switch_
	.type	filch_switch_, %function
	.p2align 4
filch_switch_:
	.cfi_startproc
	stp	x29, x30, [sp, #-160]!
	.cfi_adjust_cfa_offset 160
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	stp	x19, x20, [sp, #16]
	.cfi_rel_offset x19, 16
	.cfi_rel_offset x20, 24
	stp	x21, x22, [sp, #32]
	.cfi_rel_offset x21, 32
	.cfi_rel_offset x22, 40
	stp	x23, x24, [sp, #48]
	.cfi_rel_offset x23, 48
	.cfi_rel_offset x24, 56
	stp	x25, x26, [sp, #64]
	.cfi_rel_offset x25, 64
	.cfi_rel_offset x26, 72
	stp	x27, x28, [sp, #80]
	.cfi_rel_offset x27, 80
	.cfi_rel_offset x28, 88
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	mov	x9, sp
	str	x9, [x0]
	mov	sp, x1
	ldp	d14, d15, [sp, #144]
	ldp	d12, d13, [sp, #128]
	ldp	d10, d11, [sp, #112]
	ldp	d8, d9, [sp, #96]
	ldp	x27, x28, [sp, #80]
	ldp	x25, x26, [sp, #64]
	ldp	x23, x24, [sp, #48]
	ldp	x21, x22, [sp, #32]
	ldp	x19, x20, [sp, #16]
	ldp	x29, x30, [sp], #160
	.cfi_adjust_cfa_offset -160
	ret
	.cfi_endproc
	.size	filch_switch_, .-filch_switch_

/* Where a new stack begins: x19 has the function, x20 its argument; there is no caller, and unwinding ends here. */
	.globl	filch_begin_
	.hidden	filch_begin_
	.type	filch_begin_, %function
	.p2align 4
filch_begin_:
	.cfi_startproc
	.cfi_undefined x30
	mov	x0, x20
	blr	x19
	brk	#1
	.cfi_endproc
	.size	filch_begin_, .-filch_begin_

	.section .note.GNU-stack,"",%progbits
