// Command service is something to profile: a small HTTP service with Go's own
// profiling endpoints and work that a profile-guided build makes faster.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	_ "net/http/pprof" // serves /debug/pprof/ on the default mux
	"strconv"
)

// maxRounds bounds one request to a few seconds of work.
const maxRounds = 100_000

func main() {
	address := flag.String("address", "127.0.0.1:0", "the `host:port` to listen on, port 0 for any free one")
	flag.Parse()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	// The one line on stdout: who started us with port 0 reads it from there.
	fmt.Println(listener.Addr())
	http.HandleFunc("/work", serveWork)
	log.Fatal(http.Serve(listener, nil))
}

// serveWork works ?rounds= times (100 by default) and answers the checksum.
func serveWork(w http.ResponseWriter, r *http.Request) {
	rounds := 100
	if text := r.URL.Query().Get("rounds"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > maxRounds {
			http.Error(w, fmt.Sprintf("rounds must be a number from 0 to %d", maxRounds), http.StatusBadRequest)
			return
		}
		rounds = n
	}
	fmt.Fprintf(w, "%016x\n", work(rounds))
}
