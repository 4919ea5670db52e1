/* SPDX-License-Identifier: MIT */
/*
 * void filch_switch_(void **save, void *to)
 *
 * Keep what the System V ABI says a function keeps, store the stack pointer in *save, go on where "to" was saved. The
 * floating-point environment belongs to the thread and is left alone. The CFI holds on both sides of the switch, since
 * both stacks have the same shape here.
 */
	.text
	.globl	filch_switch_
	.hidden	filch_switch_
	.type	filch_switch_, @function
	.p2align 4
filch_switch_:
	.cfi_startproc
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbp, 0
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbx, 0
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r12, 0
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r13, 0
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r14, 0
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r15, 0
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore r15
	popq	%r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore r14
	popq	%r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore r13
	popq	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore r12
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbx
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbp
	ret
	.cfi_endproc
	.size	filch_switch_, .-filch_switch_

/* Where a new stack begins: rbx has the function, r12 its argument; there is no caller, and unwinding ends here. */
	.globl	filch_begin_
	.hidden	filch_begin_
	.type	filch_begin_, @function
	.p2align 4
filch_begin_:
	.cfi_startproc
	.cfi_undefined rip
	movq	%r12, %rdi
	callq	*%rbx
	ud2
	.cfi_endproc
	.size	filch_begin_, .-filch_begin_

	.section .note.GNU-stack,"",@progbits
