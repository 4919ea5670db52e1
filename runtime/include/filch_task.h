/* SPDX-License-Identifier: MIT */
/*
 * What FILCH_TASK and its kin are made of. filch.h includes this and documents them; nothing here
 * is for a program to call, and all of it may change.
 */
#ifndef FILCH_TASK_H
#define FILCH_TASK_H

#ifndef FILCH_H
#error "include <filch.h>"
#endif

struct filch_slot_;
struct filch_stack_;

/*
 * Passed by value, so that it lives in registers; its address never escapes a task. What a call gets
 * is next_, which is top_ by another name (FILCH_NEXT_). late_ points to a variable of the task, and
 * is gone once all is inlined.
 */
typedef struct filch_frame {
	struct filch_stack_ *stack_;
	struct filch_slot_ *top_;
	struct filch_slot_ *next_;
	bool *late_; /* was the last join late? For clang: see FILCH_LATELY_ */
} filch_frame;

#define FILCH_SLOT_BYTES_ 48

/* A fork: what to call, and its arguments, later its result. A slot is one cache line. */
struct filch_slot_ {
	void (*run)(struct filch_slot_ *slot);
	void *state; /* the library's, from publication on: running, done, or who waits for it */
	char data[FILCH_SLOT_BYTES_] __attribute__((aligned(16)));
} __attribute__((aligned(64)));

/*
 * The words of a stack that forks and joins look at. Idle workers overwrite limit and bound to be
 * noticed.
 */
struct filch_stack_ {
	struct filch_slot_ *limit; /* a fork at or beyond it takes the slow path */
	struct filch_slot_ *bound; /* a join below it takes the slow path */
	struct filch_slot_ *top;   /* the first free slot, for whoever has no frame, and who raids */
};

#define FILCH_SLOW_ FILCH_API __attribute__((cold))
FILCH_SLOW_ void filch_fork_slow_(struct filch_stack_ *stack, struct filch_slot_ *top);
FILCH_SLOW_ bool filch_join_slow_(struct filch_stack_ *stack, struct filch_slot_ *slot);
FILCH_API filch_frame filch_enter_(struct filch_slot_ *slot);
FILCH_API void filch_finish_(struct filch_slot_ *slot);
FILCH_API void filch_run_(filch *rt, struct filch_slot_ *slot);

#ifdef FILCH_DEBUG
#define FILCH_CHECK_(x) ((x) ? (void)0 : __builtin_trap())
#else
#define FILCH_CHECK_(x) ((void)0)
#endif
#ifdef __cplusplus
#define FILCH_ASSERT_ static_assert
#define FILCH_ALIGNOF_ alignof
#define FILCH_TRIVIAL_(type) __is_trivially_copyable(type)
#else
#define FILCH_ASSERT_ _Static_assert
#define FILCH_ALIGNOF_ _Alignof
#define FILCH_TRIVIAL_(type) 1
#endif
#define FILCH_UNUSED_ __attribute__((unused))
#define FILCH_INLINE_ static inline __attribute__((always_inline, unused))
#define FILCH_LATE_   static FILCH_KEEPS_ __attribute__((noinline, cold, unused))

/*
 * Where a task begins matters as much as a fork costs: fib takes 1.30 ns 8, 32, 40 or 48 bytes into
 * a cache line, 1.39 at 16 or 24, and at 0 or 56 either, by process (gcc 12, Zen 5). skynet is 2 %
 * faster at 8, too. There is no attribute for that but this one: so many bytes lie before the task,
 * to be patched by whoever likes to, and its address in a section that nothing reads.
 */
#if defined(__x86_64__) && defined(__has_attribute)
#if __has_attribute(patchable_function_entry)
#define FILCH_PLACED_ __attribute__((aligned(64), patchable_function_entry(8, 8)))
#endif
#endif
#ifndef FILCH_PLACED_
#define FILCH_PLACED_ __attribute__((aligned(64)))
#endif

