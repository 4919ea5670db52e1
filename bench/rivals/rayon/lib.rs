// SPDX-License-Identifier: MIT
//! rayon: `join` for two, parallel iterators for several, `scope` and `spawn` for flat loads, and
//! `par_sort`, as its documentation has it (https://docs.rs/rayon/1.6.1/rayon/). Harness, data
//! and the leaves of uts and matmul are the C ones (../rayon.c): what differs is the runtime.

use rayon::prelude::*;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering::SeqCst};

static POOL: AtomicPtr<rayon::ThreadPool> = AtomicPtr::new(null_mut());

/// Between rayon_start and rayon_stop.
fn pool() -> &'static rayon::ThreadPool {
    unsafe { &*POOL.load(SeqCst) }
}

/// Runs f on the pool, and waits for it.
fn inside<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    pool().install(f)
}

#[no_mangle]
pub extern "C" fn rayon_start(workers: u32) -> bool {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(workers as usize)
        .stack_size(64 << 20) // a join runs strangers' tasks on the waiter's stack
        .build();
    match pool {
        Ok(pool) => POOL.store(Box::into_raw(Box::new(pool)), SeqCst),
        Err(_) => return false,
    }
    true
}

#[no_mangle]
pub extern "C" fn rayon_stop() {
    drop(unsafe { Box::from_raw(POOL.swap(null_mut(), SeqCst)) });
}

fn fib(n: i64) -> i64 {
    if n < 2 {
        return n;
    }
    let (left, right) = rayon::join(|| fib(n - 1), || fib(n - 2));
    left + right
}

#[no_mangle]
pub extern "C" fn rayon_fib(n: i64) -> i64 {
    inside(|| fib(n))
}

#[derive(Clone, Copy)]
struct Board([i8; 16]);

impl Board {
    fn safe(&self, row: usize, column: i32) -> bool {
        (0..row).all(|r| {
            let aside = (self.0[r] as i32 - column).abs();
            aside != 0 && aside != (row - r) as i32
        })
    }

    fn placed(mut self, row: usize, column: i32) -> Board {
        self.0[row] = column as i8;
        self
    }
}

fn nqueens(board: Board, row: usize, n: usize) -> u64 {
    if row == n {
        return 1;
    }
    (0..n as i32)
        .into_par_iter()
        .filter(|&column| board.safe(row, column))
        .map(|column| nqueens(board.placed(row, column), row + 1, n))
        .sum()
}

#[no_mangle]
pub extern "C" fn rayon_nqueens(n: i64) -> u64 {
    inside(|| nqueens(Board([0; 16]), 0, n as usize))
}

fn height(x: f64) -> f64 {
    (x * x + 1.0) * x
}

fn integrate(x1: f64, y1: f64, x2: f64, y2: f64, area: f64) -> f64 {
    let half = (x2 - x1) / 2.0;
    let x = x1 + half;
    let y = height(x);
    let left = (y1 + y) / 2.0 * half;
    let right = (y + y2) / 2.0 * half;
    if (left + right - area).abs() < 1e-9 {
        return left + right;
    }
    let (left, right) = rayon::join(
        || integrate(x1, y1, x, y, left),
        || integrate(x, y, x2, y2, right),
    );
    left + right
}

#[no_mangle]
pub extern "C" fn rayon_integrate(n: f64) -> f64 {
    inside(|| integrate(0.0, 0.0, n, height(n), 0.0))
}

fn skynet(number: u64, leaves: u64) -> u64 {
    if leaves == 1 {
        return number;
    }
    let leaves = leaves / 10;
    (0..10u64)
        .into_par_iter()
        .map(|i| skynet(number + i * leaves, leaves))
        .sum()
}

#[no_mangle]
pub extern "C" fn rayon_skynet(leaves: u64) -> u64 {
    inside(|| skynet(0, leaves))
}

/// struct node of uts.h.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Node {
    state: [u32; 5],
    depth: i32,
}

/// struct blocks of matmul.h.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Blocks {
    c: *mut f32,
    a: *const f32,
    b: *const f32,
}

