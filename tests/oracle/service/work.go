package main

import (
	"encoding/binary"
	"slices"
)

// A codec appends a number to a buffer. work calls one through this interface:
// almost always the varint, which is what a profile can tell the compiler.
type codec interface {
	append(buffer []byte, n uint64) []byte
}

type varint struct{}

func (varint) append(buffer []byte, n uint64) []byte {
	for n >= 0x80 {
		buffer = append(buffer, byte(n)|0x80)
		n >>= 7
	}
	return append(buffer, byte(n))
}

type fixed struct{}

func (fixed) append(buffer []byte, n uint64) []byte {
	return binary.LittleEndian.AppendUint64(buffer, n)
}

// work does the rounds and returns a checksum, so that nothing can be left out.
func work(rounds int) uint64 {
	var sum uint64
	buffer, numbers := make([]byte, 0, 1<<14), make([]uint64, 1024)
	for round := range rounds {
		fill(numbers, uint64(round)+sum)
		slices.Sort(numbers)
		buffer = encode(codecFor(round), buffer[:0], numbers)
		sum += checksum(buffer)
	}
	return sum
}

func codecFor(round int) codec {
	if round%50 == 49 {
		return fixed{}
	}
	return varint{}
}

func encode(c codec, buffer []byte, numbers []uint64) []byte {
	for _, n := range numbers {
		buffer = c.append(buffer, n)
	}
	return buffer
}

// fill makes numbers of all lengths (Marsaglia's xorshift).
func fill(numbers []uint64, seed uint64) {
	x := seed | 1
	for i := range numbers {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		numbers[i] = x >> (x % 61)
	}
}

// checksum is FNV-1a.
func checksum(data []byte) uint64 {
	sum := uint64(14695981039346656037)
	for _, b := range data {
		sum = (sum ^ uint64(b)) * 1099511628211
	}
	return sum
}