/*
 * clang saves every register that any path of a function needs across a call, on all paths. So the
 * calls on the slow paths save them themselves: all of them, also that of a result, hence these have
 * none.
 */
#if defined(__clang__) && defined(__x86_64__)
#define FILCH_KEEPS_ __attribute__((preserve_most))
#else
#define FILCH_KEEPS_
#endif

/*
 * Neither a slot's neighbour nor the address of a function is worth a register that has to be saved:
 * each is computed where it is needed, by what a compiler can neither share nor move out of a loop.
 * top_ stays an expression, so that a join knows the slot of its fork, and what is passed on is next_.
 */
#if defined(__x86_64__) && !defined(__code_model_large__)
#define FILCH_NEXT_(next, slot) \
	__asm__ volatile("lea{q 64(%1), %0| %0, [%1 + 64]}" : "=r"(next) : "r"(slot))
#define FILCH_SET_(p, fn) \
	__asm__ volatile("lea{q %c1(%%rip), %0| %0, [rip + %c1]}" : "=r"(p) : "i"(fn))
#else
#define FILCH_NEXT_(next, slot) ((next) = (slot) + 1)
#define FILCH_SET_(p, fn)       ((p) = (fn))
#endif

/*
 * Set top, and then see whether the slot is at or beyond this word. What was written into slots
 * comes before top, and top before the compare, though that is only the compiler's order: whoever
 * overwrites the word and then reads top, in order to take forks of a task that computes, sees to
 * the processor's (raid_forks() in raid.c). The compare is a relaxed load, spelled for x86 since gcc
 * folds neither an atomic load into a compare nor its offset into the address.
 */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FILCH_TSAN_
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(FILCH_TSAN_) /* which knows nothing of such orders */
#define FILCH_TOP_(stack, slot) __atomic_store_n(&(stack)->top, slot, __ATOMIC_RELEASE)
#else
#define FILCH_TOP_(stack, slot) \
	do { \
		__atomic_signal_fence(__ATOMIC_RELEASE); \
		*(struct filch_slot_ * volatile *)&(stack)->top = (slot); \
	} while (0)
#endif
#if defined(__x86_64__)
#define FILCH_BEYOND_(slot, stack, word, beyond) \
	__asm__ volatile("cmp{ %2, %1| %1, %2}" \
			 : "=@ccae"(beyond) \
			 : "r"(slot), "m"((stack)->word))
#else
#define FILCH_BEYOND_(slot, stack, word, beyond) \
	(__atomic_signal_fence(__ATOMIC_SEQ_CST), \
	 (beyond) = (slot) >= __atomic_load_n(&(stack)->word, __ATOMIC_RELAXED))
#endif

FILCH_LATE_ void filch_fork_late_(struct filch_stack_ *stack, struct filch_slot_ *top)
{
	filch_fork_slow_(stack, top);
}

/*
 * Fork: the slot is written first and the limit compared after, so that the slow path can publish
 * this very slot.
 */
FILCH_INLINE_ void filch_push_(filch_frame *frame, struct filch_slot_ *slot)
{
	bool beyond;

	frame->top_ = slot + 1;
	FILCH_NEXT_(frame->next_, slot);
	FILCH_TOP_(frame->stack_, frame->next_);
	FILCH_BEYOND_(slot, frame->stack_, limit, beyond);
	if (__builtin_expect(beyond, 0))
		filch_fork_late_(frame->stack_, frame->next_);
}

/*
 * For clang a join at the end of a task is a loop only if it is not also the end of a late one. So
 * the two are told apart until the task returns: then clang gives each its own end.
 */
