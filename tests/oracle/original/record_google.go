package main

import (
	"context"
	"encoding/json"
	"net"
	"os"

	"cloud.google.com/go/pubsub/apiv1/pubsubpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
)

// recordGoogle publishes without metadata, as the original does, and with.
func recordGoogle(ctx context.Context) (map[string]any, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	came := make(chan *pubsubpb.PublishRequest, 16)
	server := grpc.NewServer()
	defer server.Stop()
	pubsubpb.RegisterPublisherServer(server, &publisher{came: came})
	go server.Serve(listener)
	if err := os.Setenv("PUBSUB_EMULATOR_HOST", listener.Addr().String()); err != nil {
		return nil, err
	}
	events, err := examples()
	if err != nil {
		return nil, err
	}
	files := map[string]any{}
	record := func(name, why string, metadata map[string]string, e example) error {
		body, err := say(ctx, "gcppubsub://projects/acme/topics/profile", metadata, e)
		if err != nil {
			return err
		}
		request := <-came
		// Its own JSON has blanks at random.
		text, err := protojson.Marshal(request)
		if err != nil {
			return err
		}
		var message any
		if err := json.Unmarshal(text, &message); err != nil {
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
	return files, record("metadata", "with metadata, which the original never sets", metadata, events[0])
}

// A publisher takes what is published and hands it on.
type publisher struct {
	pubsubpb.UnimplementedPublisherServer
	came chan<- *pubsubpb.PublishRequest
}

func (p *publisher) Publish(_ context.Context, request *pubsubpb.PublishRequest) (*pubsubpb.PublishResponse, error) {
	p.came <- request
	return &pubsubpb.PublishResponse{MessageIds: make([]string, len(request.Messages))}, nil
}
