module autopgo/oracle

go 1.25.0

// The reference everything is compared with: a later version is another reference (see README.md).
require github.com/google/pprof v0.0.0-20260709232956-b9395ee17fa0