#if defined(__clang__) && !defined(__cplusplus) /* there a cleanup asks for the C++ runtime */
#define FILCH_LATELY_(frame, is) (*(frame)->late_ = (is))
#define FILCH_ENDS_              __attribute__((cleanup(filch_end_)))
FILCH_INLINE_ void filch_end_(bool *late)
{
	if (__builtin_expect(*late, 0))
		__asm__ volatile("");
}
#else
#define FILCH_LATELY_(frame, is) ((void)0)
#define FILCH_ENDS_              FILCH_UNUSED_
#endif

/*
 * Join: true if the slot is private, and so the caller's to run. If not, name_late_() finds out: out
 * of line and with a call of its own. (Once such a branch was taken, the processor watches it, and
 * what lies close to it costs more from then on: up to a fifth of a fork.)
 */
FILCH_INLINE_ bool filch_pop_(filch_frame *frame, struct filch_slot_ *slot)
{
	bool beyond;

	FILCH_CHECK_(frame->stack_->top == frame->top_);
	frame->top_ = frame->next_ = slot;
	FILCH_TOP_(frame->stack_, slot);
	FILCH_BEYOND_(slot, frame->stack_, bound, beyond);
	FILCH_LATELY_(frame, !beyond);
	return __builtin_expect(beyond, 1);
}

/* At the end of a task: has it joined what it forked? */
#if defined(FILCH_DEBUG) && !defined(__cplusplus) /* as above */
#define FILCH_JOINED_ __attribute__((cleanup(filch_joined_)))
FILCH_INLINE_ void filch_joined_(filch_frame *frame)
{
	FILCH_CHECK_(frame->stack_->top == frame->top_);
}
#else
#define FILCH_JOINED_
#endif

/*
 * What each number of pairs makes of itself: parameters, fields, stores into the slot, loads from
 * it, names.
 */
#define FILCH_PARAMS_0_(z)
#define FILCH_PARAMS_1_(A, a, z) , A a
#define FILCH_PARAMS_2_(A, a, B, b, z) , A a, B b
#define FILCH_PARAMS_3_(A, a, B, b, C, c, z) , A a, B b, C c
#define FILCH_PARAMS_4_(A, a, B, b, C, c, D, d, z) , A a, B b, C c, D d
#define FILCH_PARAMS_5_(A, a, B, b, C, c, D, d, E, e, z) , A a, B b, C c, D d, E e
#define FILCH_PARAMS_6_(A, a, B, b, C, c, D, d, E, e, F, f, z) , A a, B b, C c, D d, E e, F f
#define FILCH_FIELDS_0_(z) char none;
#define FILCH_FIELDS_1_(A, a, z) A a;
#define FILCH_FIELDS_2_(A, a, B, b, z) A a; B b;
#define FILCH_FIELDS_3_(A, a, B, b, C, c, z) A a; B b; C c;
#define FILCH_FIELDS_4_(A, a, B, b, C, c, D, d, z) A a; B b; C c; D d;
#define FILCH_FIELDS_5_(A, a, B, b, C, c, D, d, E, e, z) A a; B b; C c; D d; E e;
#define FILCH_FIELDS_6_(A, a, B, b, C, c, D, d, E, e, F, f, z) A a; B b; C c; D d; E e; F f;
#define FILCH_STORE_(a) filch_io_->in.a = a;
#define FILCH_STORES_0_(z)
#define FILCH_STORES_1_(A, a, z) FILCH_STORE_(a)
#define FILCH_STORES_2_(A, a, B, b, z) FILCH_STORE_(a) FILCH_STORE_(b)
#define FILCH_STORES_3_(A, a, B, b, C, c, z) FILCH_STORES_2_(A, a, B, b, z) FILCH_STORE_(c)
#define FILCH_STORES_4_(A, a, B, b, C, c, D, d, z) \
	FILCH_STORES_3_(A, a, B, b, C, c, z) FILCH_STORE_(d)
#define FILCH_STORES_5_(A, a, B, b, C, c, D, d, E, e, z) \
	FILCH_STORES_4_(A, a, B, b, C, c, D, d, z) FILCH_STORE_(e)
