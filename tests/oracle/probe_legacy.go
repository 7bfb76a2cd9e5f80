package main

import "encoding/binary"

// legacyProbes are the formats before the protobuf one. google/pprof still
// reads them; the Go compiler does not.
func legacyProbes() []probe {
	return []probe{
		old("cpu-64-little", "binary CPU profile", cpuProfilez(8, binary.LittleEndian, false)),
		old("cpu-64-big", "", cpuProfilez(8, binary.BigEndian, false)),
		old("cpu-32-little", "", cpuProfilez(4, binary.LittleEndian, false)),
		old("cpu-32-big", "", cpuProfilez(4, binary.BigEndian, false)),
		old("cpu-java", "binary CPU profile of a Java process", append(cpuProfilez(8, binary.LittleEndian, true), "0x1234 com.example.Main.run (Main.java:7)\n"...)),
		old("cpu-cut", "the header alone", cpuProfilez(8, binary.LittleEndian, false)[:40]),
		old("heap", "", []byte("heap profile: 1: 32 [2: 64] @ heapprofile\n1: 32 [2: 64] @ 0x1000 0x2000\n")),
		old("heap-v2", "sampled", []byte("heap profile: 1: 32 [2: 64] @ heap_v2/524288\n1: 32 [2: 64] @ 0x1000 0x2000\n")),
		old("heap-growth", "", []byte("heap profile: 1: 32 [1: 32] @ growthz\n1: 32 [1: 32] @ 0x1000\n")),
		old("heap-fragmentation", "", []byte("heap profile: 1: 32 [1: 32] @ fragmentationz\n1: 32 [1: 32] @ 0x1000\n")),
		old("goroutine", "what ?debug=1 answers", []byte("goroutine profile: total 2\n2 @ 0x1000 0x2000\n#\t0x1000\tmain.main+0x10\t/app/main.go:3\n")),
		old("threadcreate", "", []byte("threadcreate profile: total 1\n1 @ 0x1000\n")),
		old("goroutine-stacks", "what ?debug=2 answers is no profile at all", []byte("goroutine 1 [running]:\nmain.main()\n\t/app/main.go:3 +0x10\n")),
		old("contention", "", []byte("--- contentionz 1 ---\ncycles/second = 1000000000\nsampling period = 1\nms since reset = 5\n100 2 @ 0x1000 0x2000\n")),
		old("mutex", "what ?debug=1 answers for mutexes", []byte("--- mutex:\ncycles/second=1000000000\nsampling period=1\n100 2 @ 0x1000 0x2000\n")),
		old("thread", "", []byte("--- threadz 1 ---\n\n--- Thread 7f00 (name: main/1) stack: ---\n  PC: 0x1000 0x2000\n\n--- Memory map: ---\n")),
		old("java-heap", "", []byte("--- heapz 1 ---\nformat = java\nresolution = bytes\n1 32 @ 0x1000\n0x1000 com.example.Main.run (Main.java:7)\n")),
	}
}

func old(name, note string, data []byte) probe {
	return probe{name: "legacy/" + name, note: note, inputs: [][]byte{data}}
}

// cpuProfilez is one sample of two frames, 5 times, at 100 Hz, in words of the
// given size: header (0, 3, version, period in µs, 0), sample (count, depth,
// addresses), trailer (0, 1, 0). Version 1 is Java's.
func cpuProfilez(size int, order binary.AppendByteOrder, java bool) []byte {
	words := []uint64{0, 3, 0, 10_000, 0, 5, 2, 0x1000, 0x2000, 0, 1, 0}
	if java {
		words[2] = 1
	}
	var data []byte
	for _, w := range words {
		if size == 4 {
			data = order.AppendUint32(data, uint32(w))
		} else {
			data = order.AppendUint64(data, w)
		}
	}
	return data
}
