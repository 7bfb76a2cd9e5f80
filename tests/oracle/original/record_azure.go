package main

import (
	"context"
	"encoding/json"
	"os"

	servicebus "github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"gocloud.dev/pubsub"
	_ "gocloud.dev/pubsub/azuresb"
)

// recordAzure stops where Microsoft's client is handed a message: there is no peer
// here that speaks AMQP.
func recordAzure(ctx context.Context) (map[string]any, error) {
	const nowhere = "Endpoint=sb://127.0.0.1/;SharedAccessKeyName=n;SharedAccessKey=none"
	if err := os.Setenv("SERVICEBUS_CONNECTION_STRING", nowhere); err != nil {
		return nil, err
	}
	topic, err := pubsub.OpenTopic(ctx, "azuresb://profile")
	if err != nil {
		return nil, err
	}
	events, err := examples()
	if err != nil {
		return nil, err
	}
	files := map[string]any{}
	record := func(name, why string, metadata map[string]string, e example) error {
		body, err := json.Marshal(e.wrapped)
		if err != nil {
			return err
		}
		var message *servicebus.Message
		// Whatever fails is tried again until the context ends.
		sending, enough := context.WithCancel(ctx)
		defer enough()
		err = topic.Send(sending, &pubsub.Message{Body: body, Metadata: metadata, BeforeSend: func(as func(any) bool) error {
			if err := keyed(e.key)(as); err != nil {
				return err
			}
			as(&message)
			enough()
			return sending.Err()
		}})
		if message == nil {
			return err
		}
		// All of its fields, so that what is not set shows.
		files[name] = fixture{why, message, string(body)}
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