#define FILCH_STORES_6_(A, a, B, b, C, c, D, d, E, e, F, f, z) \
	FILCH_STORES_5_(A, a, B, b, C, c, D, d, E, e, z) FILCH_STORE_(f)
#define FILCH_LOAD_(a) filch_io_->in.a
#define FILCH_LOADS_0_(z)
#define FILCH_LOADS_1_(A, a, z) , FILCH_LOAD_(a)
#define FILCH_LOADS_2_(A, a, B, b, z) , FILCH_LOAD_(a), FILCH_LOAD_(b)
#define FILCH_LOADS_3_(A, a, B, b, C, c, z) FILCH_LOADS_2_(A, a, B, b, z), FILCH_LOAD_(c)
#define FILCH_LOADS_4_(A, a, B, b, C, c, D, d, z) \
	FILCH_LOADS_3_(A, a, B, b, C, c, z), FILCH_LOAD_(d)
#define FILCH_LOADS_5_(A, a, B, b, C, c, D, d, E, e, z) \
	FILCH_LOADS_4_(A, a, B, b, C, c, D, d, z), FILCH_LOAD_(e)
#define FILCH_LOADS_6_(A, a, B, b, C, c, D, d, E, e, F, f, z) \
	FILCH_LOADS_5_(A, a, B, b, C, c, D, d, E, e, z), FILCH_LOAD_(f)

#define FILCH_NAMES_0_(z)
#define FILCH_NAMES_1_(A, a, z) , a
#define FILCH_NAMES_2_(A, a, B, b, z) , a, b
#define FILCH_NAMES_3_(A, a, B, b, C, c, z) , a, b, c
#define FILCH_NAMES_4_(A, a, B, b, C, c, D, d, z) , a, b, c, d
#define FILCH_NAMES_5_(A, a, B, b, C, c, D, d, E, e, z) , a, b, c, d, e
#define FILCH_NAMES_6_(A, a, B, b, C, c, D, d, E, e, F, f, z) , a, b, c, d, e, f

/* 0 to 6 for 3, 5, ... 15 arguments; any other number names a macro that does not exist. */
#define FILCH_PICK_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, pairs, ...) pairs
#define FILCH_PAIRS_(...) \
	FILCH_PICK_(__VA_ARGS__, 6, odd_number_of_arguments, 5, odd_number_of_arguments, 4, \
		    odd_number_of_arguments, 3, odd_number_of_arguments, 2, \
		    odd_number_of_arguments, 1, odd_number_of_arguments, 0, \
		    odd_number_of_arguments, odd_number_of_arguments, ~)
#define FILCH_CAT_(a, b) FILCH_CAT2_(a, b)
#define FILCH_CAT2_(a, b) a##b
#define FILCH_LIST_(what, n, ...) FILCH_CAT_(FILCH_CAT_(what, n), _)(__VA_ARGS__)
#define FILCH_PARAMS_(n, ...) FILCH_LIST_(FILCH_PARAMS_, n, __VA_ARGS__)
#define FILCH_FIELDS_(n, ...) FILCH_LIST_(FILCH_FIELDS_, n, __VA_ARGS__)
#define FILCH_STORES_(n, ...) FILCH_LIST_(FILCH_STORES_, n, __VA_ARGS__)
#define FILCH_LOADS_(n, ...) FILCH_LIST_(FILCH_LOADS_, n, __VA_ARGS__)
#define FILCH_NAMES_(n, ...) FILCH_LIST_(FILCH_NAMES_, n, __VA_ARGS__)

/*
 * The types and functions of one task. What becomes a function in the binary is name_task_, which
 * takes the two words of the frame apart, since gcc would put a struct together in memory for each
 * call. The program's own name() is inlined around it, and its body, as name_body_(), into it. A join
 * calls name_task_() without name(), since each step copies an argument that is a struct once more.
 */
