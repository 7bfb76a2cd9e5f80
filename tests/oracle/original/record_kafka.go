package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"

	"github.com/IBM/sarama"
)

const (
	kafkaTopic = "profile"
	partitions = 12
)

// A kafkaMessage is what a produce request has on the wire.
type kafkaMessage struct {
	ClientID  string `json:"clientId"`
	Acks      int16  `json:"acks"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Of is how many partitions there are.
	Of         int32         `json:"of"`
	Attributes int16         `json:"attributes"`
	Key        *string       `json:"key"`
	Value      string        `json:"value"`
	Headers    []kafkaHeader `json:"headers"`
}

type kafkaHeader struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// recordKafka publishes without metadata, as the original does, and with; and asks
// the client of the original which partition a key belongs to.
func recordKafka(ctx context.Context) (map[string]any, error) {
	wire, err := kafkaBroker()
	if err != nil {
		return nil, err
	}
	events, err := examples()
	if err != nil {
		return nil, err
	}
	files := map[string]any{}
	record := func(name, why string, metadata map[string]string, e example) error {
		body, err := say(ctx, "kafka://"+kafkaTopic, metadata, e)
		if err != nil {
			return err
		}
		message, err := produced(wire.take())
		if err != nil {
			return err
		}
		files[name] = fixture{why, message, body}
		return nil
	}
	for _, e := range events {
		if err := record(e.name, "as the original publishes it", nil, e); err != nil {
			return nil, err
		}
	}
	metadata := map[string]string{"größe": "100 %: viel\r\n"}
	if err := record("metadata", "with metadata, which the original never sets", metadata, events[0]); err != nil {
		return nil, err
	}
	files["partitions"], err = partitionsOf()
	return files, err
}

// A vector is where keys belong when there are so many partitions.
type vector struct {
	Of         int32            `json:"of"`
	Partitions map[string]int32 `json:"partitions"`
}

func partitionsOf() ([]vector, error) {
	keys := []string{"a", "api-gateway", "autopgo", "example", "hello-world", "shared-app", "0", "z-9"}
	for i := range 12 {
		keys = append(keys, "app-"+strconv.Itoa(i))
	}
	var vectors []vector
	for _, of := range []int32{2, 3, 6, 7, 12, 100} {
		v := vector{of, map[string]int32{}}
		partitioner := sarama.NewConfig().Producer.Partitioner(kafkaTopic)
		for _, key := range keys {
			partition, err := partitioner.Partition(&sarama.ProducerMessage{Key: sarama.StringEncoder(key)}, of)
			if err != nil {
				return nil, err
			}
			v.Partitions[key] = partition
		}
		vectors = append(vectors, v)
	}
	return vectors, nil
}

// produced reads what a client sent since: of its requests, that which produces.
//
// Source: Kafka's protocol guide, Produce version 3 and RecordBatch.
func produced(sent []byte) (kafkaMessage, error) {
	for len(sent) >= 4 {
		length := binary.BigEndian.Uint32(sent)
		request := kafkaReader{in: bytes.NewReader(sent[4 : 4+length])}
		sent = sent[4+length:]
		if kind, version := request.int16(), request.int16(); kind != 0 {
			continue
		} else if version != 3 {
			return kafkaMessage{}, fmt.Errorf("produce in version %d", version)
		}
		request.skip(4) // correlation
		m := kafkaMessage{Of: partitions}
		m.ClientID = *request.text(int(request.int16()))
		request.text(int(request.int16())) // transaction
		m.Acks = request.int16()
		request.skip(4 + 4) // timeout; one topic
		m.Topic = *request.text(int(request.int16()))
		request.skip(4) // one partition
		m.Partition = request.int32()
		request.skip(4 + 8 + 4 + 4 + 1 + 4) // sizes, offset, epoch, magic, checksum
		m.Attributes = request.int16()
		request.skip(4 + 8 + 8 + 8 + 2 + 4) // offset, times, producer
		if records := request.int32(); records != 1 {
			return kafkaMessage{}, fmt.Errorf("%d records", records)
		}
		request.varint() // length
		request.skip(1)  // attributes
		request.varint() // time
		request.varint() // offset
		m.Key = request.text(int(request.varint()))
		m.Value = *request.text(int(request.varint()))
		m.Headers = []kafkaHeader{}
		for range request.varint() {
			m.Headers = append(m.Headers, kafkaHeader{*request.text(int(request.varint())), *request.text(int(request.varint()))})
		}
		return m, request.err
	}
	return kafkaMessage{}, fmt.Errorf("nothing was produced")
}

// A kafkaReader reads on after an error, and gives zeros.
type kafkaReader struct {
	in  *bytes.Reader
	err error
}

func (r *kafkaReader) skip(n int64) { r.in.Seek(n, 1) }

func (r *kafkaReader) fixed(to any) {
	if err := binary.Read(r.in, binary.BigEndian, to); err != nil {
		r.err = err
	}
}

func (r *kafkaReader) int16() (n int16) { r.fixed(&n); return }
func (r *kafkaReader) int32() (n int32) { r.fixed(&n); return }

func (r *kafkaReader) varint() int64 {
	n, err := binary.ReadVarint(r.in)
	if err != nil {
		r.err = err
	}
	return n
}

// text reads so many bytes; a negative length is none.
func (r *kafkaReader) text(length int) *string {
	if length < 0 {
		return nil
	}
	text := make([]byte, length)
	r.fixed(text)
	said := string(text)
	return &said
}

// kafkaBroker starts the one that comes with the client of the original, and keeps
// what it is sent. It ends with the process.
func kafkaBroker() (*tap, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	wire := &tap{Listener: listener}
	var t failing
	broker := sarama.NewMockBrokerListener(t, 1, wire)
	metadata := sarama.NewMockMetadataResponse(t).SetBroker(broker.Addr(), 1)
	for partition := range int32(partitions) {
		metadata.SetLeader(kafkaTopic, partition, 1)
	}
	broker.SetHandlerByMap(map[string]sarama.MockResponse{
		"ApiVersionsRequest": sarama.NewMockApiVersionsResponse(t),
		"MetadataRequest":    metadata,
		"ProduceRequest":     sarama.NewMockProduceResponse(t).SetVersion(3),
	})
	return wire, os.Setenv("KAFKA_BROKERS", broker.Addr())
}

// A tap keeps what is read of connections.
type tap struct {
	net.Listener
	lock sync.Mutex
	sent []byte
}

func (t *tap) Accept() (net.Conn, error) {
	connection, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tapped{connection, t}, nil
}

// take gives what came since the last time. Requests of one connection are whole
// when they are answered; an example is answered before the next is sent.
func (t *tap) take() []byte {
	t.lock.Lock()
	defer t.lock.Unlock()
	sent := t.sent
	t.sent = nil
	return sent
}

type tapped struct {
	net.Conn
	tap *tap
}

func (t *tapped) Read(into []byte) (int, error) {
	n, err := t.Conn.Read(into)
	t.tap.lock.Lock()
	defer t.tap.lock.Unlock()
	t.tap.sent = append(t.tap.sent, into[:n]...)
	return n, err
}

// failing ends the process where a test would have failed.
type failing struct{}

func (failing) Error(why ...any)                  { panic(fmt.Sprint(why...)) }
func (failing) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (failing) Fatal(why ...any)                  { panic(fmt.Sprint(why...)) }
func (failing) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (failing) Helper()                           {}
