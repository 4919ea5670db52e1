// SPDX-License-Identifier: MIT

// Goroutines that are waited for by a sync.WaitGroup, and channels, as
// https://go.dev/doc/effective_go#goroutines has it. Harness and data are the C ones (../go.c).
// What would have to come in from foreign threads is left out: it would measure cgo.
package main

/*
#cgo CFLAGS: -O2
#include <stdint.h>
*/
import "C"

import (
	"crypto/sha1"
	"encoding/binary"
	"math"
	"runtime"
	"sort"
	"sync"
	"unsafe"
)

func main() {} // never called: this is an archive

//export go_start
func go_start(workers C.uint) {
	runtime.GOMAXPROCS(int(workers))
}

// inside runs f on a goroutine of Go's own, and waits: one that C called holds its thread, and each
// switch to it would be one of threads.
func inside[T any](f func() T) T {
	result := make(chan T)
	go func() { result <- f() }()
	return <-result
}

// join runs both, and waits for both.
func join(one, other func()) {
	var group sync.WaitGroup
	group.Add(1)
	go func() {
		one()
		group.Done()
	}()
	other()
	group.Wait()
}

func fib(n int64) int64 {
	if n < 2 {
		return n
	}
	var left, right int64
	join(func() { left = fib(n - 1) }, func() { right = fib(n - 2) })
	return left + right
}

//export go_fib
func go_fib(n int64) int64 {
	return inside(func() int64 { return fib(n) })
}

// sum runs f(0) to f(n - 1) at once, and adds up what they return.
func sum(n int, f func(int) uint64) uint64 {
	var group sync.WaitGroup
	result := make([]uint64, n)
	group.Add(n)
	for i := 0; i < n; i++ {
		go func(i int) {
			result[i] = f(i)
			group.Done()
		}(i)
	}
	group.Wait()
	total := uint64(0)
	for _, r := range result {
		total += r
	}
	return total
}

type board [16]int8

func (b *board) safe(row, column int) bool {
	for r := 0; r < row; r++ {
		aside := int(b[r]) - column
		if aside == 0 || aside == row-r || aside == r-row {
			return false
		}
	}
	return true
}

func nqueens(b board, row, n int) uint64 {
	if row == n {
		return 1
	}
	next := make([]board, 0, 16)
	for column := 0; column < n; column++ {
		if b.safe(row, column) {
			next = append(next, b)
			next[len(next)-1][row] = int8(column)
		}
	}
	return sum(len(next), func(i int) uint64 { return nqueens(next[i], row+1, n) })
}

//export go_nqueens
func go_nqueens(n int64) uint64 {
	return inside(func() uint64 { return nqueens(board{}, 0, int(n)) })
}

func height(x float64) float64 {
	return (x*x + 1) * x
}

func integrate(x1, y1, x2, y2, area float64) float64 {
	half := (x2 - x1) / 2
	x := x1 + half
	y := height(x)
	left, right := (y1+y)/2*half, (y+y2)/2*half
	if math.Abs(left+right-area) < 1e-9 {
		return left + right
	}
	l, r := left, right
	join(func() { l = integrate(x1, y1, x, y, left) }, func() { r = integrate(x, y, x2, y2, right) })
	return l + r
}

//export go_integrate
func go_integrate(n float64) float64 {
	return inside(func() float64 { return integrate(0, 0, n, height(n), 0) })
}

func skynet(number, leaves uint64) uint64 {
	if leaves == 1 {
		return number
	}
	leaves /= 10
	return sum(10, func(i int) uint64 { return skynet(number+uint64(i)*leaves, leaves) })
}

//export go_skynet
func go_skynet(leaves uint64) uint64 {
	return inside(func() uint64 { return skynet(0, leaves) })
}

type node struct {
	state [sha1.Size]byte
	depth int
}

func (parent *node) child(number int) node {
	var message [sha1.Size + 4]byte
	copy(message[:], parent.state[:])
	binary.BigEndian.PutUint32(message[sha1.Size:], uint32(number))
	return node{sha1.Sum(message[:]), parent.depth + 1}
}

func (n *node) children(tree int64) int {
	chance := float64(binary.BigEndian.Uint32(n.state[16:])&0x7fffffff) / (1 << 31)
	switch {
	case tree == 3 && n.depth == 0:
		return 2000
	case tree == 3 && chance < 0.124875:
		return 8
	case tree == 3 || n.depth >= 10:
		return 0
	}
	return int(math.Log(1-chance) / math.Log(1-1/(1+4.0)))
}

func uts(n node, tree int64) uint64 {
	children := n.children(tree)
	if children == 0 {
		return 1
	}
	return 1 + sum(children, func(i int) uint64 { return uts(n.child(i), tree) })
}

//export go_uts
func go_uts(tree int64) uint64 {
	var seed [20]byte
	seed[19] = 42
	if tree == 1 {
		seed[19] = 19
	}
	return inside(func() uint64 { return uts(node{sha1.Sum(seed[:]), 0}, tree) })
}

const sortLeaf = 4096

func mergeSort(v, spare []int32) {
	if len(v) <= sortLeaf {
		sort.Slice(v, func(i, j int) bool { return v[i] < v[j] })
		return
	}
	half := len(v) / 2
	join(func() { mergeSort(v[:half], spare[:half]) }, func() { mergeSort(v[half:], spare[half:]) })
	copy(spare, v[:half])
	left, right := 0, half
	for to := 0; left < half; to++ {
		if right == len(v) || spare[left] <= v[right] {
			v[to] = spare[left]
			left++
		} else {
			v[to] = v[right]
			right++
		}
	}
}

//export go_sort
func go_sort(v, spare *int32, n int64) {
	inside(func() int { mergeSort(unsafe.Slice(v, n), unsafe.Slice(spare, n)); return 0 })
}

func flatFork(size, inFlight int64) uint64 {
	total := uint64(0)
	for from := int64(0); from < size; from += inFlight {
		n := inFlight
		if size-from < n {
			n = size - from
		}
		total += sum(int(n), func(i int) uint64 { return uint64(from) + uint64(i) })
	}
	return total
}

//export go_flat_fork
func go_flat_fork(size, inFlight int64) uint64 {
	return inside(func() uint64 { return flatFork(size, inFlight) })
}

//go:noinline
func yields(n int64) (count uint64) {
	for ; int64(count) < n; count++ {
		runtime.Gosched()
	}
	return
}

//export go_switch
func go_switch(n int64) uint64 {
	return inside(func() uint64 {
		var one, other uint64
		join(func() { one = yields(n / 2) }, func() { other = yields(n - n/2) })
		return one + other
	})
}

func receive(items chan uint64) (sum uint64) {
	for item := range items {
		sum += item
	}
	return
}

//export go_chan
func go_chan(n, capacity int64) uint64 {
	items := make(chan uint64, capacity)
	go func() {
		for i := uint64(0); i < uint64(n); i++ {
			items <- i
		}
		close(items)
	}()
	return inside(func() uint64 { return receive(items) })
}

func rally(n uint64, ping, pong chan struct{}) (rounds uint64) {
	for ; rounds < n; rounds++ {
		ping <- struct{}{}
		<-pong
	}
	close(ping)
	return
}

//export go_pingpong
func go_pingpong(n int64) uint64 {
	ping, pong := make(chan struct{}), make(chan struct{})
	go func() {
		for range ping {
			pong <- struct{}{}
		}
	}()
	return inside(func() uint64 { return rally(uint64(n), ping, pong) })
}