#define FILCH_HEAD_(linkage, result, name, n, ...) \
	linkage FILCH_UNUSED_ result name##_task_( \
		struct filch_stack_ *filch_stack_, \
		struct filch_slot_ *filch_top_ FILCH_PARAMS_(n, __VA_ARGS__))

#define FILCH_PROTOTYPES_(linkage, result, name, n, ...) \
	FILCH_HEAD_(linkage, result, name, n, __VA_ARGS__); \
	FILCH_INLINE_ result name(filch_frame filch_frame_ FILCH_PARAMS_(n, __VA_ARGS__)); \
	FILCH_INLINE_ void name##_fork(filch_frame *filch_frame_ FILCH_PARAMS_(n, __VA_ARGS__)); \
	FILCH_INLINE_ result name##_join(filch_frame *filch_frame_); \
	FILCH_INLINE_ result name##_run(filch *filch_rt_ FILCH_PARAMS_(n, __VA_ARGS__))

#define FILCH_FITS_(name) \
	FILCH_ASSERT_(sizeof(union name##_io_) <= FILCH_SLOT_BYTES_, \
		      "arguments or result of task " #name " take over 48 bytes: pass a pointer"); \
	FILCH_ASSERT_(FILCH_ALIGNOF_(union name##_io_) <= 16, \
		      "task " #name ": arguments or result are aligned to over 16 bytes"); \
	FILCH_ASSERT_(FILCH_TRIVIAL_(union name##_io_), \
		      "task " #name ": arguments or result not trivially copyable: pass a pointer")

/* How a function hands on what it has called: returns is return, or nothing if that is void. */
#define FILCH_COMMON_(returns, result, name, n, ...) \
	FILCH_FITS_(name); \
	static FILCH_UNUSED_ void name##_call_(struct filch_slot_ *filch_slot_); \
	FILCH_INLINE_ void name##_put_( \
		struct filch_slot_ *filch_slot_ FILCH_PARAMS_(n, __VA_ARGS__)) \
	{ \
		union name##_io_ *filch_io_ = (union name##_io_ *)(void *)filch_slot_->data; \
		(void)filch_io_; \
		FILCH_SET_(filch_slot_->run, name##_call_); \
		FILCH_STORES_(n, __VA_ARGS__) \
	} \
	FILCH_INLINE_ result name(filch_frame filch_frame_ FILCH_PARAMS_(n, __VA_ARGS__)) \
	{ \
		returns name##_task_(filch_frame_.stack_, \
				     filch_frame_.next_ FILCH_NAMES_(n, __VA_ARGS__)); \
	} \
	FILCH_INLINE_ void name##_fork(filch_frame *filch_frame_ FILCH_PARAMS_(n, __VA_ARGS__)) \
	{ \
		struct filch_slot_ *filch_slot_ = filch_frame_->top_; \
		name##_put_(filch_slot_ FILCH_NAMES_(n, __VA_ARGS__)); \
		filch_push_(filch_frame_, filch_slot_); \
	}

#define FILCH_VALUE_(linkage, result, name, n, ...) \
	union __attribute__((may_alias)) name##_io_ { \
		struct { \
			FILCH_FIELDS_(n, __VA_ARGS__) \
		} in; \
		result out; \
	}; \
	FILCH_PROTOTYPES_(linkage, result, name, n, __VA_ARGS__); \
	FILCH_COMMON_(return, result, name, n, __VA_ARGS__) \
	static FILCH_UNUSED_ void name##_call_(struct filch_slot_ *filch_slot_) \
	{ \
		union name##_io_ *filch_io_ = (union name##_io_ *)(void *)filch_slot_->data; \
		filch_frame filch_frame_ = filch_enter_(filch_slot_); \
		filch_io_->out = name(filch_frame_ FILCH_LOADS_(n, __VA_ARGS__)); \
		filch_finish_(filch_slot_); \
	} \
	FILCH_LATE_ void name##_late_(struct filch_stack_ *filch_stack_, \
				      struct filch_slot_ *filch_slot_) \
	{ \
		union name##_io_ *filch_io_ = (union name##_io_ *)(void *)filch_slot_->data; \
		if (!filch_join_slow_(filch_stack_, filch_slot_)) \
			filch_io_->out = name##_task_( \
				filch_stack_, filch_slot_ FILCH_LOADS_(n, __VA_ARGS__)); \
	} \
	FILCH_INLINE_ result name##_join(filch_frame *filch_frame_) \
	{ \
		struct filch_slot_ *filch_slot_ = filch_frame_->top_ - 1; \
		union name##_io_ *filch_io_ = (union name##_io_ *)(void *)filch_slot_->data; \
		FILCH_CHECK_(filch_slot_->run == name##_call_); \
		(void)filch_io_; \
		if (filch_pop_(filch_frame_, filch_slot_)) \
			return name##_task_(filch_frame_->stack_, \
					    filch_frame_->next_ FILCH_LOADS_(n, __VA_ARGS__)); \
		name##_late_(filch_frame_->stack_, filch_slot_); \
		return filch_io_->out; \
	} \
	FILCH_INLINE_ result name##_run(filch *filch_rt_ FILCH_PARAMS_(n, __VA_ARGS__)) \
	{ \
		struct filch_slot_ filch_slot_; \
		name##_put_(&filch_slot_ FILCH_NAMES_(n, __VA_ARGS__)); \
		filch_run_(filch_rt_, &filch_slot_); \
		return ((union name##_io_ *)(void *)filch_slot_.data)->out; \
	} \
	FILCH_HEAD_(linkage, result, name, n, __VA_ARGS__)

#define FILCH_VOID_(linkage, name, n, ...) \
	union __attribute__((may_alias)) name##_io_ { \
		struct { \
			FILCH_FIELDS_(n, __VA_ARGS__) \
		} in; \
	}; \
	FILCH_PROTOTYPES_(linkage, void, name, n, __VA_ARGS__); \
	FILCH_COMMON_(, void, name, n, __VA_ARGS__) \
	static FILCH_UNUSED_ void name##_call_(struct filch_slot_ *filch_slot_) \
	{ \
		union name##_io_ *filch_io_ = (union name##_io_ *)(void *)filch_slot_->data; \
		filch_frame filch_frame_ = filch_enter_(filch_slot_); \
		(void)filch_io_; \
		name(filch_frame_ FILCH_LOADS_(n, __VA_ARGS__)); \
		filch_finish_(filch_slot_); \
	} \
	FILCH_LATE_ void name##_late_(struct filch_stack_ *filch_stack_, \
				      struct filch_slot_ *filch_slot_) \
	{ \
		union name##_io_ *filch_io_ = (union name##_io_ *)(void *)filch_slot_->data; \
		(void)filch_io_; \
		if (!filch_join_slow_(filch_stack_, filch_slot_)) \
			name##_task_(filch_stack_, filch_slot_ FILCH_LOADS_(n, __VA_ARGS__)); \
	} \
	FILCH_INLINE_ void name##_join(filch_frame *filch_frame_) \
	{ \
		struct filch_slot_ *filch_slot_ = filch_frame_->top_ - 1; \
		union name##_io_ *filch_io_ = (union name##_io_ *)(void *)filch_slot_->data; \
		FILCH_CHECK_(filch_slot_->run == name##_call_); \
		(void)filch_io_; \
		if (filch_pop_(filch_frame_, filch_slot_)) \
			name##_task_(filch_frame_->stack_, \
				     filch_frame_->next_ FILCH_LOADS_(n, __VA_ARGS__)); \
		else \
			name##_late_(filch_frame_->stack_, filch_slot_); \
	} \
	FILCH_INLINE_ void name##_run(filch *filch_rt_ FILCH_PARAMS_(n, __VA_ARGS__)) \
	{ \
		struct filch_slot_ filch_slot_; \
		name##_put_(&filch_slot_ FILCH_NAMES_(n, __VA_ARGS__)); \
		filch_run_(filch_rt_, &filch_slot_); \
	} \
	FILCH_HEAD_(linkage, void, name, n, __VA_ARGS__)

#define FILCH_BODY_(returns, linkage, result, name, frame, n, ...) \
	FILCH_INLINE_ result name##_body_(filch_frame FILCH_PARAMS_(n, __VA_ARGS__)); \
	FILCH_PLACED_ FILCH_HEAD_(linkage, result, name, n, __VA_ARGS__) \
	{ \
		FILCH_ENDS_ bool filch_late_ = false; \
		FILCH_JOINED_ filch_frame filch_frame_ = { filch_stack_, filch_top_, filch_top_, \
							   &filch_late_ }; \
		returns name##_body_(filch_frame_ FILCH_NAMES_(n, __VA_ARGS__)); \
	} \
	FILCH_INLINE_ result name##_body_( \
		FILCH_UNUSED_ filch_frame frame FILCH_PARAMS_(n, __VA_ARGS__))

#define FILCH_TASK(...) FILCH_TASK_(FILCH_PAIRS_(__VA_ARGS__), __VA_ARGS__, ~)
#define FILCH_TASK_(n, result, name, frame, ...) \
	FILCH_VALUE_(static, result, name, n, __VA_ARGS__); \
	FILCH_BODY_(return, static, result, name, frame, n, __VA_ARGS__)
#define FILCH_VOID_TASK(...) FILCH_VOID_TASK_(FILCH_PAIRS_(void, __VA_ARGS__), __VA_ARGS__, ~)
#define FILCH_VOID_TASK_(n, name, frame, ...) \
	FILCH_VOID_(static, name, n, __VA_ARGS__); \
	FILCH_BODY_(, static, void, name, frame, n, __VA_ARGS__)

#define FILCH_TASK_FORWARD(...) FILCH_FORWARD_(FILCH_PAIRS_(~, __VA_ARGS__), __VA_ARGS__, ~)
#define FILCH_VOID_TASK_FORWARD(...) \
	FILCH_FORWARD_(FILCH_PAIRS_(~, void, __VA_ARGS__), void, __VA_ARGS__, ~)
#define FILCH_FORWARD_(n, result, name, ...) FILCH_PROTOTYPES_(static, result, name, n, __VA_ARGS__)

#define FILCH_TASK_DECLARE(...) FILCH_DECLARE_(FILCH_PAIRS_(~, __VA_ARGS__), __VA_ARGS__, ~)
#define FILCH_DECLARE_(n, result, name, ...) FILCH_VALUE_(extern, result, name, n, __VA_ARGS__)
#define FILCH_VOID_TASK_DECLARE(...) \
	FILCH_VOID_DECLARE_(FILCH_PAIRS_(~, ~, __VA_ARGS__), __VA_ARGS__, ~)
#define FILCH_VOID_DECLARE_(n, name, ...) FILCH_VOID_(extern, name, n, __VA_ARGS__)

#define FILCH_TASK_DEFINE(...) FILCH_DEFINE_(FILCH_PAIRS_(__VA_ARGS__), __VA_ARGS__, ~)
#define FILCH_DEFINE_(n, result, name, frame, ...) \
	FILCH_BODY_(return, , result, name, frame, n, __VA_ARGS__)
#define FILCH_VOID_TASK_DEFINE(...) \
	FILCH_VOID_DEFINE_(FILCH_PAIRS_(void, __VA_ARGS__), __VA_ARGS__, ~)
#define FILCH_VOID_DEFINE_(n, name, frame, ...) \
	FILCH_BODY_(, , void, name, frame, n, __VA_ARGS__)

#endif
