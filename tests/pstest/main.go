// Pub/Sub in one process, as Google itself tries its Go client on it: what `tests/services` starts for the tests of
// `gcppubsub://`. It keeps everything in memory, and lasts until it is killed.
//
//	pstest 127.0.0.1:8085
package main

import (
	"fmt"
	"os"
	"time"

	"cloud.google.com/go/pubsub/v2/pstest"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: pstest HOST:PORT")
		os.Exit(2)
	}
	// Google's own least is 10 s, for which tests would wait long.
	pstest.SetMinAckDeadline(time.Second)
	pstest.NewServerWithAddress(os.Args[1])
	select {}
}
