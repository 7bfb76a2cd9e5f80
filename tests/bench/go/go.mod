module autopgo/bench

go 1.25.0

// The same version as in tests/oracle: the reference for answers is the reference for speed.
require github.com/google/pprof v0.0.0-20260709232956-b9395ee17fa0
