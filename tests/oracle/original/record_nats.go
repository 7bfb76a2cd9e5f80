package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
)

// A natsMessage is what stands on the wire behind PUB or HPUB.
type natsMessage struct {
	Subject string `json:"subject"`
	// Headers as they stand, with their first line; none behind PUB.
	Headers string `json:"headers,omitempty"`
	// Payload is base64.
	Payload []byte `json:"payload"`
}

// recordNats publishes in both versions of the encoding, without metadata, as the
// original does, and with.
func recordNats(ctx context.Context) (map[string]any, error) {
	came, err := natsServer()
	if err != nil {
		return nil, err
	}
	events, err := examples()
	if err != nil {
		return nil, err
	}
	files := map[string]any{}
	record := func(name, why, url string, metadata map[string]string, e example) error {
		body, err := say(ctx, url, metadata, e)
		if err != nil {
			return err
		}
		files[name] = fixture{why, <-came, body}
		return nil
	}
	for _, version := range []struct{ name, url string }{{"v1", "nats://profile"}, {"v2", "nats://profile?natsv2=true"}} {
		for _, e := range events {
			if err := record(version.name+"-"+e.name, "as the original publishes it", version.url, nil, e); err != nil {
				return nil, err
			}
		}
		// One, for a map has no order. Its characters are those that headers cannot have.
		metadata := map[string]string{"größe": "100 %: viel\r\n"}
		why := "with metadata, which the original never sets"
		if err := record(version.name+"-metadata", why, version.url, metadata, events[0]); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// natsServer takes what is published and hands it on. It ends with the process.
func natsServer() (<-chan natsMessage, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	came := make(chan natsMessage, 16)
	go func() {
		connection, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		if err := natsServe(connection, came); err != nil && err != io.EOF {
			panic(err)
		}
	}()
	return came, os.Setenv("NATS_SERVER_URL", listener.Addr().String())
}

func natsServe(connection net.Conn, came chan<- natsMessage) error {
	fmt.Fprint(connection, `INFO {"server_id":"r","version":"2.10.0","proto":1,"headers":true,"max_payload":1048576}`, "\r\n")
	in := bufio.NewReader(connection)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		words := strings.Fields(line)
		switch words[0] {
		case "PING":
			fmt.Fprint(connection, "PONG\r\n")
		case "PUB", "HPUB":
			numbers := words[2:]
			all, err := strconv.Atoi(numbers[len(numbers)-1])
			if err != nil {
				return err
			}
			headers := 0
			if words[0] == "HPUB" {
				if headers, err = strconv.Atoi(numbers[0]); err != nil {
					return err
				}
			}
			both := make([]byte, all+len("\r\n"))
			if _, err := io.ReadFull(in, both); err != nil {
				return err
			}
			came <- natsMessage{words[1], string(both[:headers]), both[headers:all]}
		}
	}
}
