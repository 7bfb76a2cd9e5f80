package main

import (
	"math"

	"github.com/google/pprof/profile"
)

// sampleProbes ask which samples are one, and in which order they come out.
func sampleProbes() []probe {
	one, other := cpu(nil, "1: a;main", "2: b;main"), cpu(nil, "4: c;main", "8: b;main", "16: a;main")
	return []probe{
		{"merge/order", "samples, and with them all tables, stand in the order in which they are first met", [][]byte{one, other}, steps(merge)},
		{"merge/order-reversed", "", [][]byte{other, one}, steps(merge)},
		{"merge/order-twice", "", [][]byte{other, one, other}, steps(merge)},
		{"compact/same-stack-twice", "", [][]byte{cpu(twoOfASort, "1: a;main", "2: b;main")}, steps(merge)},
		{"compact/zero-samples", "a sample of zeros goes, and what only it used", [][]byte{cpu(nil, "0: a;b", "1: c;main", "0: c;main")}, steps(merge)},
		{"parse/zero-samples", "as parsed it stays", [][]byte{cpu(nil, "0: a;b", "1: c;main")}, nil},
		{"compact/half-zero", "one value that is not zero keeps a sample", [][]byte{cpu(halfZero, "1: a;main", "2: b;main")}, steps(merge)},
		{"merge/cancel", "values that cancel out take the sample with them, and all is numbered anew",
			[][]byte{cpu(nil, "5: a;x", "1: b;main"), cpu(nil, "-5: a;x", "2: b;main")}, steps(merge)},
		{"merge/cancel-to-nothing", "nothing is left but the first mapping",
			[][]byte{cpu(nil, "5: a;x"), cpu(nil, "-5: a;x")}, steps(merge)},
		{"merge/cancel-between", "the rest keeps its order and is numbered anew",
			[][]byte{cpu(nil, "1: a;x", "1: b;y", "1: c;z"), cpu(nil, "0: a;x", "-1: b;y")}, steps(merge)},
		{"merge/wrap", "values wrap like Go's int64", [][]byte{cpu(largest, "1: a;main"), cpu(nil, "1: a;main")}, steps(merge)},
		{"merge/negative", "negative values are added as they are", [][]byte{cpu(nil, "-3: a;main"), cpu(nil, "1: a;main")}, steps(merge)},
		{"compact/empty-stack", "samples without a location are one sample", [][]byte{cpu(emptyStacks, "1: a;main", "2: b;main", "4: c;main")}, steps(merge)},
		{"compact/one-frame", "", [][]byte{cpu(nil, "1: main", "2: main")}, steps(merge)},
		{"compact/recursion", "a location may stand more than once in a stack", [][]byte{cpu(nil, "1: f;f;f;main", "2: f;f;main")}, steps(merge)},
		{"compact/deep", "a long stack is packed", [][]byte{cpu(nil, "1: a;b;c;d;e;f;g;h;i;j;k;l;m;n;o;p;q;r;s;t;u;v;w;x;y;z;main")}, steps(merge)},
	}
}

func twoOfASort(p *profile.Profile) {
	p.Sample = append(p.Sample, &profile.Sample{Location: p.Sample[0].Location, Value: []int64{4, 40}})
}

func halfZero(p *profile.Profile) { p.Sample[0].Value[0], p.Sample[1].Value[1] = 0, 0 }

func largest(p *profile.Profile) { p.Sample[0].Value = []int64{math.MaxInt64, math.MinInt64} }

func emptyStacks(p *profile.Profile) { p.Sample[0].Location, p.Sample[2].Location = nil, nil }