// Two tasks at a time never have the same block of C.
unsafe impl Send for Blocks {}

extern "C" {
    fn leaf_uts_root(tree: i64) -> Node;
    fn leaf_uts_child(parent: *const Node, number: i32) -> Node;
    fn leaf_uts_children(tree: i64, node: *const Node) -> i32;
    fn leaf_matmul(q: Blocks, n: i64);
    fn leaf_quadrant(q: Blocks, i: i32, j: i32, k: i32, h: i64, n: i64) -> Blocks;
    fn leaf_of_child(number: u64) -> u64;
    fn leaf_of_all(children: u64) -> u64;
    fn tally_task(number: *mut c_void);
}

fn uts(node: Node, tree: i64) -> u64 {
    let children = unsafe { leaf_uts_children(tree, &node) };
    if children == 0 {
        return 1;
    }
    let below: u64 = (0..children)
        .into_par_iter()
        .map(|i| uts(unsafe { leaf_uts_child(&node, i) }, tree))
        .sum();
    1 + below
}

#[no_mangle]
pub extern "C" fn rayon_uts(tree: i64) -> u64 {
    inside(|| uts(unsafe { leaf_uts_root(tree) }, tree))
}

fn matmul(q: Blocks, size: i64, n: i64) {
    if size == 32 {
        return unsafe { leaf_matmul(q, n) };
    }
    let h = size / 2;
    for k in 0..2 {
        let part = |i, j| unsafe { leaf_quadrant(q, i, j, k, h, n) };
        let (p00, p01, p10, p11) = (part(0, 0), part(0, 1), part(1, 0), part(1, 1));
        rayon::join(
            move || rayon::join(move || matmul(p00, h, n), move || matmul(p01, h, n)),
            move || rayon::join(move || matmul(p10, h, n), move || matmul(p11, h, n)),
        );
    }
}

#[no_mangle]
pub extern "C" fn rayon_matmul(q: Blocks, n: i64) {
    inside(move || matmul(q, n, n))
}

#[no_mangle]
pub extern "C" fn rayon_leaf(n: u64) -> u64 {
    let mut of_child = vec![0; n as usize];
    let mut sum = 0;
    inside(|| {
        rayon::scope(|s| {
            for (i, out) in of_child.iter_mut().enumerate() {
                s.spawn(move |_| *out = unsafe { leaf_of_child(i as u64) });
            }
            sum = unsafe { leaf_of_all(n) };
        })
    });
    of_child.iter().fold(sum, |sum: u64, x| sum.wrapping_add(*x))
}

/// # Safety
/// v has n ints, and is nobody else's.
#[no_mangle]
pub unsafe extern "C" fn rayon_sort(v: *mut i32, n: i64) {
    let v = std::slice::from_raw_parts_mut(v, n as usize);
    inside(|| v.par_sort())
}

#[no_mangle]
pub extern "C" fn rayon_flat_fork(size: i64, in_flight: i64) -> u64 {
    inside(|| {
        let mut result = vec![0u64; in_flight as usize];
        let (mut from, mut sum) = (0, 0);
        while from < size {
            let n = in_flight.min(size - from);
            rayon::scope(|s| {
                for (i, slot) in result[..n as usize].iter_mut().enumerate() {
                    s.spawn(move |_| *slot = (from + i as i64) as u64);
                }
            });
            sum += result[..n as usize].iter().sum::<u64>();
            from += n;
        }
        sum
    })
}

#[no_mangle]
pub extern "C" fn rayon_flat_submit(size: i64) {
    inside(|| {
        rayon::scope(|s| {
            for i in 0..size {
                s.spawn(move |_| unsafe { tally_task(i as *mut c_void) });
            }
        })
    })
}

struct Argument(*mut c_void);
unsafe impl Send for Argument {}

#[no_mangle]
pub extern "C" fn rayon_post(task: extern "C" fn(*mut c_void), arg: *mut c_void) {
    let arg = Argument(arg);
    pool().spawn(move || {
        let whole = arg; // not only the pointer in it, which may not move to a thread
        task(whole.0)
    });
}
